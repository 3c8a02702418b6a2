//! Runs a request where it arrived: reads end with their caller, everything else runs to its end, panics are answers.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::{HeaderValue, Uri};
use partie_contract::{Deadline, FaultKind, Platform, Request, Response, wire};

use crate::handles::Handles;
use crate::in_flight::InFlight;
use crate::serve::{Peer, Serve};
use crate::stack::is_read;

/// Answers the request, by the deadline. Dropping the future cancels a read; other methods go on, and count as work,
/// until they end or the deadline passes.
///
/// # Errors
/// [`FaultKind::UpstreamTimeout`] at the deadline.
pub(crate) async fn dispatch(
    serve: Arc<dyn Serve>,
    peer: Peer,
    mut request: Request,
    deadline: Deadline,
    handles: &Handles,
) -> Result<Response, Platform> {
    let in_flight = InFlight::of(&mut request, &handles.activity);
    let reads = is_read(request.method());
    let about =
        About { uri: request.uri().clone(), request_id: request.headers().get(wire::REQUEST_ID).cloned() };
    // Within the block, so that a panic before the first await is caught as well.
    let work = AssertUnwindSafe(async move { serve.serve(peer, request).await }).catch_unwind();
    let work = tokio::time::timeout_at(deadline.instant().into(), work);
    let outcome = if reads {
        work.await
    } else {
        handles
            .detached
            .finishing(async move {
                let outcome = work.await;
                drop(in_flight);
                outcome
            })
            .await
    };
    match outcome {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(panic)) => Ok(about.answer(panic.as_ref())),
        Err(_) => {
            Err(Platform::new(FaultKind::UpstreamTimeout)
                .with_detail("there was no answer before the deadline"))
        }
    }
}

/// What is left of a request when its handler is gone.
struct About {
    uri: Uri,
    request_id: Option<HeaderValue>,
}

impl About {
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
        let fault = Platform::internal(format!("a handler panicked: {message}"));
        fault.into_response(Some(path.to_owned()), request_id)
    }
}
