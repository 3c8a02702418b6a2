//! The socket under the HTTP parser: it has the clocks of a connection, and turns the parser's own answers into problems.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::upgrade::OnUpgrade;
use partie_contract::{FaultKind, Platform};
use partie_runtime::Ids;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::limits::Limits;
use super::request::raw_answer;
use super::tunnel::Tunnel;
use crate::stream::Stream;
use crate::timer::Timer;
use crate::upgrade::Turned;

/// Where a connection is in the cycle of its requests. Shared by the socket, which sees bytes, and by the service,
/// which sees requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Phase(Arc<State>);

#[derive(Debug, Default)]
struct State {
    phase: AtomicU8,
    /// Whether there ever was a request.
    begun: AtomicBool,
    /// Whether the client may still be sending what nobody will read.
    unread: AtomicBool,
    /// Whether the client has worn out our patience with its streams.
    overrun: AtomicBool,
    /// What the connection becomes, if the parser is asked to give it up.
    turn: Mutex<Option<OnUpgrade>>,
    /// Set when the connection becomes a tunnel, with where to if it is not a handler's.
    tunnel: OnceLock<(Tunnel, Mutex<Option<Turned>>)>,
}

/// Nothing of a request is there.
const WAITING: u8 = 0;
/// Some of a head is there.
const HEAD: u8 = 1;
/// A request is being answered.
const ANSWERING: u8 = 2;
/// All of the answer was handed to the parser, but perhaps not to the kernel.
const ENDED: u8 = 3;
/// The client speaks HTTP/2: requests come and go by themselves.
const STREAMS: u8 = 4;
/// It has become a WebSocket: there are no more requests.
const TUNNEL: u8 = 5;

/// How HTTP/2 begins (RFC 9113 section 3.4). No HTTP/1.1 request begins like that.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `GOAWAY`, `ENHANCE_YOUR_CALM`, all streams may have been seen (RFC 9113 section 6.8).
const CALM_DOWN: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0xB];

/// How long what a client still sends is read and thrown away, so that it gets to see our last answer. Closing with
/// unread bytes would reset the connection and take the answer with it.
const LINGER: Duration = Duration::from_secs(1);

/// The clocks of [`Limits`], on a connection.
pub(super) struct Socket {
    stream: Stream,
    phase: Phase,
    clocks: Clocks,
    /// One timer for the waits of the reading side. Set only when there is something to wait for.
    read: Timer,
    /// For which phase the time was taken.
    read_for: Option<u8>,
    stall: Option<Pin<Box<Sleep>>>,
    /// Set when our side is closed and theirs is not.
    linger: Option<Pin<Box<Sleep>>>,
    /// What is left of an answer of our own that takes the place of the parser's.
    instead: Option<Bytes>,
    /// How much of HTTP/2's preface has come, until it is clear which protocol the client speaks.
    sniffed: Option<usize>,
    /// What was read to find that out.
    again: Bytes,
    /// In a tunnel: when it is over.
    ending: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    ids: Ids,
}

struct Clocks {
    waiting: Duration,
    idle: Duration,
    header: Duration,
    stall: Duration,
}

// === impl Phase ===

impl Phase {
    pub(super) fn request_began(&self) {
        self.0.begun.store(true, Ordering::Release);
        self.set(ANSWERING);
    }

    /// Whether it has not seen a request yet.
    pub(super) fn is_fresh(&self) -> bool {
        !self.0.begun.load(Ordering::Acquire)
    }

    pub(super) fn answer_ended(&self) {
        if self.get() != TUNNEL {
            self.set(ENDED);
        }
    }

    /// The connection may become something else, and this is what.
    pub(super) fn may_turn(&self, turn: OnUpgrade) {
        *self.0.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }

    /// What the connection became if the parser gave it up.
    pub(super) fn turned(&self) -> Option<OnUpgrade> {
        self.0.turn.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// With the answer that is about to be written the connection becomes a tunnel, to there or to a handler.
    pub(super) fn become_tunnel(&self, to: Option<Turned>) {
        self.0.tunnel.get_or_init(|| (Tunnel::begin(), Mutex::new(to)));
        self.set(TUNNEL);
    }

    /// The tunnel, if it has become one, and where it leads.
    pub(super) fn tunnel(&self) -> Option<(&Tunnel, Option<Turned>)> {
        let (tunnel, to) = self.0.tunnel.get()?;
        Some((tunnel, to.lock().unwrap_or_else(PoisonError::into_inner).take()))
    }

    /// A body was not read to its end.
    pub(super) fn leave_unread(&self) {
        self.0.unread.store(true, Ordering::Release);
    }

    /// Whether the client turned out to speak HTTP/2.
    pub(super) fn is_streams(&self) -> bool {
        self.get() == STREAMS
    }

    /// Ends the connection with the next poll, and tells the client why.
    pub(super) fn overrun(&self) {
        self.0.overrun.store(true, Ordering::Release);
        self.leave_unread();
    }

    /// Whether the connection ends because of what the client did.
    pub(super) fn is_overrun(&self) -> bool {
        self.0.overrun.load(Ordering::Acquire)
    }

    fn get(&self) -> u8 {
        self.0.phase.load(Ordering::Acquire)
    }

    fn set(&self, phase: u8) {
        self.0.phase.store(phase, Ordering::Release);
    }
}

// === impl Socket ===

impl Socket {
    pub(super) fn new(stream: Stream, phase: Phase, limits: &Limits, ids: Ids) -> Self {
        let clocks = Clocks {
            waiting: limits.first_byte,
            idle: limits.idle,
            header: limits.header,
            stall: limits.write_stall,
        };
        let read = Timer::after(clocks.waiting);
        Self {
            stream,
            phase,
            clocks,
            read,
            read_for: None,
            stall: None,
            linger: None,
            instead: None,
            sniffed: Some(0),
            again: Bytes::new(),
            ending: None,
            ids,
        }
    }

    /// Runs the clock of the phase while nothing arrives.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let phase = self.phase.get();
        let limit = match phase {
            WAITING => self.clocks.waiting,
            HEAD => self.clocks.header,
            _ => return Poll::Pending,
        };
        if self.read_for != Some(phase) {
            self.read_for = Some(phase);
            self.read.set(limit);
        }
        ready!(self.read.poll(cx));
        if phase == WAITING {
            // Nobody is owed an answer: as if the client had closed.
            return Poll::Ready(Ok(()));
        }
        let answer = raw_answer(Platform::new(FaultKind::RequestTimeout), &self.ids);
        // Best effort: the connection closes in any case.
        let written = Pin::new(&mut self.stream).poll_write(cx, &answer);
        tracing::debug!(sent = written.is_ready(), "a head took too long");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Gives up on a reader that takes nothing.
    fn stalled(&mut self, polled: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if polled.is_ready() {
            self.stall = None;
            return polled;
        }
        let limit = self.clocks.stall;
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the reader took nothing for too long")))
    }

    /// An answer while no request is being answered is the parser's own, to what it could not parse: a bare status.
    /// Whoever talks to us gets a problem instead.
    fn poll_write_instead(&mut self, cx: &mut Context<'_>, theirs: &[u8]) -> Poll<io::Result<usize>> {
        self.phase.leave_unread();
        let mut ours = match self.instead.take() {
            Some(rest) => rest,
            None => raw_answer(unparsable(theirs), &self.ids),
        };
        while !ours.is_empty() {
            let polled = Pin::new(&mut self.stream).poll_write(cx, &ours);
            match self.stalled(polled, cx) {
                Poll::Ready(Ok(written)) => ours.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.instead = Some(ours);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(theirs.len()))
    }

    /// Reads until it is clear which protocol the client speaks. To the HTTP/1.1 parser a client that speaks HTTP/2 has
    /// gone away; what it sent is kept for the other parser. Nobody else pays more than a comparison for that.
    fn poll_sniff(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        mut sniffed: usize,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            buf.put_slice(PREFACE.get(..sniffed).unwrap_or_default());
            let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
            let seen = buf.filled().get(before..).unwrap_or_default();
            let agreed = seen.iter().zip(PREFACE).take_while(|(is, wanted)| is == wanted).count();
            let (length, nothing_new) = (seen.len(), seen.len() == sniffed);
            if polled.is_pending() {
                buf.set_filled(before);
                return self.poll_patience(cx);
            }
            if !nothing_new && self.phase.get() == WAITING {
                self.phase.set(HEAD);
            }
            if agreed == PREFACE.len() {
                self.again = Bytes::copy_from_slice(seen);
                buf.set_filled(before);
                self.sniffed = None;
                self.phase.set(STREAMS);
                return Poll::Ready(Ok(()));
            }
            if nothing_new || agreed < length {
                self.sniffed = None;
                return polled;
            }
            buf.set_filled(before);
            sniffed = agreed;
            self.sniffed = Some(agreed);
        }
    }

    /// Reads for the HTTP/2 parser.
    fn poll_read_streams(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.phase.is_overrun() {
            // Best effort, and the end of the connection in any case.
            let told = Pin::new(&mut self.stream).poll_write(cx, &CALM_DOWN);
            tracing::debug!(told = told.is_ready(), "a client took back too many requests");
            return Poll::Ready(Ok(()));
        }
        if self.again.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let piece = self.again.split_to(self.again.len().min(buf.remaining()));
        buf.put_slice(&piece);
        Poll::Ready(Ok(()))
    }

    /// Reads for a tunnel, until it is over.
    fn poll_read_tunnel(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let Some((tunnel, _)) = self.phase.0.tunnel.get() else { return Poll::Ready(Ok(())) };
        let ending = self.ending.get_or_insert_with(|| Box::pin(tunnel.ending()));
        if ending.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the tunnel is over")));
        }
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            tunnel.received(buf.filled().len() - before);
        }
        polled
    }

    /// What was written, for those who count it.
    fn written(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let (Poll::Ready(Ok(bytes)), Some((tunnel, _))) = (&polled, self.phase.0.tunnel.get()) {
            tunnel.sent(*bytes);
        }
        polled
    }

    fn is_unparsable(&self) -> bool {
        matches!(self.phase.get(), WAITING | HEAD)
    }
}

/// What the parser meant by its status.
fn unparsable(answer: &[u8]) -> Platform {
    Platform::new(match answer.get(9..12) {
        Some(b"414") => FaultKind::UriTooLong,
        Some(b"431") => FaultKind::HeadersTooLarge,
        _ => FaultKind::MalformedRequest,
    })
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.sniffed {
            Some(sniffed) if buf.remaining() > PREFACE.len() => return self.poll_sniff(cx, buf, sniffed),
            _ => {}
        }
        match self.phase.get() {
            STREAMS => return self.poll_read_streams(cx, buf),
            TUNNEL => return self.poll_read_tunnel(cx, buf),
            _ => {}
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        match polled {
            Poll::Pending => self.poll_patience(cx),
            Poll::Ready(Ok(())) => {
                if buf.filled().len() > before && self.phase.get() == WAITING {
                    self.phase.set(HEAD);
                }
                Poll::Ready(Ok(()))
            }
            failed => failed,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_unparsable() {
            return self.poll_write_instead(cx, buf);
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        let polled = self.stalled(polled, cx);
        self.written(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_unparsable() {
            let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
            return self.poll_write_instead(cx, first);
        }
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        let polled = self.stalled(polled, cx);
        self.written(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_pending() {
            // TLS has taken what the reader has not.
            return self.stalled(Poll::Pending, cx).map_ok(drop);
        }
        self.stall = None;
        if self.phase.get() == ENDED {
            self.phase.set(WAITING);
            self.read_for = None;
            self.clocks.waiting = self.clocks.idle;
            // The parser waits for bytes already and will not ask again: let the clock wake it.
            if self.poll_patience(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.again.is_empty() {
            // It is the HTTP/1.1 parser that is done.
            return Poll::Ready(Ok(()));
        }
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            if !self.phase.0.unread.load(Ordering::Acquire) {
                return Poll::Ready(Ok(()));
            }
        }
        let this = &mut *self;
        let linger = this.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut thrown_away = [0; 4096];
        while linger.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut thrown_away);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some((tunnel, _)) = self.phase.0.tunnel.get() {
            tunnel.gone();
        }
    }
}
