//! A connection over HTTP/1.1 to an instance. Whoever uses it drives it: no other task has to be woken for a call.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode};
use http_body::{Frame, SizeHint};
use partie_contract::{Body, BoxError};
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::task::coop::unconstrained;
use tokio_util::io::poll_read_buf;

use super::bell::Bell;
use super::chunks::{Chunks, Piece};
use super::head::{Framing, Head, Malformed};
use super::outbox::{Outbox, Stuck};
use crate::stream::Stream;
use crate::transport::sending::Sending;

/// How much is read at once, at first and at most. A buffer that was filled is followed by one of twice the size.
const READ: usize = 8 << 10;
const READ_MOST: usize = 64 << 10;

/// A connection to an instance, with one call under way or none.
pub(in crate::transport) struct Connection {
    stream: Stream,
    bell: Arc<Bell>,
    /// The same, as the stream wants it.
    waker: Waker,
    outbox: Outbox,
    /// What was read and is nobody's yet.
    read: BytesMut,
    /// How much to read at once.
    want: usize,
    /// What is still to come of the answer.
    answer: Framing,
    /// Whether another request may follow.
    keeps: bool,
    /// Whether the other side knows which service it was called for: it cannot become another one on the same connection.
    introduced: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(in crate::transport) enum Broke {
    /// Nothing of the request has left, and all of it is in its place.
    Unsent(io::Error),
    /// Not a byte of an answer has come.
    Silent(BoxError),
    /// In the middle of an answer, or of one that cannot be read.
    Answering(BoxError),
    /// The request's own body failed.
    Own(BoxError),
}

// === impl Connection ===

impl Connection {
    /// Over that stream. `told` is called when something happens to it while nobody uses it.
    pub(super) fn new(stream: Stream, told: impl Fn() + Send + Sync + 'static) -> Box<Self> {
        let bell = Bell::new(told);
        let waker = Arc::clone(&bell).into();
        Box::new(Self {
            stream,
            bell,
            waker,
            outbox: Outbox::default(),
            read: BytesMut::new(),
            want: READ,
            answer: Framing::Length(0),
            keeps: true,
            introduced: false,
        })
    }

    /// Sends a request, and awaits the head of the answer. An answer may come before all of the request has left.
    pub(super) async fn send(
        &mut self,
        sending: &Sending<'_>,
        host: Option<&HeaderValue>,
        body: &mut Body,
    ) -> Result<Head, Broke> {
        self.outbox.put(sending, host, !self.introduced, body);
        self.introduced |= sending.to.is_some();
        let mut heard = false;
        let head = poll_fn(|cx| self.poll_head(&sending.head.method, &mut heard, cx)).await?;
        // Who is not who was called may be called so again, by somebody who would not say whom he wants.
        let is_other = head.status == StatusCode::MISDIRECTED_REQUEST;
        (self.answer, self.keeps) = (head.body, head.keeps && !is_other);
        Ok(head)
    }

    fn poll_head(
        &mut self,
        asked: &Method,
        heard: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, Broke>> {
        self.bell.is_for(cx.waker());
        let stuck = match self.poll_outbox(cx) {
            Err(Stuck::Own(error)) => return Poll::Ready(Err(Broke::Own(error))),
            // Through TLS some of it may have left without our hearing of it.
            Err(Stuck::Wire(error))
                if self.outbox.is_untouched() && matches!(self.stream, Stream::Plain(_)) =>
            {
                return Poll::Ready(Err(Broke::Unsent(error)));
            }
            // Whoever takes no more may have answered before.
            Err(Stuck::Wire(error)) => Some(error),
            Ok(()) => None,
        };
        loop {
            let come = match (self.poll_read(), stuck.is_some()) {
                (Poll::Ready(come), _) => come,
                (Poll::Pending, false) => return Poll::Pending,
                (Poll::Pending, true) => Ok(0),
            };
            let error: BoxError = match come {
                Ok(0) => stuck.map_or_else(ended_early, Into::into),
                Ok(come) => {
                    *heard = true;
                    match self.take_head(asked, come) {
                        Ok(Some(head)) => return Poll::Ready(Ok(head)),
                        Ok(None) => continue,
                        Err(error) => error.into(),
                    }
                }
                Err(error) => error.into(),
            };
            return Poll::Ready(Err(if *heard { Broke::Answering(error) } else { Broke::Silent(error) }));
        }
    }

    /// The head of the answer, if all of it has come. Those before it say only that it will.
    fn take_head(&mut self, asked: &Method, come: usize) -> Result<Option<Head>, Malformed> {
        // Where no line ends no head does: what trickles in is not read from its beginning with every byte.
        let new = &self.read[self.read.len() - come.min(self.read.len())..];
        if !new.contains(&b'\n') && self.read.len() < Head::MOST {
            return Ok(None);
        }
        while let Some(head) = Head::take(&mut self.read, asked)? {
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// The next frame of the answer's body.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.bell.is_for(cx.waker());
        self.poll_rest_of_request(cx)?;
        loop {
            match self.take_piece() {
                Ok(Some(Piece::Data(data))) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Some(Piece::Trailers(trailers))) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(Some(Piece::End)) => return Poll::Ready(None),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
            match ready!(self.poll_read()) {
                Ok(0) if self.answer == Framing::Rest => {
                    self.answer = Framing::Length(0);
                    return Poll::Ready(None);
                }
                Ok(0) => return Poll::Ready(Some(Err(ended_early()))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    /// All of a body of so many bytes, in one piece.
    pub(super) async fn whole(&mut self, length: u64) -> Result<Bytes, Broke> {
        let length = usize::try_from(length).map_err(|error| Broke::Answering(error.into()))?;
        self.read.reserve(length.saturating_sub(self.read.len()));
        poll_fn(|cx| {
            self.bell.is_for(cx.waker());
            // An answer that is there is one, whatever becomes of the rest of the request.
            while self.read.len() < length {
                self.poll_rest_of_request(cx).map_err(Broke::Own)?;
                match ready!(self.poll_read()) {
                    Ok(0) => return Poll::Ready(Err(Broke::Answering(ended_early()))),
                    Ok(_) => {}
                    Err(error) => return Poll::Ready(Err(Broke::Answering(error.into()))),
                }
            }
            self.answer = Framing::Length(0);
            Poll::Ready(Ok(self.read.split_to(length).freeze()))
        })
        .await
    }

    /// What is known of the length of what is still to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        match self.answer {
            Framing::Length(left) => SizeHint::with_exact(left),
            Framing::Chunks(_) | Framing::Rest => SizeHint::default(),
        }
    }

    /// Whether all of the answer was read.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.answer, Framing::Length(0) | Framing::Chunks(Chunks::End))
    }

    /// After an answer that was read to its end. Says whether it can take another request.
    pub(in crate::transport) fn rest(&mut self) -> bool {
        if !(self.keeps && self.is_answered() && self.outbox.is_empty() && self.read.is_empty()) {
            return false;
        }
        self.outbox.clear();
        if self.want > READ {
            (self.want, self.read) = (READ, BytesMut::new());
        }
        self.bell.rest();
        // Whoever says something now says it to nobody. A task that has used up its turn must not take that for news.
        let (stream, mut byte) = (&mut self.stream, [0]);
        let said = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut ReadBuf::new(&mut byte)));
        let said = pin!(unconstrained(said)).poll(&mut Context::from_waker(&self.waker));
        said.is_pending() && !self.bell.is_disturbed()
    }

    /// Ends the rest. Says whether nothing has happened meanwhile.
    pub(in crate::transport) fn rouse(&self) -> bool {
        self.bell.rouse()
    }

    /// Whether something came while nobody used it.
    pub(in crate::transport) fn is_disturbed(&self) -> bool {
        self.bell.is_disturbed()
    }

    /// What is below, with what has come of it: the other side has switched to another protocol.
    pub(super) fn into_parts(self) -> (Stream, Bytes) {
        (self.stream, self.read.freeze())
    }

    /// Writes what can be of a request that is being answered already.
    fn poll_rest_of_request(&mut self, user: &mut Context<'_>) -> Result<(), BoxError> {
        match self.poll_outbox(user) {
            Err(Stuck::Own(error)) => Err(error),
            // The answer may be whole all the same.
            Err(Stuck::Wire(_)) => {
                self.keeps = false;
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Writes what can be of the request.
    fn poll_outbox(&mut self, user: &mut Context<'_>) -> Result<(), Stuck> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let mut cx = Context::from_waker(&self.waker);
        match self.outbox.poll_write(&mut self.stream, &mut cx, user) {
            Poll::Ready(done) => done,
            Poll::Pending => Ok(()),
        }
    }

    /// Reads what has come. Nothing means that no more will.
    fn poll_read(&mut self) -> Poll<io::Result<usize>> {
        let room = self.read.capacity() - self.read.len();
        if room < self.want / 2 {
            self.read.reserve(self.want);
        }
        let room = self.read.capacity() - self.read.len();
        let mut cx = Context::from_waker(&self.waker);
        let come = ready!(poll_read_buf(Pin::new(&mut self.stream), &mut cx, &mut self.read))?;
        if come == room {
            self.want = READ_MOST.min(2 * self.want);
        }
        Poll::Ready(Ok(come))
    }

    fn take_piece(&mut self) -> Result<Option<Piece>, Malformed> {
        match &mut self.answer {
            Framing::Length(0) => Ok(Some(Piece::End)),
            Framing::Chunks(chunks) => chunks.next(&mut self.read),
            Framing::Length(_) | Framing::Rest if self.read.is_empty() => Ok(None),
            Framing::Rest => Ok(Some(Piece::Data(self.read.split().freeze()))),
            Framing::Length(left) => {
                let here = usize::try_from(*left).map_or(self.read.len(), |left| left.min(self.read.len()));
                *left -= here as u64;
                Ok(Some(Piece::Data(self.read.split_to(here).freeze())))
            }
        }
    }
}

fn ended_early() -> BoxError {
    io::Error::from(io::ErrorKind::UnexpectedEof).into()
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("answer", &self.answer).finish_non_exhaustive()
    }
}
