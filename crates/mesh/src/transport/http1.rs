//! Over HTTP/1.1 to one instance of a service: one call at a time on a connection.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use partie_contract::{Body, BoxError, FaultKind, Platform, Request, Response};
use tokio::net::TcpStream;

use super::failed::Failed;
use super::pool::Pool;

/// One instance, with its unused connections.
pub(super) struct Http1 {
    address: SocketAddr,
    /// `Host`, parsed once.
    authority: Option<HeaderValue>,
    connect: Duration,
    pool: Arc<Pool>,
}

// === impl Http1 ===

impl Http1 {
    pub(super) fn new(address: SocketAddr, connect: Duration, idle: Duration) -> Self {
        let authority = HeaderValue::from_str(&address.to_string()).ok();
        Self { address, authority, connect, pool: Arc::new(Pool::new(idle)) }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends the request and awaits the head of the answer.
    pub(super) async fn send(&self, request: Request, fresh: bool) -> Result<Response, Failed> {
        let (mut head, body) = request.into_parts();
        self.address_to_us(&mut head);
        let mut request = Request::from_parts(head, body);
        let kept = if fresh { None } else { self.pool.take() };
        if let Some(connection) = kept {
            match self.send_on(connection, request, true).await {
                // It was closed before a byte was written. Those below it may be too: a fresh one then.
                Err(Failed::Unsent(unsent, _)) => request = *unsent,
                sent => return sent,
            }
        }
        // Boxed, for it is rare and large, and every call carries the room for it.
        match Box::pin(connect(self.address, self.connect, http1_handshake)).await {
            Ok(connection) => self.send_on(connection, request, false).await,
            Err(error) => Err(Failed::unreachable(request, error)),
        }
    }

    async fn send_on(
        &self,
        mut connection: SendRequest<Body>,
        request: Request,
        reused: bool,
    ) -> Result<Response, Failed> {
        match connection.try_send_request(request).await {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                let body = if body.is_end_stream() {
                    self.pool.put(connection);
                    Body::empty()
                } else {
                    Body::stream(Answer { body, back: Some((Arc::clone(&self.pool), connection)) })
                };
                Ok(Response::from_parts(head, body))
            }
            Err(mut error) => Err(match error.take_message() {
                Some(unsent) => Failed::unreachable(unsent, error.into_error()),
                None => Failed::of(error.into_error(), reused),
            }),
        }
    }

    /// Origin form, our own framing, our own `Host`.
    fn address_to_us(&self, head: &mut http::request::Parts) {
        let path = head.uri.path_and_query().cloned();
        head.uri = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        head.version = Version::HTTP_11;
        head.headers.remove(header::CONTENT_LENGTH);
        if let Some(authority) = &self.authority {
            head.headers.insert(header::HOST, authority.clone());
        }
    }
}

async fn http1_handshake(stream: TcpStream) -> Result<SendRequest<Body>, BoxError> {
    let (connection, driver) = http1::Builder::new().handshake(TokioIo::new(stream)).await?;
    // It ends with the last use of the connection; whoever awaits an answer learns of its errors.
    tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "a connection to a service broke");
        }
    });
    Ok(connection)
}

/// A connection, within the time it may take.
pub(super) async fn connect<C, F>(
    address: SocketAddr,
    within: Duration,
    handshake: impl FnOnce(TcpStream) -> F,
) -> Result<C, BoxError>
where
    F: Future<Output = Result<C, BoxError>>,
{
    let connecting = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        handshake(stream).await
    };
    tokio::time::timeout(within, connecting).await?
}

/// The body of an answer. Read to its end it gives its connection back; dropped before, the connection closes.
struct Answer {
    body: Incoming,
    back: Option<(Arc<Pool>, SendRequest<Body>)>,
}

impl Answer {
    fn give_back(&mut self) {
        if let Some((pool, connection)) = self.back.take() {
            pool.put(connection);
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match polled {
            Poll::Ready(Some(Err(error))) => {
                self.back = None;
                Poll::Ready(Some(Err(broken_off(error).into())))
            }
            Poll::Ready(Some(Ok(frame))) => {
                if self.body.is_end_stream() {
                    self.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.give_back();
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The fault of an answer that ended early.
pub(super) fn broken_off(error: hyper::Error) -> Platform {
    Platform::new(FaultKind::UpstreamFailed)
        .with_detail("a service that was called broke off in the middle of its answer")
        .caused_by(error)
        .from_upstream()
}
