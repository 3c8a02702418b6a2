//! A connection over HTTP/1.1 to an instance. Whoever uses it drives it: no other task has to be woken for a call.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use partie_contract::{Body, BoxError, Request};

use crate::stream::Stream;

/// A connection to an instance, with one call under way or none.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    /// Reads and writes. Polled by whoever waits for something of the connection; nothing once it has ended.
    driver: Option<Driver>,
    bell: Arc<Bell>,
    /// The same, as the driver wants it: it is always the same one, whoever uses the connection.
    waker: Waker,
}

type Driver = http1::Connection<TokioIo<Stream>, Body>;

/// Rings when something happens to a connection.
struct Bell {
    state: AtomicU8,
    /// Who uses the connection.
    user: AtomicWaker,
    /// Told of what happens while nobody does.
    told: Box<dyn Fn() + Send + Sync>,
}

/// Somebody uses the connection.
const USED: u8 = 0;
/// Nobody uses it, and nothing has happened to it.
const AT_REST: u8 = 1;
/// Something came while nobody had asked for anything: most likely its end.
const DISTURBED: u8 = 2;
/// It is being given a request, by somebody who is about to look at what comes of it.
const GIVEN: u8 = 3;

// === impl Connection ===

impl Connection {
    /// Over that stream. `told` is called when something happens to it while nobody uses it.
    pub(super) async fn open(
        stream: Stream,
        told: impl Fn() + Send + Sync + 'static,
    ) -> Result<Box<Self>, BoxError> {
        // Most requests are small: copying a body behind its head costs less than a vectored write.
        let handshake = http1::Builder::new().writev(false).handshake(TokioIo::new(stream));
        let (sender, driver) = handshake.await?;
        let (state, user) = (AtomicU8::new(USED), AtomicWaker::new());
        let bell = Arc::new(Bell { state, user, told: Box::new(told) });
        let waker = Arc::clone(&bell).into();
        Ok(Box::new(Self { sender, driver: Some(driver), bell, waker }))
    }

    /// Sends a request, and awaits the head of the answer. One that asks for another protocol is the last one.
    pub(super) async fn send(
        &mut self,
        request: Request,
        upgrades: bool,
    ) -> Result<http::Response<Incoming>, TrySendError<Request>> {
        if upgrades {
            self.run_by_itself();
        }
        self.bell.state.store(GIVEN, Ordering::Release);
        let mut answer = pin!(self.sender.try_send_request(request));
        self.bell.state.store(USED, Ordering::Release);
        let Self { driver, bell, waker, .. } = self;
        poll_fn(|cx| {
            // What is waited for comes of it, in the same turn.
            drive(driver, bell, waker, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }

    /// The next frame of the answer's body.
    pub(super) fn poll_body(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // The first one has come along with the head.
        let come = Pin::new(&mut *body).poll_frame(cx);
        if come.is_ready() {
            return come;
        }
        drive(&mut self.driver, &self.bell, &self.waker, cx);
        Pin::new(body).poll_frame(cx)
    }

    /// After an answer that was read to its end. Says whether it can take another request.
    pub(super) fn rest(&mut self) -> bool {
        self.bell.state.store(AT_REST, Ordering::Release);
        if !self.sender.is_ready() {
            // What has read the end of the body may not have seen that it was the end.
            drive(&mut self.driver, &self.bell, &self.waker, &Context::from_waker(Waker::noop()));
        }
        self.driver.is_some() && self.sender.is_ready() && !self.is_disturbed()
    }

    /// Ends the rest. Says whether nothing has happened meanwhile.
    pub(super) fn rouse(&self) -> bool {
        self.bell.state.swap(USED, Ordering::AcqRel) == AT_REST
    }

    /// Whether something came while nobody used it.
    pub(super) fn is_disturbed(&self) -> bool {
        self.bell.state.load(Ordering::Acquire) == DISTURBED
    }

    /// What comes of it after the answer is not for whoever waits for that.
    fn run_by_itself(&mut self) {
        if let Some(driver) = self.driver.take() {
            tokio::spawn(async move {
                driver.with_upgrades().await.unwrap_or_else(|error| broke(&error));
            });
        }
    }
}

/// Reads and writes what can be, for that user.
fn drive(driver: &mut Option<Driver>, bell: &Bell, waker: &Waker, user: &Context<'_>) {
    let Some(driving) = driver else { return };
    bell.user.register(user.waker());
    if let Poll::Ready(ended) = Pin::new(driving).poll(&mut Context::from_waker(waker)) {
        ended.unwrap_or_else(|error| broke(&error));
        *driver = None;
    }
}

/// Whoever awaits an answer learns of it too.
fn broke(error: &hyper::Error) {
    tracing::debug!(%error, "a connection to a service broke");
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match self.state.compare_exchange(AT_REST, DISTURBED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => (self.told)(),
            Err(USED) => self.user.wake(),
            Err(_) => {}
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("ended", &self.driver.is_none()).finish_non_exhaustive()
    }
}
