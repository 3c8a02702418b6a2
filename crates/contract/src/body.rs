//! Bodies: full bytes or streaming frames, trailers included.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

use crate::platform::{BoxError, FaultKind, Platform};

/// A request on its way to a service.
pub type Request = http::Request<Body>;
/// An answer on its way back.
pub type Response = http::Response<Body>;

/// The body of every request and response between the parts of Partie.
pub struct Body(Inner);

enum Inner {
    /// All of it; nothing when it has been read.
    Whole(Bytes),
    /// Frames as they come. Dropping it tells the producer to stop.
    Stream(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>),
}

// === impl Body ===

impl Body {
    /// No bytes.
    pub const fn empty() -> Self {
        Self(Inner::Whole(Bytes::new()))
    }

    /// Frames as they come.
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Inner::Stream(Box::pin(body.map_err(Into::into))))
    }

    /// The bytes, if they are here already. They stay.
    pub const fn as_whole(&self) -> Option<&Bytes> {
        match &self.0 {
            Inner::Whole(bytes) => Some(bytes),
            Inner::Stream(_) => None,
        }
    }

    /// The bytes, if they are here already.
    pub fn into_whole(self) -> Option<Bytes> {
        self.try_into_whole().ok()
    }

    /// The bytes, if they are here already; else the body as it is.
    ///
    /// # Errors
    /// The body, when its bytes are still to come.
    pub fn try_into_whole(self) -> Result<Bytes, Self> {
        match self.0 {
            Inner::Whole(bytes) => Ok(bytes),
            Inner::Stream(_) => Err(self),
        }
    }

    /// All bytes, if there are at most `limit` of them.
    ///
    /// # Errors
    /// [`FaultKind::PayloadTooLarge`], or [`FaultKind::MalformedRequest`] when the sender broke off.
    pub async fn collect(self, limit: usize) -> Result<Bytes, Platform> {
        match self.0 {
            Inner::Whole(bytes) if bytes.len() > limit => Err(too_large(limit)),
            Inner::Whole(bytes) => Ok(bytes),
            Inner::Stream(mut stream) => {
                let (mut first, mut bytes) = (Bytes::new(), BytesMut::new());
                while let Some(frame) = poll_fn(|cx| stream.as_mut().poll_frame(cx)).await {
                    let Ok(data) = frame.map_err(broken_off)?.into_data() else { continue };
                    if first.len() + bytes.len() + data.len() > limit {
                        return Err(too_large(limit));
                    }
                    // Most bodies come in one piece, which is not worth a copy.
                    if first.is_empty() && bytes.is_empty() {
                        first = data;
                    } else {
                        bytes.extend_from_slice(&std::mem::take(&mut first));
                        bytes.extend_from_slice(&data);
                    }
                }
                Ok(if first.is_empty() { bytes.freeze() } else { first })
            }
        }
    }
}

/// A producer that fails with one of our faults means exactly that fault.
fn broken_off(error: BoxError) -> Platform {
    match error.downcast::<Platform>() {
        Ok(fault) => *fault,
        Err(error) => {
            Platform::new(FaultKind::MalformedRequest).with_detail("the body ended early").caused_by(error)
        }
    }
}

fn too_large(limit: usize) -> Platform {
    Platform::new(FaultKind::PayloadTooLarge).with_detail(format!("at most {limit} bytes are accepted"))
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Whole(bytes))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Inner::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Inner::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Inner::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(bytes) => bytes.is_empty(),
            Inner::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Stream(stream) => stream.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Inner::Whole(bytes) if bytes.is_empty() => "Body(empty)",
            Inner::Whole(_) => "Body(whole)",
            Inner::Stream(_) => "Body(stream)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Frames that are there already.
    struct Frames(VecDeque<Frame<Bytes>>);

    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    async fn collect(pieces: &[&'static str]) -> Result<Bytes, FaultKind> {
        let frames = pieces.iter().map(|piece| Frame::data(Bytes::from_static(piece.as_bytes())));
        let trailers = Frame::trailers(http::HeaderMap::new());
        let body = Body::stream(Frames(frames.chain([trailers]).collect()));
        body.collect(4).await.map_err(|fault| fault.kind())
    }

    #[tokio::test]
    async fn a_body_is_the_same_in_any_number_of_pieces() {
        for pieces in [&["abcd"][..], &["a", "bcd"], &["", "ab", "", "c", "d", ""]] {
            assert_eq!(collect(pieces).await, Ok(Bytes::from_static(b"abcd")), "{pieces:?}");
        }
        assert_eq!(collect(&[]).await, Ok(Bytes::new()));
        for pieces in [&["abcde"][..], &["abcd", "e"], &["a", "bcd", "e"]] {
            assert_eq!(collect(pieces).await, Err(FaultKind::PayloadTooLarge), "{pieces:?}");
        }
    }
}
