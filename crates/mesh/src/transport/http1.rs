//! Over HTTP/1.1 to one instance of a service: one call at a time on a connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderValue, StatusCode, Uri, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use partie_contract::{Body, BoxError, FaultKind, Platform, Request, Response};

use super::connection::Connection;
use super::dial::Dial;
use super::failed::Failed;
use super::pool::Pool;
use crate::stack::{KeepHost, SMALL};
use crate::tls::Speak;
use crate::upgrade;

/// One instance, with its unused connections.
pub(super) struct Http1 {
    dial: Dial,
    /// `Host`, parsed once.
    authority: Option<HeaderValue>,
    pool: Arc<Pool>,
}

// === impl Http1 ===

impl Http1 {
    pub(super) fn new(dial: Dial, idle: Duration) -> Self {
        let authority = HeaderValue::from_str(&dial.authority()).ok();
        Self { dial, authority, pool: Arc::new(Pool::new(idle)) }
    }

    pub(super) fn dial(&self) -> &Dial {
        &self.dial
    }

    /// Takes the request from its place, sends it, and awaits the head of the answer.
    pub(super) async fn send(&self, request: &mut Option<Request>, fresh: bool) -> Result<Response, Failed> {
        if let Some(request) = request {
            self.address_to_us(request);
        }
        let kept = if fresh { None } else { self.pool.take() };
        if let Some(connection) = kept {
            match self.send_on(connection, request, true).await {
                // It was closed before a byte was written. Those below it may be too: a fresh one then.
                Err(Failed::Unsent(_)) => {}
                sent => return sent,
            }
        }
        // Boxed, for it is rare and large, and every call carries the room for it.
        let open = |stream| Connection::open(stream, self.pool.watch());
        match Box::pin(self.dial.connect(Speak::Http1, open)).await {
            Ok(connection) => self.send_on(connection, request, false).await,
            Err(error) => Err(Failed::unreachable(error)),
        }
    }

    async fn send_on(
        &self,
        mut connection: Box<Connection>,
        request: &mut Option<Request>,
        reused: bool,
    ) -> Result<Response, Failed> {
        let request_taken = request.take().unwrap_or_default();
        let upgrades = upgrade::is_asked(&request_taken);
        match connection.send(request_taken, upgrades).await {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                let body = if head.status == StatusCode::SWITCHING_PROTOCOLS {
                    // The connection is no longer one for requests, whatever it was asked for.
                    upgrade::check(head.status, &head.headers, upgrades).map_err(Failed::Broken)?;
                    Body::empty()
                } else if body.is_end_stream() {
                    self.pool.put(connection);
                    Body::empty()
                } else if body.size_hint().exact().is_some_and(|length| length <= SMALL) {
                    // A short body of known length comes with its head: what breaks off in it is no answer yet.
                    let whole =
                        collect(&mut connection, body).await.map_err(|error| Failed::of(error, false))?;
                    self.pool.put(connection);
                    whole.into()
                } else {
                    Body::stream(Answer { body, back: Some((Arc::clone(&self.pool), connection)) })
                };
                Ok(Response::from_parts(head, body))
            }
            Err(mut error) => Err(match error.take_message() {
                Some(unsent) => {
                    *request = Some(unsent);
                    Failed::unreachable(error.into_error())
                }
                None => Failed::of(error.into_error(), reused),
            }),
        }
    }

    /// Origin form, our own framing, our own `Host`.
    fn address_to_us(&self, request: &mut Request) {
        if request.uri().authority().is_some() || request.uri().path_and_query().is_none() {
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        }
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().remove(header::CONTENT_LENGTH);
        if let Some(authority) = self.authority.as_ref().filter(|_| !keeps_host(request)) {
            request.headers_mut().insert(header::HOST, authority.clone());
        }
    }
}

/// Whether the service is to see the `Host` the client asked for.
fn keeps_host(request: &Request) -> bool {
    request.extensions().get::<KeepHost>().is_some() && request.headers().contains_key(header::HOST)
}

/// All of a body of known length. It has no trailers, which only chunks have.
async fn collect(connection: &mut Connection, mut body: Incoming) -> Result<Bytes, hyper::Error> {
    let (mut first, mut more) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = poll_fn(|cx| connection.poll_body(&mut body, cx)).await {
        let Ok(data) = frame?.into_data() else { continue };
        // Most come in one piece, which is not worth a copy.
        if first.is_empty() && more.is_empty() {
            first = data;
        } else {
            more.extend_from_slice(&std::mem::take(&mut first));
            more.extend_from_slice(&data);
        }
    }
    Ok(if more.is_empty() { first } else { more.freeze() })
}

/// The body of an answer. Read to its end it gives its connection back; dropped before, the connection closes.
struct Answer {
    body: Incoming,
    back: Option<(Arc<Pool>, Box<Connection>)>,
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
        let this = &mut *self;
        let polled = match &mut this.back {
            Some((_, connection)) => connection.poll_body(&mut this.body, cx),
            // It was read to its end.
            None => Poll::Ready(None),
        };
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
