//! How much a client may send, and how much of it is awaited at the edge.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use partie_contract::{Body, BoxError, FaultKind, Platform};

/// Up to this size, in bytes, a body of known length is awaited here: a slow client then holds no connection to a
/// service, and the request can be sent twice.
const AWAITED: usize = 64 << 10;

/// The body, with at most `limit` bytes.
///
/// # Errors
/// [`FaultKind::PayloadTooLarge`] if its length says so already, and whatever befalls a small body on its way in. A
/// larger one fails later, while it is forwarded.
pub(crate) async fn limit(body: Body, limit: usize) -> Result<Body, Platform> {
    match body.size_hint().exact() {
        Some(0) => Ok(body),
        Some(length) if length > limit as u64 => Err(too_large(limit)),
        Some(length) if length <= AWAITED as u64 => Ok(body.collect(AWAITED).await?.into()),
        _ => Ok(Body::stream(Limited { body, left: limit, limit })),
    }
}

fn too_large(limit: usize) -> Platform {
    Platform::new(FaultKind::PayloadTooLarge).with_detail(format!("at most {limit} bytes are accepted"))
}

/// A body that fails when it gets too long.
struct Limited {
    body: Body,
    left: usize,
    limit: usize,
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match self.left.checked_sub(length) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(too_large(self.limit).into()))),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
