//! Calls that reach another service than the one they are for: a registry tells where instances were a moment ago, and
//! when one has ended somebody else may get its port.

use http::StatusCode;
use partie_contract::{FaultKind, Platform, Request, Response, wire};

use crate::target::TargetState;

/// The answer to a call that is for another service than this one; nothing if it may be for this one.
///
/// ```
/// use partie_contract::{Request, wire};
/// use partie_mesh::refuse_misdirected;
///
/// let mut request = Request::default();
/// assert!(refuse_misdirected("orders", &request).is_none());
/// request.headers_mut().insert(wire::TO, "orders".parse()?);
/// assert!(refuse_misdirected("orders", &request).is_none());
/// assert_eq!(refuse_misdirected("users", &request).unwrap().status(), 421);
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn refuse_misdirected(service: &str, request: &Request) -> Option<Response> {
    let headers = request.headers();
    headers.get(wire::TO).filter(|to| **to != service)?;
    let id = headers.get(wire::REQUEST_ID).and_then(|id| id.to_str().ok());
    // For gRPC too: whoever names the service reads the status of the answer.
    Some(Platform::new(FaultKind::Misdirected).into_response(Some(request.uri().path().to_owned()), id))
}

/// Whether somebody else is at the instance's address, who has done nothing. To a call that names no service 421 is an answer
/// like any other.
pub(crate) fn is_misdirected(answer: &Response, target: &TargetState) -> bool {
    answer.status() == StatusCode::MISDIRECTED_REQUEST && target.addressee().is_some()
}
