//! A connection that speaks HTTP/2: requests side by side, and one end for all of them.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;
use partie_runtime::monotonic;
use tokio::time::Sleep;

use super::drain::Watch;
use super::limits::Limits;
use super::socket::Phase;
use crate::timer::Timer;

/// Frames are as small as the protocol allows, so that small answers are not held up by large ones.
const FRAME: u32 = 16 << 10;
/// How many bytes of one answer may wait to be sent.
const UNSENT: usize = 64 << 10;
/// So long resets are counted together.
const WINDOW: Duration = Duration::from_secs(1);
/// A request that is taken back within this was hardly meant.
const RAPID: Duration = Duration::from_millis(100);
/// How long a client may take to leave after it was told to.
const LEAVE: Duration = Duration::from_secs(2);

/// The requests of one connection. Cheap to clone.
#[derive(Clone)]
pub(super) struct Streams(Arc<Shared>);

struct Shared {
    open: AtomicUsize,
    phase: Phase,
    resets: Mutex<Resets>,
    /// How many requests a client may take back within a [`WINDOW`].
    most_resets: usize,
}

/// Requests that were taken back.
struct Resets {
    since: Instant,
    count: usize,
}

/// One request, until its answer is gone.
pub(super) struct Stream {
    streams: Streams,
    since: Instant,
    answered: bool,
}

/// The time a connection may go without a request.
struct Idle {
    limit: Duration,
    timer: Timer,
    /// Whether anything was going on since it was last set.
    worked: bool,
}

/// The tasks of streams run where their connection does, and end with it: each is told that its stream is reset.
#[derive(Clone)]
struct Spawn {
    /// How long a reader may take nothing of an answer.
    stall: Duration,
}

thread_local! {
    /// Whether the answer whose task is being polled handed out a piece, rather than having none; nothing if it was not
    /// asked. The parser owns both task and answer and lets nobody else in between.
    static HANDED: Cell<Option<bool>> = const { Cell::new(None) };
}

// === impl Streams ===

impl Streams {
    pub(super) fn new(phase: Phase, limits: &Limits) -> Self {
        let resets = Mutex::new(Resets { since: monotonic(), count: 0 });
        let most_resets = limits.resets;
        Self(Arc::new(Shared { open: AtomicUsize::new(0), phase, resets, most_resets }))
    }

    /// A request begins.
    pub(super) fn begin(&self) -> Stream {
        self.0.open.fetch_add(1, Ordering::AcqRel);
        Stream { streams: self.clone(), since: monotonic(), answered: false }
    }

    fn is_unused(&self) -> bool {
        self.0.open.load(Ordering::Acquire) == 0
    }

    /// Starting work and taking it back at once costs a client nothing and us everything, and goes round the bound on
    /// what is under way. Whoever waits a while first is bound by that, and may only have run out of time.
    fn reset(&self, begun: Instant) {
        let now = monotonic();
        if now.duration_since(begun) > RAPID {
            return;
        }
        let mut resets = self.0.resets.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(resets.since) > WINDOW {
            *resets = Resets { since: now, count: 0 };
        }
        resets.count += 1;
        if resets.count > self.0.most_resets {
            self.0.phase.overrun();
        }
    }
}

// === impl Stream ===

impl Stream {
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }

    /// The answer was asked for its next piece, and had one or not.
    pub(super) fn asked(handed: bool) {
        HANDED.set(Some(handed));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.0.open.fetch_sub(1, Ordering::AcqRel);
        if !self.answered {
            self.streams.reset(self.since);
        }
    }
}

// === the connection ===

/// Serves the connection until it ends, is told to by the drain, or is unused for too long.
pub(super) async fn run<I, S, B>(
    io: I,
    service: S,
    streams: Streams,
    limits: &Limits,
    mut watch: Watch,
    peer: SocketAddr,
) where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S: hyper::service::Service<
            http::Request<hyper::body::Incoming>,
            Response = http::Response<B>,
            Error = std::convert::Infallible,
            Future: Send + 'static,
        >,
    B: http_body::Body<Data: Send, Error: Into<partie_contract::BoxError>> + Send + 'static,
{
    let mut builder = http2::Builder::new(Spawn { stall: limits.write_stall });
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_frame_size(FRAME)
        .max_send_buf_size(UNSENT)
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        // Who does not answer is gone, whatever the kernel still believes.
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.ping);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut idle = Idle::new(limits.idle);
    let (mut told, mut leaving) = (false, false);
    let ended = poll_fn(|cx| {
        if watch.is_cut(cx) {
            return Poll::Ready(None);
        }
        if !told && watch.is_closing(cx) {
            (told, leaving) = (true, true);
            idle.begin(LEAVE);
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        if idle.poll_over(&streams, cx).is_pending() {
            return Poll::Pending;
        }
        if leaving {
            return Poll::Ready(None);
        }
        // Nobody asked for anything in a long time: the client is told, and has a moment to leave by itself.
        leaving = true;
        idle.begin(LEAVE);
        if !told {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    if let Some(Err(error)) = ended.await {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

// === impl Idle ===

impl Idle {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: Timer::after(limit), worked: false }
    }

    /// Waits that long, now and whenever there is nothing to do again.
    fn begin(&mut self, wait: Duration) {
        self.limit = wait;
        self.timer.set(wait);
    }

    /// Ready when nothing was going on for too long.
    fn poll_over(&mut self, streams: &Streams, cx: &mut Context<'_>) -> Poll<()> {
        if !streams.is_unused() {
            self.worked = true;
            return Poll::Pending;
        }
        if std::mem::take(&mut self.worked) {
            self.begin(self.limit);
        }
        self.timer.poll(cx)
    }
}

// === impl Spawn ===

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        let stall = self.stall;
        tokio::spawn(async move {
            let mut work = pin!(future);
            let mut patience: Option<Pin<Box<Sleep>>> = None;
            poll_fn(|cx| {
                HANDED.set(None);
                if work.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                match HANDED.take() {
                    // What was handed out waits for its reader from now on.
                    Some(true) => patience = Some(Box::pin(tokio::time::sleep(stall))),
                    Some(false) => patience = None,
                    None => {}
                }
                // Giving up resets the stream. Others on the connection are not concerned.
                patience.as_mut().map_or(Poll::Pending, |patience| patience.as_mut().poll(cx))
            })
            .await;
        });
    }
}
