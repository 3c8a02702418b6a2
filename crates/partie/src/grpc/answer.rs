//! The answer to a call on its way out: its trailers always come, whatever becomes of the handler.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use partie_contract::{Body, BoxError, Deadline, FaultKind, Platform, Response};
use tokio::time::Sleep;

/// The answer for the wire. Given a deadline, the body ends with it.
pub(super) fn answer(response: http::Response<tonic::body::Body>, deadline: Option<Deadline>) -> Response {
    response.map(|body| {
        if body.is_end_stream() {
            return Body::empty();
        }
        Body::stream(Answer { body: Some(body), deadline, sleep: None })
    })
}

struct Answer {
    /// Gone when there is nothing more to send.
    body: Option<tonic::body::Body>,
    deadline: Option<Deadline>,
    /// Set when the body is first waited for: most answers are there at once.
    sleep: Option<Pin<Box<Sleep>>>,
}

// === impl Answer ===

impl Answer {
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let until = deadline.instant().into();
        self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until))).as_mut().poll(cx)
    }

    /// The end instead of what would have come.
    fn end_with(&mut self, fault: Platform) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.body = None;
        Poll::Ready(Some(Ok(Frame::trailers(fault.into_grpc_trailers()))))
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        // The handler's stream runs in here.
        match catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) {
            Ok(Poll::Ready(frame)) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            Ok(Poll::Pending) => match self.poll_late(cx) {
                Poll::Ready(()) => self.end_with(Platform::new(FaultKind::UpstreamTimeout)),
                Poll::Pending => Poll::Pending,
            },
            Err(_) => {
                tracing::error!("the stream of an answer panicked");
                self.end_with(Platform::new(FaultKind::Internal))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}
