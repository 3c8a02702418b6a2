//! Over HTTP/1.1 to one instance of a service.

use std::error::Error;
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

use super::pool::Pool;
use crate::stack::is_retry_safe;

/// Up to this size, in bytes, a request's body is kept until the answer comes, to be sent again if need be.
const REPLAYED: u64 = 64 << 10;

/// One instance, with its unused connections.
pub(crate) struct Http1 {
    address: SocketAddr,
    /// `Host`, parsed once.
    authority: Option<HeaderValue>,
    connect: Duration,
    pool: Pool,
}

// === impl Http1 ===

impl Http1 {
    pub(crate) fn new(address: SocketAddr, connect: Duration, idle: Duration) -> Self {
        let authority = HeaderValue::from_str(&address.to_string()).ok();
        Self { address, authority, connect, pool: Pool::new(idle) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends the request and awaits the head of the answer.
    pub(crate) async fn send(self: &Arc<Self>, request: Request) -> Result<Response, Platform> {
        let (mut head, body) = request.into_parts();
        self.address_to_us(&mut head);
        let request = Request::from_parts(head, body);
        match self.pool.take() {
            Some(connection) => self.send_reused(connection, request).await,
            None => self.send_on(self.connection().await?, request).await.map_err(broken),
        }
    }

    /// A connection that was kept may have been closed by the other side just now. What such a connection swallowed is
    /// sent again once: always if it was not even written, else only if twice is as good as once.
    async fn send_reused(
        self: &Arc<Self>,
        connection: SendRequest<Body>,
        request: Request,
    ) -> Result<Response, Platform> {
        let (request, again) = replayable(request).await?;
        match self.send_on(connection, request).await {
            Ok(answer) => Ok(answer),
            Err(Failed { unsent: Some(request), .. }) => {
                self.send_on(self.connection().await?, *request).await.map_err(broken)
            }
            Err(failed) => match again.filter(|_| failed.before_any_answer()) {
                Some(request) => self.send_on(self.connection().await?, request).await.map_err(broken),
                None => Err(broken(failed)),
            },
        }
    }

    async fn send_on(
        self: &Arc<Self>,
        mut connection: SendRequest<Body>,
        request: Request,
    ) -> Result<Response, Failed> {
        match connection.try_send_request(request).await {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                let body = if body.is_end_stream() {
                    self.pool.put(connection);
                    Body::empty()
                } else {
                    Body::stream(Answer { body, back: Some((Arc::clone(self), connection)) })
                };
                Ok(Response::from_parts(head, body))
            }
            Err(mut error) => {
                Err(Failed { unsent: error.take_message().map(Box::new), error: error.into_error() })
            }
        }
    }

    async fn connection(&self) -> Result<SendRequest<Body>, Platform> {
        let unreachable = |error: BoxError| {
            Platform::new(FaultKind::UpstreamUnavailable)
                .with_detail("a service that was called does not accept connections")
                .caused_by(error)
        };
        let stream = tokio::time::timeout(self.connect, TcpStream::connect(self.address)).await;
        let stream =
            stream.map_err(|late| unreachable(late.into()))?.map_err(|error| unreachable(error.into()))?;
        stream.set_nodelay(true).map_err(|error| unreachable(error.into()))?;
        let handshake = http1::Builder::new().handshake(TokioIo::new(stream)).await;
        let (connection, driver) = handshake.map_err(|error| unreachable(error.into()))?;
        // It ends with the last use of the connection; whoever awaits an answer learns of its errors.
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection to a service broke");
            }
        });
        Ok(connection)
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

/// The request, and a second one just like it if it may be sent twice.
async fn replayable(request: Request) -> Result<(Request, Option<Request>), Platform> {
    let small = request.body().size_hint().exact().is_some_and(|length| length <= REPLAYED);
    if !small || !is_retry_safe(&request) {
        return Ok((request, None));
    }
    let (head, body) = request.into_parts();
    let bytes = body.collect(REPLAYED as usize).await?;
    let mut again = Request::new(bytes.clone().into());
    again.method_mut().clone_from(&head.method);
    again.uri_mut().clone_from(&head.uri);
    again.headers_mut().clone_from(&head.headers);
    Ok((Request::from_parts(head, bytes.into()), Some(again)))
}

/// Why a connection gave no answer.
struct Failed {
    /// The request, if not a byte of it was written.
    unsent: Option<Box<Request>>,
    error: hyper::Error,
}

impl Failed {
    /// Whether the connection died without a byte of an answer.
    fn before_any_answer(&self) -> bool {
        let reset = self.error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
        self.error.is_incomplete_message()
            || self.error.is_canceled()
            || self.error.is_closed()
            || reset.is_some()
    }
}

/// What the caller learns. A fault of our own in the request's body, such as its being too large, is the answer.
fn broken(failed: Failed) -> Platform {
    let mut source: Option<&(dyn Error + 'static)> = failed.error.source();
    while let Some(error) = source {
        if let Some(fault) = error.downcast_ref::<Platform>() {
            let same = Platform::new(fault.kind());
            return match fault.detail() {
                Some(detail) => same.with_detail(detail.to_owned()),
                None => same,
            };
        }
        source = error.source();
    }
    Platform::new(FaultKind::UpstreamFailed)
        .with_detail("a service that was called broke off before its answer")
        .caused_by(failed.error)
}

/// The body of an answer. Read to its end it gives its connection back; dropped before, the connection closes.
struct Answer {
    body: Incoming,
    back: Option<(Arc<Http1>, SendRequest<Body>)>,
}

impl Answer {
    fn give_back(&mut self) {
        if let Some((instance, connection)) = self.back.take() {
            instance.pool.put(connection);
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
                let fault = Platform::new(FaultKind::UpstreamFailed)
                    .with_detail("a service that was called broke off in the middle of its answer")
                    .caused_by(error)
                    .from_upstream();
                Poll::Ready(Some(Err(fault.into())))
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
