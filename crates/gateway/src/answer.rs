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

/// A page for a browser, which gets what it needs from here and from nowhere else.
pub(crate) fn page(kind: &'static str, text: &'static str) -> Response {
    let mut answer = document(kind, text);
    let headers = answer.headers_mut();
    let only_us = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                   base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(only_us));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
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
