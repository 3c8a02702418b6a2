//! What a request's header fields say about its call.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{IdempotencyKey, IfMatch};
use crate::platform::{FaultKind, Platform};
use crate::wire;

/// The longest time a read may wait for news.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The longest idempotency key, in bytes.
const LONGEST_KEY: usize = 255;

/// What a call is made of. One walk over the fields of a request is less work than asking for each of these, most of
/// which are not there.
pub(super) struct Found<'h>([Option<&'h HeaderValue>; FIELDS.len()]);

/// Each of them.
#[derive(Clone, Copy)]
pub(super) enum Field {
    Trace,
    RequestId,
    Key,
    IfMatch,
    Attempt,
    LastEventId,
    Prefer,
}

/// In the order of [`Field`].
static FIELDS: [HeaderName; 7] = [
    wire::TRACEPARENT,
    wire::REQUEST_ID,
    wire::IDEMPOTENCY_KEY,
    header::IF_MATCH,
    wire::ATTEMPT,
    wire::LAST_EVENT_ID,
    wire::PREFER,
];

// === impl Found ===

impl<'h> Found<'h> {
    pub(super) fn new(headers: &'h HeaderMap) -> Self {
        let mut found = Self([None; FIELDS.len()]);
        for (name, value) in headers {
            if let Some(place) = FIELDS.iter().position(|field| field == name) {
                // The first of several.
                found.0[place].get_or_insert(value);
            }
        }
        found
    }

    pub(super) fn value(&self, field: Field) -> Option<&'h HeaderValue> {
        self.0[field as usize]
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.value(field).is_some()
    }

    pub(super) fn text(&self, field: Field) -> Option<&'h str> {
        self.value(field)?.to_str().ok().map(str::trim)
    }
}

/// Visible ASCII without spaces, so that logs and headers stay one line.
pub(super) fn is_plain(text: &str, limit: usize) -> bool {
    !text.is_empty() && text.len() <= limit && text.bytes().all(|b| b.is_ascii_graphic())
}

pub(super) fn key_from(headers: &HeaderMap) -> Result<IdempotencyKey, Platform> {
    let mut values = headers.get_all(&wire::IDEMPOTENCY_KEY).iter();
    let key = values.next().and_then(|value| value.to_str().ok()).map(|key| key.trim().trim_matches('"'));
    match key.filter(|key| is_plain(key, LONGEST_KEY) && values.next().is_none()) {
        Some(key) => Ok(IdempotencyKey { key: key.into(), scope: "".into(), fingerprint: [0; 32] }),
        None => Err(Platform::new(FaultKind::MalformedRequest)
            .with_detail("Idempotency-Key must be one value of 1 to 255 visible ASCII characters")),
    }
}

pub(super) fn if_match_from(value: &HeaderValue) -> Result<IfMatch, Platform> {
    let value = value.to_str().unwrap_or_default().trim();
    if value == "*" {
        return Ok(IfMatch::Any);
    }
    match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        // A tag we never gave out matches nothing.
        Some(tag) => Ok(IfMatch::Version(tag.parse().unwrap_or(i64::MIN))),
        None => {
            Err(Platform::new(FaultKind::MalformedRequest)
                .with_detail("If-Match must be * or one quoted tag"))
        }
    }
}

/// Preferences are hints: one that cannot be read is ignored (RFC 7240 section 2).
pub(super) fn wait_from(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get_all(&wire::PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|part| part.trim().strip_prefix("wait=")?.trim().parse().ok());
    seconds.map_or(Duration::ZERO, Duration::from_secs).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Call;
    use crate::deadline::Deadline;
    use crate::trace::Trace;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    fn read(pairs: &[(&'static str, &str)]) -> Result<Call, Platform> {
        Call::from_headers(&headers(pairs), Deadline::after(Duration::from_secs(60)), Trace::new(7, 8))
    }

    #[test]
    fn a_key_is_one_line_of_at_most_255_bytes() {
        assert_eq!(&*read(&[("idempotency-key", "k-1")]).unwrap().key().unwrap().key, "k-1");
        for bad in ["", " ", "a b", &"x".repeat(256)] {
            let fault = read(&[("idempotency-key", bad)]).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::MalformedRequest, "{bad:?}");
        }
        assert!(read(&[("idempotency-key", "a"), ("idempotency-key", "b")]).is_err());
    }

    #[test]
    fn waiting_is_capped_and_unreadable_preferences_are_ignored() {
        for (prefer, seconds) in
            [("wait=5", 5), ("respond-async, wait=7", 7), ("wait=9999", 30), ("wait=x", 0)]
        {
            assert_eq!(read(&[("prefer", prefer)]).unwrap().wait(), Duration::from_secs(seconds), "{prefer}");
        }
    }

    #[test]
    fn preconditions() {
        assert_eq!(read(&[("if-match", "\"3\"")]).unwrap().if_match(), Some(IfMatch::Version(3)));
        assert_eq!(read(&[("if-match", "*")]).unwrap().if_match(), Some(IfMatch::Any));
        assert!(read(&[("if-match", "\"nonsense\"")]).unwrap().if_match().unwrap().check(1).is_err());
        assert!(read(&[("if-match", "3")]).is_err());
    }
}
