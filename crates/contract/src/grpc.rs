//! Platform faults in gRPC's words: one table, both ways, and the header fields around it.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::body::Response;
use crate::platform::{FaultKind, Origin, Platform};
use crate::wire;

/// The media type of calls and answers; `+proto` and the like may follow.
pub const MEDIA_TYPE: &str = "application/grpc";
/// What is left for the call, as up to eight digits and a unit.
pub const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// The outcome, in the trailers; in the head when there is no body.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// What happened, percent-encoded.
pub const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// When to come back, in milliseconds (gRPC proposal A6).
pub const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
/// The stable code of a platform fault: more of our kinds share a gRPC status than the other way round.
pub const CODE: HeaderName = HeaderName::from_static("partie-code");

/// When to come back if nobody said so, as in `Retry-After`.
const COME_BACK: Duration = Duration::from_secs(1);

/// Whether it is a gRPC call, or the answer to one.
pub fn is_call(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(MEDIA_TYPE.as_bytes()))
}

/// What the caller leaves for the call.
///
/// # Errors
/// [`FaultKind::MalformedRequest`] for a time that is none.
pub fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Platform> {
    let Some(value) = headers.get(&TIMEOUT) else { return Ok(None) };
    let read = value.to_str().ok().and_then(read_timeout);
    let malformed = || Platform::new(FaultKind::MalformedRequest).with_detail("grpc-timeout is no time");
    read.map(Some).ok_or_else(malformed)
}

fn read_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// What is left, for the wire: in milliseconds, rounded down, since deadlines only shrink.
pub fn write_timeout(left: Duration, headers: &mut HeaderMap) {
    let text = match left.as_millis() {
        millis @ ..=99_999_999 => format!("{millis}m"),
        millis => format!("{}S", (millis / 1000).min(99_999_999)),
    };
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(TIMEOUT, value);
    }
}

/// The gRPC status of a fault.
pub const fn status_of(kind: FaultKind) -> u8 {
    use FaultKind as K;
    match kind {
        // INVALID_ARGUMENT
        K::MalformedBody | K::MalformedRequest | K::IdempotencyKeyMissing | K::NotAcceptable => 3,
        K::UriTooLong | K::UnsupportedMediaType | K::ValidationFailed => 3,
        // DEADLINE_EXCEEDED
        K::RequestTimeout | K::UpstreamTimeout => 4,
        // PERMISSION_DENIED
        K::Forbidden => 7,
        // RESOURCE_EXHAUSTED
        K::RateLimited | K::PayloadTooLarge | K::HeadersTooLarge => 8,
        // FAILED_PRECONDITION
        K::PreconditionFailed | K::PreconditionRequired | K::IdempotencyKeyReused => 9,
        // ABORTED
        K::IdempotencyInProgress => 10,
        // UNIMPLEMENTED: gRPC's NOT_FOUND is about what a method looks for, ours about the method
        K::NotFound | K::MethodNotAllowed => 12,
        // INTERNAL
        K::Internal => 13,
        // UNAVAILABLE
        K::UpstreamFailed | K::UpstreamUnavailable | K::Overloaded | K::Degraded | K::Misdirected => 14,
        // UNKNOWN: nothing that may be repeated at will
        K::OutcomeUnknown => 2,
        // UNAUTHENTICATED
        K::Unauthenticated | K::TokenExpired => 16,
    }
}

/// The fault a gRPC status stands for, when the peer names none of ours.
pub const fn kind_of(status: u8) -> FaultKind {
    match status {
        3 => FaultKind::MalformedRequest,
        4 => FaultKind::UpstreamTimeout,
        5 | 12 => FaultKind::NotFound,
        7 => FaultKind::Forbidden,
        8 => FaultKind::RateLimited,
        6 | 9 => FaultKind::PreconditionFailed,
        10 => FaultKind::IdempotencyInProgress,
        11 => FaultKind::ValidationFailed,
        13 | 15 => FaultKind::Internal,
        14 => FaultKind::UpstreamUnavailable,
        16 => FaultKind::Unauthenticated,
        // CANCELLED, UNKNOWN, and whatever else: no usable answer.
        _ => FaultKind::UpstreamFailed,
    }
}

impl Platform {
    /// The answer to a gRPC call: a head that is also the trailers. The fault itself travels in the extensions, for
    /// whoever logs it.
    pub fn into_grpc_response(self) -> Response {
        let mut response = Response::default();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(STATUS, u16::from(status_of(self.outward_kind())).into());
        if let Ok(message) = HeaderValue::from_str(&percent_encoded(&self.grpc_message())) {
            headers.insert(MESSAGE, message);
        }
        self.write_grpc_fields(headers);
        response.extensions_mut().insert(Arc::new(self));
        response
    }

    /// The end of an answer that had begun well: its trailers.
    pub fn into_grpc_trailers(self) -> HeaderMap {
        let mut trailers = self.into_grpc_response().into_parts().0.headers;
        trailers.remove(header::CONTENT_TYPE);
        trailers
    }

    /// What a caller is told, in words.
    pub fn grpc_message(&self) -> String {
        let details = self.details();
        details.detail.unwrap_or(details.title)
    }

    /// The stable code, and when to come back.
    pub fn write_grpc_fields(&self, headers: &mut HeaderMap) {
        let kind = self.outward_kind();
        headers.insert(CODE, HeaderValue::from_static(kind.code()));
        if self.origin() == Origin::Upstream && kind.status() >= 500 {
            headers.insert(wire::FAULT, HeaderValue::from_static(wire::UPSTREAM));
        }
        let busy = matches!(kind.status(), 429 | 503).then_some(COME_BACK);
        let wait = self.retry_after_hint().or(busy);
        if let Some(wait) = wait {
            headers.insert(PUSHBACK, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).into());
        }
    }

    /// The fault a peer answered a gRPC call with.
    pub fn from_grpc(status: u8, message: &str, fields: &HeaderMap) -> Self {
        let text = |name: &HeaderName| fields.get(name).and_then(|value| value.to_str().ok());
        let kind = text(&CODE).and_then(FaultKind::from_code).unwrap_or_else(|| kind_of(status));
        let fault = Self::new(kind).from_upstream().with_detail(message.to_owned());
        match text(&PUSHBACK).and_then(|wait| wait.parse().ok()) {
            Some(wait) => fault.retry_after(Duration::from_millis(wait)),
            None => fault,
        }
    }
}

/// Printable ASCII but `%` as it is, everything else escaped, as the protocol wants it.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | ..=0x1F | 0x7F.. => out.push_str(&format!("%{byte:02X}")),
            _ => out.push(char::from(byte)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_comes_back_as_itself() {
        for kind in FaultKind::ALL {
            let fault = Platform::new(*kind).with_detail("100 % of \"ü\"");
            let sent = fault.into_grpc_response();
            let headers = sent.headers();
            let status = headers[&STATUS].to_str().unwrap().parse().unwrap();
            let read = Platform::from_grpc(status, "said", headers);
            assert_eq!((read.kind(), status), (*kind, status_of(*kind)), "{kind:?}");
            assert_eq!(read.retry_after_hint().is_some(), matches!(kind.status(), 429 | 503), "{kind:?}");
            // Without our own field the status alone is still the right class.
            let bare = Platform::from_grpc(status, "", &HeaderMap::new()).kind();
            assert_eq!(status_of(bare), if status == 2 { 14 } else { status }, "{kind:?}");
            let said = headers[&MESSAGE].to_str().unwrap();
            let opaque = *kind == FaultKind::Internal;
            assert_eq!(said == "100 %25 of \"%C3%BC\"", !opaque, "{said}");
        }
    }

    #[test]
    fn times_are_read_strictly_and_never_grow() {
        let read = |text: &str| {
            let headers = HeaderMap::from_iter([(TIMEOUT, text.parse().unwrap())]);
            timeout(&headers).map_err(|fault| fault.kind())
        };
        for (text, millis) in [
            ("1H", 3_600_000),
            ("2M", 120_000),
            ("3S", 3_000),
            ("99999999m", 99_999_999),
            ("5000u", 5),
            ("7000000n", 7),
        ] {
            assert_eq!(read(text), Ok(Some(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "m", "1", "1x", "-1m", "+1m", "123456789m", "1 m", "1ü"] {
            assert_eq!(read(text), Err(FaultKind::MalformedRequest), "{text}");
        }
        assert_eq!(timeout(&HeaderMap::new()).unwrap(), None);
        for left in [Duration::ZERO, Duration::from_micros(1_900), Duration::from_secs(86_400), Duration::MAX]
        {
            let mut headers = HeaderMap::new();
            write_timeout(left, &mut headers);
            let back = timeout(&headers).unwrap().unwrap();
            assert!(
                back <= left
                    && (left > Duration::from_secs(99_999_999) || left - back < Duration::from_secs(1)),
                "{left:?} {back:?}"
            );
        }
    }
}
