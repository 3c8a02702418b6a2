//! What a request has to be before anybody looks at its meaning.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use partie_contract::{Body, BoxError, FaultKind, Platform, Request, grpc};
use partie_runtime::Ids;
use tokio::time::Sleep;

use super::limits::Limits;
use super::socket::Phase;
use crate::request_id::request_id;
use crate::upgrade;

/// What the parser lets through and the rules do not: addresses and `Host` (RFC 9112 section 3).
pub(super) fn admit(
    request: http::Request<Incoming>,
    limits: &Limits,
    phase: Option<&Phase>,
) -> Result<Request, Platform> {
    let (mut head, body) = request.into_parts();
    // A stream of gRPC may take as long as its call does.
    let is_stream = head.version == Version::HTTP_2 && grpc::is_call(&head.headers);
    let limit = (!is_stream).then_some(limits.body);
    let body = Upload { body, limit, sleep: None, phase: phase.cloned() };
    if head.version == Version::HTTP_2 {
        from_http2(&mut head, limits)?;
    }
    check_host(&head)?;
    check_coding(&head.headers)?;
    let uri = std::mem::take(&mut head.uri);
    let absolute = uri.scheme_str().is_some_and(|scheme| matches!(scheme, "http" | "https"));
    if head.method == Method::CONNECT || (uri.authority().is_some() && !absolute) {
        return Err(malformed("this server is no proxy"));
    }
    let target = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    if target.as_str().len() > limits.uri {
        let detail = format!("at most {} bytes are accepted", limits.uri);
        return Err(Platform::new(FaultKind::UriTooLong).with_detail(detail));
    }
    let turn = upgrade::admit(&mut head, !body.is_end_stream())?;
    if let (Some(turn), Some(phase)) = (turn, phase) {
        phase.may_turn(turn);
    }
    // Absolute form means the same as origin form, and what it names goes before `Host` (section 3.2.2); from here on there is
    // only the latter, and one name.
    if let Some(authority) = uri.authority().filter(|_| absolute) {
        let named = authority.as_str().rsplit('@').next().unwrap_or_default();
        let named = HeaderValue::from_str(named).map_err(|_| malformed("no such authority"))?;
        head.headers.insert(header::HOST, named);
    }
    head.uri = if absolute { Uri::from(target) } else { uri };
    let body = if body.is_end_stream() { Body::empty() } else { Body::stream(body) };
    Ok(Request::from_parts(head, body))
}

/// What HTTP/1.1 would have said. The parser has refused fields that belong to a connection (RFC 9113 section 8.2.2).
fn from_http2(head: &mut http::request::Parts, limits: &Limits) -> Result<(), Platform> {
    if head.headers.len() > limits.headers {
        let detail = format!("at most {} header fields are accepted", limits.headers);
        return Err(Platform::new(FaultKind::HeadersTooLarge).with_detail(detail));
    }
    if let Some(authority) = head.uri.authority() {
        // One that says two things could be read in two ways (section 8.3.1).
        let named = HeaderValue::from_str(authority.as_str()).map_err(|_| malformed("no such authority"))?;
        if head
            .headers
            .get_all(header::HOST)
            .iter()
            .any(|host| !named.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
        {
            return Err(malformed("Host and :authority differ"));
        }
        head.headers.insert(header::HOST, named);
    }
    // How a request came is its connection's affair. Only gRPC needs HTTP/2 all the way.
    if !grpc::is_call(&head.headers) {
        head.version = Version::HTTP_11;
    }
    Ok(())
}

fn check_host(head: &http::request::Parts) -> Result<(), Platform> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            if is_plain_host(host.as_bytes()) || http::uri::Authority::try_from(host.as_bytes()).is_ok() {
                Ok(())
            } else {
                Err(malformed("Host is not a host"))
            }
        }
        (None, _) if head.version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(malformed("Host is missing")),
        (Some(_), Some(_)) => Err(malformed("there is more than one Host")),
    }
}

/// Whether it is empty, or surely a name or an IPv4 address, perhaps with a port: nearly every `Host` is.
fn is_plain_host(host: &[u8]) -> bool {
    let name =
        host.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')).count();
    match host.split_at(name) {
        (_, []) => true,
        ([_, ..], [b':', port @ ..]) => (1..=4).contains(&port.len()) && port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The parser takes whatever ends in `chunked`. We know no other coding, and a body that came in two could be read in
/// two ways by whoever gets it from us (section 6.1).
fn check_coding(headers: &HeaderMap) -> Result<(), Platform> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(()) };
    if codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    Err(malformed("Transfer-Encoding must be chunked"))
}

fn malformed(detail: &'static str) -> Platform {
    Platform::new(FaultKind::MalformedRequest).with_detail(detail)
}

/// A whole answer as bytes, for the moments in which there is no request to answer. The connection closes after it.
pub(super) fn raw_answer(fault: Platform, ids: &Ids) -> Bytes {
    let id = request_id(&HeaderMap::new(), ids);
    let id = id.to_str().unwrap_or_default();
    let answer = fault.into_response(None, Some(id));
    let (head, body) = answer.into_parts();
    let mut out = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let body = futures_util::FutureExt::now_or_never(body.collect(usize::MAX));
    let body = body.and_then(Result::ok).unwrap_or_default();
    let rest = format!("x-request-id: {id}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    out.extend_from_slice(rest.as_bytes());
    out.extend_from_slice(&body);
    out.into()
}

/// A body on its way in, with one deadline for all of it: bytes that trickle in do not buy time.
struct Upload {
    body: Incoming,
    limit: Option<Duration>,
    /// Set when the body is first waited for.
    sleep: Option<Pin<Box<Sleep>>>,
    /// Of a connection that has to be read to the end of the body before its next request.
    phase: Option<Phase>,
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(phase) = self.phase.as_ref().filter(|_| !self.body.is_end_stream()) {
            phase.leave_unread();
        }
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(cx).map_err(|error| {
            Platform::new(FaultKind::MalformedRequest)
                .with_detail("the body ended early")
                .caused_by(error)
                .into()
        });
        if let (true, Some(limit)) = (polled.is_pending(), this.limit) {
            let sleep = this.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
            if sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Some(Err(Platform::new(FaultKind::RequestTimeout).into())));
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
