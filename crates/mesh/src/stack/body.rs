//! The body of an answer: under the same deadline and the same bulkhead as its head.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use partie_contract::{Body, BoxError, Deadline, FaultKind, Platform, Response, grpc};
use tokio::time::Sleep;

use super::bulkhead::Permit;
use super::{Moving, is_event_stream};
use crate::balance::UnderWay;
use crate::limited::{Limit, Limited};

/// Up to this size, in bytes, a body of known length is awaited together with the head: no timer of its own, and the
/// connection is free again before the caller looks at the answer.
pub(crate) const SMALL: u64 = 64 << 10;

/// The call's place at the service, and at its instance.
type Held = (Permit, Option<UnderWay>);

/// Lets the deadline, and what is held for the call, end with the body.
pub(super) async fn cover(
    answer: Response,
    deadline: Deadline,
    moving: Option<Moving>,
    held: Held,
) -> Result<Response, Platform> {
    if is_event_stream(&answer) {
        return Ok(answer);
    }
    let (head, body) = answer.into_parts();
    let body = match body.try_into_whole() {
        Ok(whole) => return Ok(Response::from_parts(head, whole.into())),
        Err(body) => body,
    };
    let body = match body.size_hint().exact() {
        Some(length) if length <= SMALL => {
            let whole = Limited::new(Limit::At(deadline), pin!(BodyExt::collect(body))).await;
            let whole = whole.ok_or_else(too_late)?.map_err(broken_off)?;
            if whole.trailers().is_none() { whole.to_bytes().into() } else { Body::stream(whole) }
        }
        _ => {
            let sleep = Box::pin(tokio::time::sleep_until(deadline.instant().into()));
            let is_grpc = grpc::is_call(&head.headers);
            let moving = moving.filter(|_| !is_grpc);
            let mut covered = Covered { body: Some(body), sleep, moving, is_grpc, _held: held };
            covered.renew();
            Body::stream(covered)
        }
    };
    Ok(Response::from_parts(head, body))
}

/// A body that fails when the deadline passes before its end.
struct Covered {
    /// Gone when there is nothing more to come.
    body: Option<Body>,
    sleep: Pin<Box<Sleep>>,
    /// Set, the deadline begins anew with each piece.
    moving: Option<Moving>,
    /// Whether its reader learns in the trailers what became of it. Without them nobody could tell why it broke off.
    is_grpc: bool,
    /// The call is under way until the body is.
    _held: Held,
}

impl Covered {
    fn renew(&mut self) {
        if let Some(Moving(time)) = self.moving {
            self.sleep.as_mut().reset(Deadline::after(time).instant().into());
        }
    }
}

impl http_body::Body for Covered {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let fault = match Pin::new(body).poll_frame(cx) {
            Poll::Pending if self.sleep.as_mut().poll(cx).is_ready() => too_late(),
            Poll::Ready(Some(Err(error))) if self.is_grpc => broken_off(error),
            polled => {
                if polled.is_ready() {
                    self.renew();
                }
                return polled;
            }
        };
        self.body = None;
        Poll::Ready(Some(match self.is_grpc {
            true => Ok(Frame::trailers(fault.into_grpc_trailers())),
            false => Err(fault.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}

fn too_late() -> Platform {
    Platform::new(FaultKind::UpstreamTimeout).with_detail("the deadline passed in the middle of the answer")
}

/// A transport fails with our own faults; anything else comes from a service in this process.
fn broken_off(error: BoxError) -> Platform {
    match error.downcast::<Platform>() {
        Ok(fault) => *fault,
        Err(error) => Platform::new(FaultKind::UpstreamFailed).caused_by(error).from_upstream(),
    }
}
