//! Routes: an operation table together with an implementation of it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};

use crate::body::{Body, Response};
use crate::client::fault_from;
use crate::fault::{Fault, Outcome};
use crate::inbound::Inbound;
use crate::operation::{Contract, ReplySpec};
use crate::platform::{FaultKind, Origin, Platform};
use crate::problem::{Problem, ProblemDetails, ProblemKind};
use crate::reply::Reply;
use crate::wire::{self, PROBLEM_JSON};

/// A boxed future: the one allocation a call through a contract costs.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Boxes a future where it is to lie. `Box::pin(async { .. })` makes it on the stack and copies all of its room afterwards: for
/// the road of a request that is some kilobytes, of which next to nothing has a value yet.
pub fn boxed<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::into_pin(Box::write(Box::new_uninit(), make()))
}

/// Runs one operation on the state `S`.
pub type Endpoint<S> = fn(Arc<S>, Inbound) -> BoxFuture<'static, Response>;

/// The server's face of a contract: its table, and one endpoint for each row.
pub struct Routes<S: ?Sized + 'static> {
    contract: &'static Contract,
    endpoints: &'static [Endpoint<S>],
}

/// What an operation returns: an [`Outcome`]. As [`PathParam`](crate::PathParam), it is all the macro's output asks for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what an operation returns",
    note = "an operation returns `Outcome<T, E>`"
)]
pub trait Answer: Sized {
    /// What success looks like.
    const REPLY: ReplySpec;
    /// The documented failures.
    const PROBLEMS: &'static [ProblemKind];

    /// The answer for the wire.
    fn answer(self, inbound: Inbound) -> Response;

    /// The answer from the wire, as [`Channel::exchange`](crate::Channel::exchange) gives it.
    fn read(answer: Result<Response, Platform>) -> Self;
}

impl<T: Reply, E: Problem> Answer for Outcome<T, E> {
    const REPLY: ReplySpec = T::SPEC;
    const PROBLEMS: &'static [ProblemKind] = E::KINDS;

    fn answer(self, inbound: Inbound) -> Response {
        match self.and_then(|value| value.into_response().map_err(Fault::from)) {
            Ok(response) => response,
            Err(Fault::Domain(error)) => {
                let details = error.kind().details(error.members());
                problem_response(details, Some(inbound.path), Some(inbound.call.request_id()))
            }
            Err(Fault::Platform(fault)) => inbound.refuse(fault),
        }
    }

    fn read(answer: Result<Response, Platform>) -> Self {
        let answer = answer?;
        if answer.status().is_success() { Ok(T::from_response(answer)?) } else { Err(fault_from(answer)) }
    }
}

// === impl Routes ===

impl<S: ?Sized> Routes<S> {
    /// Endpoints in the order of the contract's operations. The macro calls this; by hand it works as well.
    pub const fn new(contract: &'static Contract, endpoints: &'static [Endpoint<S>]) -> Self {
        assert!(contract.operations.len() == endpoints.len(), "one endpoint for each operation");
        Self { contract, endpoints }
    }

    /// The table.
    pub const fn contract(&self) -> &'static Contract {
        self.contract
    }

    /// The endpoint of the operation at that index of the table.
    pub const fn endpoints(&self) -> &'static [Endpoint<S>] {
        self.endpoints
    }
}

impl<S: ?Sized> Clone for Routes<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: ?Sized> Copy for Routes<S> {}

impl<S: ?Sized> fmt::Debug for Routes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.contract.fmt(f)
    }
}

impl Platform {
    /// The answer for the wire. The fault itself travels in the extensions, for whoever logs it.
    pub fn into_response(self, instance: Option<String>, request_id: Option<&str>) -> Response {
        let mut response = problem_response(self.details(), instance, request_id);
        let headers = response.headers_mut();
        let kind = self.outward_kind();
        if let Some(wait) = self.retry_after_hint() {
            headers.insert(header::RETRY_AFTER, wait.as_secs().max(1).into());
        } else if matches!(kind.status(), 429 | 503) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.origin() == Origin::Upstream && kind.status() >= 500 {
            headers.insert(wire::FAULT, HeaderValue::from_static(wire::UPSTREAM));
        }
        if let Some(allow) = self.allow().and_then(|methods| HeaderValue::from_str(methods).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        // RFC 6750 section 3
        let challenge = match kind {
            FaultKind::Unauthenticated if self.detail().is_none() => Some("Bearer"),
            FaultKind::Unauthenticated => Some("Bearer error=\"invalid_token\""),
            FaultKind::TokenExpired => {
                Some("Bearer error=\"invalid_token\", error_description=\"the token has expired\"")
            }
            FaultKind::Forbidden => Some("Bearer error=\"insufficient_scope\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

fn problem_response(
    mut details: ProblemDetails,
    instance: Option<String>,
    request_id: Option<&str>,
) -> Response {
    details.instance = instance;
    details.request_id = request_id.map(str::to_owned);
    let status = StatusCode::from_u16(details.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(&details).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    response
}
