//! One connection: its requests one after the other, and its end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use partie_contract::{FaultKind, Platform, grpc, wire};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::answer::Outgoing;
use super::drain::{Drain, Watch};
use super::exchange::Exchange;
use super::limits::Limits;
use super::pressure::Pressure;
use super::request::{self, raw_answer};
use super::seats::Seat;
use super::socket::{Phase, Socket};
use super::streams::{self, Streams};
use crate::dispatch::{About, dispatch};
use crate::handles::Handles;
use crate::in_flight::InFlight;
use crate::limited::Limit;
use crate::request_id::request_id;
use crate::serve::{Peer, Serve};
use crate::stack::is_event_stream;
use crate::stream::Stream;
use crate::tls::ServerTls;
use crate::upgrade::{self, Turned};

/// The first byte of a handshake (RFC 8446 section 5.1). No request begins with it.
const HANDSHAKE: u8 = 0x16;
/// So many header fields the parser takes that was told nothing else.
const PARSED_HEADERS: usize = 100;
/// In a drain: how long a connection that is new may take to say something.
const GRACE: Duration = Duration::from_millis(500);

pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    /// Who that is, as far as it is proven.
    pub(super) from: Peer,
    /// Given back when the connection is dropped.
    pub(super) _seat: Seat,
    pub(super) serve: Arc<dyn Serve>,
    pub(super) limits: Arc<Limits>,
    pub(super) pressure: Arc<Pressure>,
    pub(super) drain: Drain,
    pub(super) handles: Handles,
    pub(super) tls: Option<ServerTls>,
}

// === impl Connection ===

impl Connection {
    pub(super) async fn run(mut self, stream: TcpStream) {
        let peer = self.peer;
        let stream = match self.tls.take() {
            None => Stream::Plain(stream),
            // Boxed: it is large, and soon over.
            Some(tls) => match Box::pin(self.shake_hands(&tls, stream)).await {
                Ok((stream, service)) => {
                    if let Some(name) = service {
                        self.from = Peer::Service { name, address: peer };
                    }
                    stream
                }
                Err(error) => return tracing::debug!(%peer, %error, "a handshake failed"),
            },
        };
        let phase = Phase::default();
        let socket = Socket::new(stream, phase.clone(), &self.limits, self.handles.ids.clone());
        let mut watch = self.drain.watch();
        let mut builder = http1::Builder::new();
        // The parser's own limit is the same, and cheaper: a room of fixed size.
        if self.limits.headers != PARSED_HEADERS {
            builder.max_headers(self.limits.headers);
        }
        builder
            .max_header_size(self.limits.head)
            .max_buf_size(self.limits.head.max(8 << 10))
            // Most answers are small: copying one behind its head costs less than a vectored write.
            .writev(false)
            // The socket has its own clocks: hyper's would also run while a connection waits for its next request.
            .header_read_timeout(None);
        let this = Arc::new(self);
        let service = service_fn(|request| {
            phase.request_began();
            let (this, exchange) = (Arc::clone(&this), Exchange::Http1(phase.clone()));
            async move { Ok::<_, Infallible>(this.answer(request, exchange).await) }
        });
        let mut connection = builder.serve_connection(TokioIo::new(socket), service).with_upgrades();
        let (mut told, mut patience) = (false, None::<Pin<Box<Sleep>>>);
        let ended = poll_fn(|cx| {
            if watch.is_cut(cx) {
                return Poll::Ready(None);
            }
            if !told && watch.is_closing(cx) {
                // Who has only just come is about to say something, and has nobody else to say it to.
                let grace = || Box::pin(tokio::time::sleep(GRACE));
                if !phase.is_fresh() || patience.get_or_insert_with(grace).as_mut().poll(cx).is_ready() {
                    told = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
            Pin::new(&mut connection).poll(cx).map(Some)
        });
        let ended = ended.await;
        let left = connection.into_parts().map(|left| left.io);
        if let (true, true, Some(io)) = (phase.is_streams(), ended.is_some(), left) {
            // Boxed, so that the others need no room for it.
            return Box::pin(this.run_streams(io, phase, watch)).await;
        }
        match (ended, phase.turned()) {
            (Some(Err(error)), _) => tracing::debug!(%peer, %error, "a connection ended early"),
            (Some(Ok(())), Some(turn)) => Box::pin(this.run_turned(turn, &phase)).await,
            _ => {}
        }
    }

    async fn shake_hands(
        &self,
        tls: &ServerTls,
        stream: TcpStream,
    ) -> std::io::Result<(Stream, Option<Arc<str>>)> {
        let shake = async {
            let mut first = [0];
            if stream.peek(&mut first).await? == 1 && first != [HANDSHAKE] {
                if tls.serves_strangers() {
                    return Ok((Stream::Plain(stream), None));
                }
                let fault = Platform::new(FaultKind::MalformedRequest).with_detail("this port speaks TLS");
                let told = stream.try_write(&raw_answer(fault, &self.handles.ids));
                return Err(std::io::Error::other(format!(
                    "it does not speak TLS, and was told so: {told:?}"
                )));
            }
            tls.accept(stream).await
        };
        let (closing, cut) = (self.drain.closing(), self.drain.cut());
        tokio::select! {
            shaken = tokio::time::timeout(self.limits.handshake, shake) => shaken?,
            () = cut => Err(std::io::ErrorKind::ConnectionAborted.into()),
            () = async {
                closing.await;
                tokio::time::sleep(GRACE).await;
            } => Err(std::io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// The parser has given up its connection: to a tunnel, or because a request asked for something else and got none.
    async fn run_turned(self: Arc<Self>, turn: OnUpgrade, phase: &Phase) {
        let peer = self.peer;
        let ended = match phase.tunnel() {
            Some((tunnel, to)) => tunnel.run(turn, to, &self.limits, &self.drain).await,
            None => match turn.await {
                Ok(turned) => {
                    let mut io = TokioIo::new(turned);
                    tokio::select! {
                        ended = io.shutdown() => ended,
                        () = self.drain.cut() => Ok(()),
                    }
                }
                Err(error) => Err(std::io::Error::other(error)),
            },
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }

    /// The client began with the preface of HTTP/2.
    async fn run_streams(self: Arc<Self>, io: TokioIo<Socket>, phase: Phase, watch: Watch) {
        let (streams, this) = (Streams::new(phase, &self.limits), Arc::clone(&self));
        let begin = streams.clone();
        let service = service_fn(move |request| {
            let (this, exchange) = (Arc::clone(&this), Exchange::Http2(begin.begin()));
            async move { Ok::<_, Infallible>(this.answer(request, exchange).await) }
        });
        streams::run(io, service, streams, &self.limits, watch, self.peer).await;
    }

    async fn answer(
        self: Arc<Self>,
        request: http::Request<Incoming>,
        exchange: Exchange,
    ) -> http::Response<Outgoing> {
        let id = request_id(request.headers(), &self.handles.ids);
        let is_grpc = grpc::is_call(request.headers());
        let about = About { uri: request.uri().clone(), request_id: Some(id.clone()), is_grpc };
        let admitted = request::admit(request, &self.limits, exchange.phase());
        let admitted = admitted.and_then(|request| Ok((self.pressure.admit(&request)?, request)));
        let (mut answer, in_flight) = match admitted {
            Err(fault) => (about.problem(fault), None),
            Ok((place, mut request)) => {
                request.headers_mut().insert(wire::REQUEST_ID, id);
                let in_flight = InFlight::of(&mut request, &self.handles.activity);
                let (serve, peer) = (Arc::clone(&self.serve), self.from.clone());
                let upgrades = upgrade::is_asked(request.extensions());
                let limit = Limit::After(self.limits.answer);
                let answer = dispatch(serve, peer, request, limit, &self.handles, &about).await;
                let mut answer = answer.unwrap_or_else(|fault| about.problem(fault));
                if let Err(fault) = upgrade::strip_answer(&mut answer, upgrades) {
                    answer = about.problem(fault);
                }
                place.answered(&answer);
                (answer, Some(in_flight))
            }
        };
        let events = is_event_stream(&answer).then(|| (self.limits.heartbeat, self.drain.clone()));
        let switches = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        if switches {
            exchange.becomes_tunnel(answer.extensions_mut().remove::<Turned>());
        }
        let headers = answer.headers_mut();
        // What was refused unread may be followed by anything. HTTP/2 says goodbye by itself.
        if !exchange.is_http2() && !switches && (self.drain.is_lame() || in_flight.is_none()) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(id) = about.request_id {
            headers.entry(wire::REQUEST_ID).or_insert(id);
        }
        answer.map(|body| Outgoing::new(body, exchange, in_flight, events))
    }
}
