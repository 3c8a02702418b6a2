//! Fakes to call, listeners to call them through, and clients that speak in bytes.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use partie_contract::{Body, BoxError, BoxFuture, Request, Response};
use partie_mesh::discovery::{Following, Instance};
use partie_mesh::{Handles, Limits, Listener, Peer, RunError, Serve, ServerTls};
use partie_runtime::Stop;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Longer than anything here takes. A test that waits this long has failed.
pub(crate) const FOREVER: Duration = Duration::from_secs(20);

/// A service made of a function.
pub(crate) fn fake<F, A>(answer: F) -> Arc<dyn Serve>
where
    F: Fn(Peer, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    Arc::new(Fake(answer))
}

struct Fake<F>(F);

impl<F, A> Serve for Fake<F>
where
    F: Fn(Peer, Request) -> A + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        Box::pin((self.0)(peer, request))
    }
}

/// Says what it got: method, address, body.
pub(crate) fn echo() -> Arc<dyn Serve> {
    fake(|_, request| async {
        let (head, body) = request.into_parts();
        match body.collect(1 << 20).await {
            Ok(body) => text(format!("{} {} {}", head.method, head.uri, String::from_utf8_lossy(&body))),
            Err(fault) => {
                let id = head.headers.get(partie_contract::wire::REQUEST_ID).and_then(|id| id.to_str().ok());
                fault.into_response(None, id)
            }
        }
    })
}

pub(crate) fn text(text: impl Into<String>) -> Response {
    Response::new(text.into().into_bytes().into())
}

/// A running listener, on the runtime of the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) handles: Handles,
    pub(crate) stop: Stop,
    run: JoinHandle<Result<(), RunError>>,
}

impl Server {
    pub(crate) fn start(limits: Limits, serve: Arc<dyn Serve>) -> Self {
        Self::start_with(limits, 0, serve)
    }

    pub(crate) fn start_with(limits: Limits, workers: usize, serve: Arc<dyn Serve>) -> Self {
        Self::start_as(limits, workers, serve, |listener| listener)
    }

    pub(crate) fn start_tls(limits: Limits, tls: ServerTls, serve: Arc<dyn Serve>) -> Self {
        Self::start_as(limits, 0, serve, |listener| listener.with_tls(tls))
    }

    fn start_as(
        limits: Limits,
        workers: usize,
        serve: Arc<dyn Serve>,
        with: impl FnOnce(Listener) -> Listener,
    ) -> Self {
        let handles = Handles::default();
        let listener =
            Listener::bind("127.0.0.1:0".parse().unwrap(), limits, workers, handles.clone()).unwrap();
        let listener = with(listener);
        let (address, stop) = (listener.local_addr(), Stop::default());
        let run = tokio::spawn(listener.run(serve, stop.clone()));
        Self { address, handles, stop, run }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends bytes on a connection of their own and reads until the other side closes.
    pub(crate) async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }

    /// Ends it in the middle of everything.
    pub(crate) fn kill(&self) {
        self.run.abort();
    }

    pub(crate) async fn stopped(self) {
        self.stop.stop();
        within(self.run).await.unwrap().unwrap();
    }
}

/// A connection, in bytes.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything until the other side closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        // A reset after the last answer is an end like any other.
        drop(within(self.0.read_to_end(&mut all)).await);
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Everything until that text has come.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut all = Vec::new();
        while !String::from_utf8_lossy(&all).ends_with(end) {
            let byte = within(self.0.read_u8()).await;
            all.push(byte.unwrap_or_else(|error| {
                panic!("{error} instead of {end:?} after {:?}", String::from_utf8_lossy(&all))
            }));
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Reads a request without a body. Says whether there was one.
    pub(crate) async fn next(&mut self) -> bool {
        let mut all = Vec::new();
        while !all.ends_with(b"\r\n\r\n") {
            match self.0.read_u8().await {
                Ok(byte) => all.push(byte),
                Err(_) => return false,
            }
        }
        true
    }

    /// Whether the other side closes without another word.
    pub(crate) async fn is_closed_silently(&mut self) -> bool {
        self.rest().await.is_empty()
    }
}

/// Fails instead of hanging.
pub(crate) async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(FOREVER, work).await.expect("it hangs")
}

/// Waits until the list is as wanted.
pub(crate) async fn is(following: &Following, wanted: &[Instance]) {
    let mut watch = following.watch();
    if tokio::time::timeout(FOREVER, watch.wait_for(|list| **list == *wanted)).await.is_err() {
        panic!("{following:?} instead of {wanted:?}");
    }
}

/// A body whose frames are sent by the test.
pub(crate) fn piecewise() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, receiver) = mpsc::channel(8);
    (sender, Body::stream(Pieces(receiver)))
}

struct Pieces(mpsc::Receiver<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Tells when it is dropped.
pub(crate) struct OnDrop(Option<tokio::sync::oneshot::Sender<()>>);

impl OnDrop {
    pub(crate) fn new() -> (Self, tokio::sync::oneshot::Receiver<()>) {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        (Self(Some(sender)), receiver)
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            sender.send(()).ok();
        }
    }
}
