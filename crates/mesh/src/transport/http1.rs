//! Over HTTP/1.1 to one instance of a service: one call at a time on a connection.

mod bell;
mod chunks;
mod connection;
mod head;
mod outbox;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use http_body::{Frame, SizeHint};
use partie_contract::{Body, BoxError, Response};

pub(super) use self::connection::{Broke, Connection};
use self::head::{Framing, Head};
use super::dial::Dial;
use super::failed::{Failed, broken_off};
use super::pool::Pool;
use super::sending::Sending;
use crate::stack::SMALL;
use crate::tls::Speak;
use crate::upgrade::{self, Turned};

/// One instance, with its unused connections.
pub(super) struct Http1 {
    dial: Dial,
    /// `Host`, parsed once.
    host: Option<HeaderValue>,
    pool: Arc<Pool>,
}

// === impl Http1 ===

impl Http1 {
    pub(super) fn new(dial: Dial, idle: Duration) -> Self {
        let host = HeaderValue::from_str(&dial.authority()).ok();
        Self { dial, host, pool: Arc::new(Pool::new(idle)) }
    }

    pub(super) fn dial(&self) -> &Dial {
        &self.dial
    }

    /// Sends the request, takes its body when it leaves, and awaits the head of the answer.
    pub(super) async fn send(
        &self,
        sending: &Sending<'_>,
        body: &mut Body,
        fresh: bool,
    ) -> Result<Response, Failed> {
        let kept = if fresh { None } else { self.pool.take(sending.at) };
        if let Some(connection) = kept {
            match self.send_on(connection, sending, body, true).await {
                // It was closed before a byte was written. Those below it may be too: a fresh one then.
                Err(Failed::Unsent(_)) => {}
                sent => return sent,
            }
        }
        // Boxed, for it is rare and large, and every call carries the room for it.
        let open = async |stream| Ok(Connection::new(stream, self.pool.watch()));
        match Box::pin(self.dial.connect(Speak::Http1, open)).await {
            Ok(connection) => self.send_on(connection, sending, body, false).await,
            Err(error) => Err(Failed::unreachable(error)),
        }
    }

    async fn send_on(
        &self,
        mut connection: Box<Connection>,
        sending: &Sending<'_>,
        body: &mut Body,
        reused: bool,
    ) -> Result<Response, Failed> {
        let sent = connection.send(sending, self.host.as_ref(), body).await;
        let Head { status, headers, body, .. } = sent.map_err(|broke| Failed::of(broke, reused))?;
        let mut answer = Response::default();
        (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
        match body {
            _ if status == StatusCode::SWITCHING_PROTOCOLS => {
                // The connection is no longer one for requests, whatever it was asked for.
                let asked = upgrade::is_asked(&sending.head.extensions);
                upgrade::check(status, answer.headers(), asked).map_err(Failed::Broken)?;
                let (stream, come) = connection.into_parts();
                answer.extensions_mut().insert(Turned::new(stream, come));
            }
            Framing::Length(0) => self.pool.put(connection),
            Framing::Length(length) if length <= SMALL => {
                // A short body of known length comes with its head: what breaks off in it is no answer yet.
                let whole = connection.whole(length).await;
                let whole = whole.map_err(|broke| Failed::of(broke, reused))?;
                self.pool.put(connection);
                *answer.body_mut() = whole.into();
            }
            _ => *answer.body_mut() = Body::stream(Answer(Some((Arc::clone(&self.pool), connection)))),
        }
        Ok(answer)
    }
}

/// The body of an answer. Read to its end it gives its connection back; dropped before, the connection closes.
struct Answer(Option<(Arc<Pool>, Box<Connection>)>);

impl Answer {
    fn give_back(&mut self) {
        if let Some((pool, connection)) = self.0.take() {
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
        // Without a connection it was read to its end.
        let Some((_, connection)) = &mut self.0 else { return Poll::Ready(None) };
        match connection.poll_body(cx) {
            Poll::Ready(Some(Err(error))) => {
                self.0 = None;
                Poll::Ready(Some(Err(broken_off(error).into())))
            }
            Poll::Ready(come) => {
                if connection.is_answered() {
                    self.give_back();
                }
                Poll::Ready(come)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|(_, connection)| connection.is_answered())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |(_, connection)| connection.size_hint())
    }
}
