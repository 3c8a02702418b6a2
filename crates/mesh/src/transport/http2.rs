//! Over HTTP/2 to one instance of a service: many calls at a time on a few connections, of each thread its own.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Uri, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use partie_contract::{Body, BoxError, Request, Response};

use super::dial::Dial;
use super::failed::{Failed, broken_off};
use super::pool::{STACKS, thread_number};
use super::sending::Sending;
use crate::stream::Stream as Bytestream;
use crate::tls::Speak;

/// How many calls share a connection; then another one is opened. Its one lock is what limits a connection
/// (`h2`, and ztunnel's experience with it).
const STREAMS: usize = 100;
/// How many connections of a thread to one instance. Then they share more.
const CONNECTIONS: usize = 4;
/// How much an instance may send of one answer, and of all on a connection, before it is read.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// A connection on which nothing moves is asked whether it is alive, and given up when it is not.
const PING: Duration = Duration::from_secs(20);

/// One instance, with its connections.
pub(super) struct Http2 {
    dial: Dial,
    authority: Option<Authority>,
    /// A connection's driver runs on the thread that opened it. Calls of that thread then need no other one to be woken
    /// for them, and what several have to send leaves in one write. Most instances are never called like this.
    lanes: OnceLock<Box<[Lane; STACKS]>>,
}

/// The connections of one thread.
#[derive(Default)]
struct Lane {
    connections: Mutex<Vec<Arc<Shared>>>,
    /// Whoever opens a connection does it for all who wait.
    opening: tokio::sync::Mutex<()>,
}

/// A connection with its calls.
struct Shared {
    sender: SendRequest<Body>,
    streams: AtomicUsize,
}

/// A place on a connection, until it is dropped.
struct Stream(Arc<Shared>);

// === impl Http2 ===

impl Http2 {
    pub(super) fn new(dial: Dial) -> Self {
        let authority = dial.authority().parse().ok();
        Self { dial, authority, lanes: OnceLock::new() }
    }

    /// Sends the request, takes its body when it leaves, and awaits the head of the answer.
    pub(super) async fn send(&self, sending: &Sending<'_>, body: &mut Body) -> Result<Response, Failed> {
        let lane = self.lane();
        // A connection may end between the look at it and its use; a second one has just been opened.
        for _ in 0..2 {
            let stream = match self.stream(lane).await {
                Ok(stream) => stream,
                Err(error) => return Err(Failed::unreachable(error)),
            };
            let request = self.request(sending, std::mem::take(body));
            match stream.0.sender.clone().try_send_request(request).await {
                Ok(answer) => {
                    let (head, body) = answer.into_parts();
                    let body = Body::stream(Answer { body, _stream: stream });
                    return Ok(Response::from_parts(head, body));
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) => {
                        lane.forget(&stream.0);
                        *body = unsent.into_body();
                    }
                    // hyper does not give back what it sent, not even a stream that was refused unseen (RFC 9113 section
                    // 8.7): only what may be made twice is sent again.
                    None => return Err(Failed::of_stream(error.into_error())),
                },
            }
        }
        Err(Failed::unreachable("its connections end as soon as they begin"))
    }

    /// A place on a connection: one that is there, or a new one.
    async fn stream(&self, lane: &Lane) -> Result<Stream, BoxError> {
        if let Some(stream) = lane.free() {
            return Ok(stream);
        }
        let _opening = lane.opening.lock().await;
        if let Some(stream) = lane.free() {
            return Ok(stream);
        }
        let sender = self.dial.connect(Speak::Http2, handshake).await?;
        let shared = Arc::new(Shared { sender, streams: AtomicUsize::new(1) });
        lane.connections().push(Arc::clone(&shared));
        Ok(Stream(shared))
    }

    fn lane(&self) -> &Lane {
        &self.lanes.get_or_init(Box::default)[thread_number() % STACKS]
    }

    /// The request in absolute form, from which hyper makes the pseudo header fields.
    fn request(&self, sending: &Sending<'_>, body: Body) -> Request {
        let path = sending.head.uri.path_and_query().cloned();
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(self.dial.scheme());
        uri.authority.clone_from(&self.authority);
        uri.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        let mut request = Request::new(body);
        *request.method_mut() = sending.head.method.clone();
        *request.uri_mut() = Uri::from_parts(uri).unwrap_or_default();
        *request.version_mut() = Version::HTTP_2;
        let headers = request.headers_mut();
        headers.reserve(sending.head.headers.len() + 3);
        for (name, value) in sending.fields(true) {
            headers.append(name.clone(), value.clone());
        }
        sending.each_own(true, |name, value| {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.insert(name, value);
            }
        });
        request
    }
}

// === impl Lane ===

impl Lane {
    /// The connection with the fewest calls, if it has room for another or no more connections may be opened.
    fn free(&self) -> Option<Stream> {
        let mut connections = self.connections();
        connections.retain(|shared| !shared.sender.is_closed());
        let full = connections.len() >= CONNECTIONS;
        let least = connections.iter().min_by_key(|shared| shared.streams.load(Ordering::Relaxed))?;
        if least.streams.load(Ordering::Relaxed) >= STREAMS && !full {
            return None;
        }
        least.streams.fetch_add(1, Ordering::Relaxed);
        Some(Stream(Arc::clone(least)))
    }

    fn forget(&self, gone: &Arc<Shared>) {
        self.connections().retain(|shared| !Arc::ptr_eq(shared, gone));
    }

    fn connections(&self) -> MutexGuard<'_, Vec<Arc<Shared>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn handshake(stream: Bytestream) -> Result<SendRequest<Body>, BoxError> {
    let (sender, driver) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "a connection to a service broke");
        }
    });
    Ok(sender)
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer, with its place on the connection.
struct Answer {
    body: Incoming,
    _stream: Stream,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx).map_err(|error| broken_off(error).into())
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use hyper::server::conn::http2::Builder;
    use hyper::service::service_fn;
    use partie_runtime::monotonic;
    use tokio::net::TcpListener;
    use tokio::sync::Barrier;

    use super::*;

    /// Calls this often from a thread of its own; all threads live until all have called.
    async fn call(instance: Arc<Http2>, together: Arc<Barrier>, times: usize) {
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (head, ()) = http::Request::default().into_parts();
                for _ in 0..times {
                    let sending = Sending { head: &head, at: monotonic(), attempt: 1, left: 1_000, to: None };
                    assert!(instance.send(&sending, &mut Body::empty()).await.is_ok());
                }
                together.wait().await;
            });
        });
        tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn a_thread_calls_on_connections_of_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let empty = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
                tokio::spawn(
                    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), empty),
                );
            }
        });
        let instance = Arc::new(Http2::new(Dial::new(address, Duration::from_secs(5), None)));
        let together = Arc::new(Barrier::new(3));
        let calls = (0..3).map(|_| call(Arc::clone(&instance), Arc::clone(&together), 5));
        let all = futures_util::future::join_all(calls);
        tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
        assert_eq!(accepted.load(Ordering::Relaxed), 3);
    }
}
