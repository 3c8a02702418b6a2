//! A request that can be sent again: its body is remembered while it passes by.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use partie_contract::{Body, BoxError, Request};

use super::{KeepHost, RetrySafe};
use crate::upgrade::Upgrade;

/// Up to this size, in bytes, a body is remembered (linkerd has the same).
const REMEMBERED: usize = 64 << 10;

/// What is needed to send a request once more.
pub(super) struct Replay {
    head: http::Request<()>,
    body: Again,
}

enum Again {
    /// All of it.
    Whole(Bytes),
    /// As far as it went. Nothing while somebody reads it.
    Tape(Arc<Mutex<Option<Tape>>>),
}

/// A body with its beginning.
struct Tape {
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
    /// What it takes to send the request again, whose body it watches from now on.
    pub(super) fn prepare(request: &mut Request) -> Self {
        let head = copy_of(request);
        if request.body().size_hint().upper().is_some_and(|size| size > REMEMBERED as u64) {
            return Self { head, body: Again::Tape(Arc::new(Mutex::new(None))) };
        }
        let body = std::mem::take(request.body_mut());
        match body.try_into_whole() {
            Ok(bytes) => {
                *request.body_mut() = bytes.clone().into();
                Self { head, body: Again::Whole(bytes) }
            }
            Err(rest) => {
                let tape =
                    Tape { seen: Vec::new(), size: 0, torn: false, rest, ended: false, trailers: None };
                let back = Arc::new(Mutex::new(None));
                let reader =
                    Reader { tape: Some(tape), back: Arc::clone(&back), next: 0, trailers_sent: false };
                *request.body_mut() = Body::stream(reader);
                Self { head, body: Again::Tape(back) }
            }
        }
    }

    /// The request once more, if it is remembered whole and nobody reads it any more.
    pub(super) fn again(&self) -> Option<Request> {
        let body = match &self.body {
            Again::Whole(bytes) => bytes.clone().into(),
            Again::Tape(tape) => {
                let back = Arc::clone(tape);
                let tape = tape.lock().unwrap_or_else(PoisonError::into_inner).take_if(|tape| !tape.torn)?;
                Body::stream(Reader { tape: Some(tape), back, next: 0, trailers_sent: false })
            }
        };
        Some(with_body(copy_of(&self.head), body))
    }
}

/// The head of a request. Of its extensions only what concerns the call goes along.
fn copy_of<B>(request: &http::Request<B>) -> http::Request<()> {
    let mut copy = http::Request::default();
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    *copy.version_mut() = request.version();
    if request.extensions().get::<RetrySafe>().is_some() {
        copy.extensions_mut().insert(RetrySafe);
    }
    if request.extensions().get::<KeepHost>().is_some() {
        copy.extensions_mut().insert(KeepHost);
    }
    if request.extensions().get::<Upgrade>().is_some() {
        copy.extensions_mut().insert(Upgrade);
    }
    copy
}

fn with_body(request: http::Request<()>, body: Body) -> Request {
    request.map(|()| body)
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

    fn streamed(sizes: &[usize]) -> Request {
        let frames = sizes.iter().map(|size| Frame::data(Bytes::from(vec![b'x'; *size])));
        Request::new(Body::stream(Frames(frames.collect())))
    }

    async fn length(request: Request) -> usize {
        request.into_body().collect(usize::MAX).await.unwrap().len()
    }

    #[tokio::test]
    async fn a_request_is_the_same_again_and_again() {
        for request in [Request::new("hello".into()), streamed(&[2, 3]), streamed(&[]), Request::default()] {
            let mut first = request;
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
        let frame = http_body_util::BodyExt::frame(first.body_mut()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap().len(), 2);
        assert!(replay.again().is_none(), "somebody still reads it");
        drop(first);
        assert_eq!(length(replay.again().unwrap()).await, 9);
    }

    #[tokio::test]
    async fn what_is_too_long_to_remember_is_sent_once() {
        for request in [streamed(&[REMEMBERED, 1]), Request::new(vec![0; REMEMBERED + 1].into())] {
            let mut first = request;
            let replay = Replay::prepare(&mut first);
            assert_eq!(length(first).await, REMEMBERED + 1);
            assert!(replay.again().is_none());
        }
    }

    #[tokio::test]
    async fn trailers_come_again() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = VecDeque::from([Frame::data(Bytes::from_static(b"x")), Frame::trailers(trailers)]);
        let mut first = Request::new(Body::stream(Frames(frames)));
        let replay = Replay::prepare(&mut first);
        let mut next = Some(first);
        for _ in 0..3 {
            let all = http_body_util::BodyExt::collect(next.unwrap().into_body()).await.unwrap();
            assert_eq!(all.trailers().unwrap()["grpc-status"], "0");
            assert_eq!(all.to_bytes(), "x");
            next = replay.again();
        }
    }
}
