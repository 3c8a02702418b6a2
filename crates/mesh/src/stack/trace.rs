//! The trace of a call: each call is a span between that of the caller and that of the service.

use http::{HeaderMap, HeaderValue};
use partie_contract::{Trace, wire};
use partie_runtime::Ids;

/// Replaces the caller's span by the next one; without a readable trace a new one begins. The span's id is a number by
/// chance, for whoever needs one.
pub(super) fn next_span(headers: &mut HeaderMap, ids: &Ids) -> u64 {
    let fresh = ids.trace();
    let caller = headers.get(wire::TRACEPARENT).and_then(|value| value.to_str().ok()?.parse::<Trace>().ok());
    let next = caller.map_or(fresh, |caller| caller.child(fresh.span_id()));
    if let Ok(value) = HeaderValue::from_bytes(&next.to_bytes()) {
        headers.insert(wire::TRACEPARENT, value);
    }
    fresh.span_id()
}
