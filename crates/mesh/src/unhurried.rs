//! Calls of gRPC whose senders name no time: they live as long as something moves, in either direction.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body::{Frame, SizeHint};
use partie_contract::{Body, BoxError, Deadline, FaultKind, Platform, Request, Response};
use tokio::time::Sleep;

use crate::moved::Moved;
use crate::serve::Peer;
use crate::target::Target;

/// However much moves, a stream is over then: it begins anew, and finds whoever is there by then.
const LONGEST: Duration = Duration::from_hours(24);

/// How long a call without a time of its own may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until the head of the answer, since something last came of the request.
    pub head: Duration,
    /// From then on, in both directions.
    pub idle: Duration,
}

// === impl Target ===

impl Target {
    /// Hands a call of gRPC over as [`forward`](Self::forward) does, without a deadline: it ends when nothing moves any more,
    /// and after a day.
    ///
    /// # Errors
    /// Those of [`forward`](Self::forward). After the head of the answer silence is told in the trailers.
    pub async fn forward_unhurried(
        &self,
        from: Peer,
        request: Request,
        patience: Patience,
    ) -> Result<Response, Platform> {
        let moved = Arc::new(Moved::now());
        let request = request.map(|body| match body.try_into_whole() {
            Ok(whole) => whole.into(),
            Err(body) => Body::stream(Watched { body: Some(body), moved: Arc::clone(&moved), ends: None }),
        });
        let answered = pin!(self.forward(from, None, request, Deadline::after(LONGEST)));
        let answer = match select(answered, pin!(moved.silent(patience.head))).await {
            Either::Left((answer, _)) => answer?,
            Either::Right(((), _)) => return Err(silent()),
        };
        moved.mark();
        Ok(answer.map(|body| match body.try_into_whole() {
            Ok(whole) => whole.into(),
            Err(body) => {
                let sleep = Box::pin(tokio::time::sleep(patience.idle));
                let ends = Some((patience.idle, sleep));
                Body::stream(Watched { body: Some(body), moved, ends })
            }
        }))
    }
}

/// One direction, which notes that something moves. That of the answer looks whether anything does.
struct Watched {
    /// Gone when there is nothing more to come.
    body: Option<Body>,
    moved: Arc<Moved>,
    ends: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        if polled.is_ready() {
            this.moved.mark();
            return polled;
        }
        let Some((idle, sleep)) = &mut this.ends else { return polled };
        while sleep.as_mut().poll(cx).is_ready() {
            // It may be the other direction that moves.
            match this.moved.left(*idle) {
                Some(left) => sleep.as_mut().reset(Deadline::after(left).instant().into()),
                None => {
                    this.body = None;
                    return Poll::Ready(Some(Ok(Frame::trailers(silent().into_grpc_trailers()))));
                }
            }
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}

fn silent() -> Platform {
    Platform::new(FaultKind::UpstreamTimeout).with_detail("nothing has moved for too long")
}
