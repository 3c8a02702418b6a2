//! What the gateway says itself: problems and small documents, in one place.

use http::{HeaderValue, StatusCode, header};
use partie_contract::{Body, Platform, Response};
use serde_json::{Map, Value};

/// A problem, with members beyond the standard ones.
pub(crate) fn problem(
    fault: Platform,
    path: &str,
    request_id: &str,
    members: Map<String, Value>,
) -> Response {
    let mut details = fault.details();
    let mut answer = fault.into_response(Some(path.to_owned()), Some(request_id));
    if !members.is_empty() {
        details.instance = Some(path.to_owned());
        details.request_id = Some(request_id.to_owned());
        details.members = members;
        *answer.body_mut() = serde_json::to_vec(&details).unwrap_or_default().into();
    }
    answer
}

/// A document of that media type, as of now.
pub(crate) fn document(kind: &'static str, body: impl Into<Body>) -> Response {
    let mut answer = Response::new(body.into());
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Says what an address takes.
pub(crate) fn options(allow: &str) -> Response {
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::from_str(allow) {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    answer
}
