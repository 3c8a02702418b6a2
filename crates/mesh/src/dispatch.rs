//! Runs a request where it arrived: reads end with their caller, everything else runs to its end, panics are answers.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use http::{HeaderValue, Uri};
use partie_contract::{BoxFuture, FaultKind, Platform, Request, Response, grpc, wire};

use crate::handles::Handles;
use crate::in_flight::InFlight;
use crate::limited::{Limit, Limited};
use crate::serve::{Peer, Serve};
use crate::stack::is_read;

/// Answers the request, by the limit. Dropping the future cancels a read or a gRPC call; other methods go on, and count as work,
/// until they end or the limit is reached.
///
/// # Errors
/// [`FaultKind::UpstreamTimeout`] at the limit.
pub(crate) async fn dispatch(
    serve: Arc<dyn Serve>,
    peer: Peer,
    mut request: Request,
    limit: Limit,
    handles: &Handles,
    about: &About,
) -> Result<Response, Platform> {
    let in_flight = InFlight::of(&mut request, &handles.activity);
    // In gRPC, going away is how one cancels.
    let ends_with_caller = about.is_grpc || is_read(request.method());
    let work = match catch_unwind(AssertUnwindSafe(|| serve.serve(peer, request))) {
        Ok(work) => Limited::new(limit, Caught { work, _in_flight: in_flight }),
        Err(panic) => return Ok(about.answer(panic.as_ref())),
    };
    let outcome = if ends_with_caller { work.await } else { handles.detached.finishing(work).await };
    match outcome {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(panic)) => Ok(about.answer(panic.as_ref())),
        None => {
            Err(Platform::new(FaultKind::UpstreamTimeout)
                .with_detail("there was no answer before the deadline"))
        }
    }
}

/// A panic of the handler as a value. The request counts as work until the handler is gone.
struct Caught {
    work: BoxFuture<'static, Response>,
    _in_flight: Arc<InFlight>,
}

impl Future for Caught {
    type Output = thread::Result<Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.work.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

/// What is left of a request when its handler is gone.
pub(crate) struct About {
    pub(crate) uri: Uri,
    pub(crate) request_id: Option<HeaderValue>,
    /// Whether its sender reads gRPC's statuses instead of HTTP's.
    pub(crate) is_grpc: bool,
}

// === impl About ===

impl About {
    pub(crate) fn of(request: &Request) -> Self {
        let headers = request.headers();
        Self {
            uri: request.uri().clone(),
            request_id: headers.get(wire::REQUEST_ID).cloned(),
            is_grpc: grpc::is_call(headers),
        }
    }

    /// The answer instead of one.
    pub(crate) fn problem(&self, fault: Platform) -> Response {
        if self.is_grpc {
            return fault.into_grpc_response();
        }
        let request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok());
        fault.into_response(Some(self.uri.path().to_owned()), request_id)
    }

    /// The cause is in the log; outside it is an internal error like any other.
    fn answer(&self, panic: &(dyn Any + Send)) -> Response {
        let message = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("of an unknown kind");
        let path = self.uri.path();
        let request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok());
        tracing::error!(path, request_id, "a handler panicked: {message}");
        self.problem(Platform::internal(format!("a handler panicked: {message}")))
    }
}
