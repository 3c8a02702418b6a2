//! A body that can be sent again: it is remembered while it passes by.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use partie_contract::{Body, BoxError};

/// Up to this size, in bytes, a body is remembered (linkerd has the same).
const REMEMBERED: usize = 64 << 10;

/// What is needed to send a body once more.
pub(super) enum Replay {
    /// All of it.
    Whole(Bytes),
    /// As far as it went. Nothing while somebody reads it.
    Tape(Arc<Mutex<Option<Tape>>>),
}

/// A body with its beginning.
pub(super) struct Tape {
    seen: Vec<Bytes>,
    size: usize,
    /// It was longer than can be remembered.
    torn: bool,
    rest: Body,
    ended: bool,
    trailers: Option<HeaderMap>,
}

/// Reads a tape, and leaves it for the next one.
struct Reader {
    /// There until it is dropped.
    tape: Option<Tape>,
    back: Arc<Mutex<Option<Tape>>>,
    next: usize,
    trailers_sent: bool,
}

// === impl Replay ===

impl Replay {
    /// What it takes to send the body again, which is watched from now on.
    pub(super) fn prepare(body: &mut Body) -> Self {
        if body.size_hint().upper().is_some_and(|size| size > REMEMBERED as u64) {
            return Self::Tape(Arc::default());
        }
        if let Some(whole) = body.as_whole() {
            return Self::Whole(whole.clone());
        }
        let rest = std::mem::take(body);
        let tape = Tape { seen: Vec::new(), size: 0, torn: false, rest, ended: false, trailers: None };
        let back = Arc::default();
        *body = Body::stream(Reader::of(tape, &back));
        Self::Tape(back)
    }

    /// The body once more, if it is remembered whole and nobody reads it any more.
    pub(super) fn again(&self) -> Option<Body> {
        match self {
            Self::Whole(bytes) => Some(bytes.clone().into()),
            Self::Tape(back) => {
                let tape = back.lock().unwrap_or_else(PoisonError::into_inner).take_if(|tape| !tape.torn)?;
                Some(Body::stream(Reader::of(tape, back)))
            }
        }
    }
}

// === impl Reader ===

impl Reader {
    /// From the beginning.
    fn of(tape: Tape, back: &Arc<Mutex<Option<Tape>>>) -> Self {
        Self { tape: Some(tape), back: Arc::clone(back), next: 0, trailers_sent: false }
    }
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(tape) = &mut this.tape else { return Poll::Ready(None) };
        loop {
            if let Some(seen) = tape.seen.get(this.next) {
                this.next += 1;
                return Poll::Ready(Some(Ok(Frame::data(seen.clone()))));
            }
            if tape.ended {
                let trailers = tape.trailers.clone().filter(|_| !this.trailers_sent);
                this.trailers_sent = true;
                return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
            }
            match ready!(Pin::new(&mut tape.rest).poll_frame(cx)) {
                None => tape.ended = true,
                Some(Err(error)) => {
                    tape.torn = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if tape.torn => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Ok(data) => {
                        tape.size += data.len();
                        if tape.size > REMEMBERED {
                            tape.torn = true;
                            tape.seen = Vec::new();
                            return Poll::Ready(Some(Ok(Frame::data(data))));
                        }
                        tape.seen.push(data);
                    }
                    Err(frame) => {
                        tape.trailers = frame.into_trailers().ok();
                        tape.ended = true;
                    }
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let Some(tape) = &self.tape else { return true };
        let all_read = self.next >= tape.seen.len();
        all_read
            && (tape.rest.is_end_stream() || tape.ended && (tape.trailers.is_none() || self.trailers_sent))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.tape {
            // At the beginning it is as long as what was put in.
            Some(tape) if tape.seen.is_empty() => tape.rest.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        *self.back.lock().unwrap_or_else(PoisonError::into_inner) = self.tape.take();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    fn frames(frames: impl IntoIterator<Item = Frame<Bytes>, IntoIter: Send + 'static>) -> Body {
        Body::stream(StreamBody::new(stream::iter(frames.into_iter().map(Ok::<_, BoxError>))))
    }

    fn streamed(sizes: &[usize]) -> Body {
        let sizes = sizes.to_vec();
        frames(sizes.into_iter().map(|size| Frame::data(Bytes::from(vec![b'x'; size]))))
    }

    async fn length(body: Body) -> usize {
        body.collect(usize::MAX).await.unwrap().len()
    }

    #[tokio::test]
    async fn a_body_is_the_same_again_and_again() {
        for body in [Body::from("hello"), streamed(&[2, 3]), streamed(&[]), Body::empty()] {
            let mut first = body;
            let replay = Replay::prepare(&mut first);
            let whole = length(first).await;
            for _ in 0..3 {
                assert_eq!(length(replay.again().unwrap()).await, whole);
            }
        }
    }

    #[tokio::test]
    async fn what_was_read_in_part_goes_on_from_the_beginning() {
        let mut first = streamed(&[2, 3, 4]);
        let replay = Replay::prepare(&mut first);
        let frame = http_body_util::BodyExt::frame(&mut first).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap().len(), 2);
        assert!(replay.again().is_none(), "somebody still reads it");
        drop(first);
        assert_eq!(length(replay.again().unwrap()).await, 9);
    }

    #[tokio::test]
    async fn what_is_too_long_to_remember_is_sent_once() {
        for body in [streamed(&[REMEMBERED, 1]), vec![0; REMEMBERED + 1].into()] {
            let mut first = body;
            let replay = Replay::prepare(&mut first);
            assert_eq!(length(first).await, REMEMBERED + 1);
            assert!(replay.again().is_none());
        }
    }

    #[tokio::test]
    async fn trailers_come_again() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let mut first = frames([Frame::data(Bytes::from_static(b"x")), Frame::trailers(trailers)]);
        let replay = Replay::prepare(&mut first);
        let mut next = Some(first);
        for _ in 0..3 {
            let all = http_body_util::BodyExt::collect(next.unwrap()).await.unwrap();
            assert_eq!(all.trailers().unwrap()["grpc-status"], "0");
            assert_eq!(all.to_bytes(), "x");
            next = replay.again();
        }
    }
}
