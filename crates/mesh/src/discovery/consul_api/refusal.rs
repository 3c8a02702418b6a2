//! What the API says when it does not do what it was asked to: a status and a plain sentence, as Consul does.

use http::{HeaderValue, StatusCode, header};
use partie_contract::Response;

use crate::discovery::Full;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

// === impl Refusal ===

impl Refusal {
    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    pub(super) fn forbidden(text: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, text: text.into() }
    }

    pub(super) fn full(full: Full) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, text: full.to_string() }
    }

    pub(super) fn unknown(what: &str, id: &str) -> Self {
        let text =
            format!("Unknown {what} ID {id:?}. Ensure that the {what} ID is passed, not the {what} name.");
        Self { status: StatusCode::NOT_FOUND, text }
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let mut answer = Self::new(refusal.text.into_bytes().into());
        *answer.status_mut() = refusal.status;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        answer.headers_mut().insert(header::CONTENT_TYPE, plain);
        answer
    }
}
