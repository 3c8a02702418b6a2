//! Connections that become a WebSocket (RFC 6455), and nothing else.
//!
//! The way of an upgrade: the listener admits it and marks the request; the mark makes every hop say `Upgrade` again, where
//! other fields of a connection are taken away; only a 101 that agrees is an answer to it, and only then does the listener
//! let bytes through. Any other protocol is ignored, as RFC 9110 section 7.8 allows: the request is a plain one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use partie_contract::{FaultKind, Platform, Request, Response};

use crate::hop::strip_hop_by_hop;
use crate::stream::Stream;

/// The one protocol, as `Upgrade` says it.
const WEBSOCKET: &str = "websocket";

/// A mark on a request: its sender wants the connection to become a WebSocket, and it can.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upgrade;

/// The connection to an instance that has switched, in the answer that says so, for whoever takes it first.
#[derive(Clone)]
pub(crate) struct Turned(Arc<Mutex<Option<(Stream, Bytes)>>>);

/// Marks a request that asks for it. Returns what becomes the connection, if it does, for whatever it asks.
///
/// # Errors
/// [`FaultKind::MalformedRequest`] for one that has a body too, or is no GET: what follows could be read in two ways.
pub(crate) fn admit(head: &mut Parts, has_body: bool) -> Result<Option<OnUpgrade>, Platform> {
    // The parser puts it there for HTTP/1.1 with any `Upgrade`.
    let Some(turn) = head.extensions.remove::<OnUpgrade>() else { return Ok(None) };
    if is_websocket(&head.headers) {
        if head.method != Method::GET || has_body || head.headers.contains_key(header::CONTENT_LENGTH) {
            return Err(Platform::new(FaultKind::MalformedRequest)
                .with_detail("a WebSocket begins with a GET without a body"));
        }
        head.extensions.insert(Upgrade);
        // Whoever answers in this process takes the connection from there.
        head.extensions.insert(turn.clone());
    }
    Ok(Some(turn))
}

/// Whether the request is marked.
pub(crate) fn is_asked(extensions: &Extensions) -> bool {
    extensions.get::<Upgrade>().is_some()
}

/// Takes away what belongs to the last hop, and asks for the upgrade on this one if the request is marked.
pub(crate) fn strip_request(request: &mut Request) {
    strip_hop_by_hop(request.headers_mut());
    if is_asked(request.extensions()) {
        say(request.headers_mut());
    }
}

/// Takes away what belongs to the last hop. Of an upgrade that was asked for it stays.
///
/// # Errors
/// [`FaultKind::UpstreamFailed`] for a 101 to nobody's question, or to another one.
pub(crate) fn strip_answer(answer: &mut Response, asked: bool) -> Result<(), Platform> {
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        strip_hop_by_hop(answer.headers_mut());
        return Ok(());
    }
    check(answer.status(), answer.headers(), asked)?;
    strip_hop_by_hop(answer.headers_mut());
    say(answer.headers_mut());
    Ok(())
}

/// Whether a head that may be a 101 is what was asked for.
///
/// # Errors
/// As [`strip_answer`].
pub(crate) fn check(status: StatusCode, headers: &HeaderMap, asked: bool) -> Result<(), Platform> {
    if status != StatusCode::SWITCHING_PROTOCOLS || (asked && is_websocket(headers)) {
        return Ok(());
    }
    Err(Platform::new(FaultKind::UpstreamFailed)
        .with_detail("a service that was called switched to a protocol nobody asked for"))
}

/// Both fields, and of `Upgrade` no more than this: of a list nobody could say what the other side chooses.
fn is_websocket(headers: &HeaderMap) -> bool {
    let mut upgrades = headers.get_all(header::UPGRADE).iter();
    let (Some(upgrade), None) = (upgrades.next(), upgrades.next()) else { return false };
    let mut connections = headers.get_all(header::CONNECTION).iter().filter_map(|line| line.to_str().ok());
    upgrade.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes())
        && connections.any(|line| line.split(',').any(|option| option.trim().eq_ignore_ascii_case("upgrade")))
}

fn say(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(WEBSOCKET));
}

impl fmt::Debug for Turned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turned")
    }
}

// === impl Turned ===

impl Turned {
    /// Over which that has come already.
    pub(crate) fn new(stream: Stream, come: Bytes) -> Self {
        Self(Arc::new(Mutex::new(Some((stream, come)))))
    }

    /// The connection, and what has come over it already.
    pub(crate) fn take(self) -> Option<(Stream, Bytes)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_a_websocket_is_one() {
        for (fields, is) in [
            (&[("upgrade", "websocket"), ("connection", "Upgrade")][..], true),
            (&[("upgrade", "WebSocket"), ("connection", "keep-alive, upgrade")], true),
            (&[("upgrade", "websocket"), ("connection", "keep-alive"), ("connection", "upgrade")], true),
            (&[("upgrade", "websocket")], false),
            (&[("connection", "upgrade")], false),
            (&[("upgrade", "websocket"), ("connection", "close")], false),
            (&[("upgrade", "h2c"), ("connection", "upgrade")], false),
            (&[("upgrade", "websocket, h2c"), ("connection", "upgrade")], false),
            (&[("upgrade", "websocket"), ("upgrade", "h2c"), ("connection", "upgrade")], false),
            (&[("upgrade", "websocket/13"), ("connection", "upgrade")], false),
        ] {
            assert_eq!(is_websocket(&headers(fields)), is, "{fields:?}");
        }
    }

    #[test]
    fn an_answer_switches_only_to_what_was_asked_for() {
        let agreed = [("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-accept", "x")];
        for (status, asked, fields, fine) in [
            (101, true, &agreed[..], true),
            (101, false, &agreed[..], false),
            (101, true, &[("upgrade", "h2c"), ("connection", "upgrade")], false),
            (101, true, &[], false),
            (200, true, &[], true),
            (426, true, &[("upgrade", "websocket")], true),
        ] {
            let mut answer = Response::default();
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            *answer.headers_mut() = headers(fields);
            let settled = strip_answer(&mut answer, asked);
            assert_eq!(settled.is_ok(), fine, "{status} {asked} {fields:?}");
            let says = answer.headers().contains_key(header::UPGRADE);
            assert!(settled.is_err() || says == (status == 101), "{status}: {answer:?}");
        }
    }
}
