//! Programs behind the edge that know nothing of Partie: small HTTP servers, and an edge with routes to them.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use http_body::Frame;
use partie_contract::{Body, BoxError, BoxFuture, Request, Response};
use partie_gateway::{Edge, Gateway, RouteConfig, To, UpstreamConfig};
use partie_mesh::{Handles, Limits, Listener, Mesh, MeshConfig, Peer, Serve};
use partie_runtime::Stop;

use crate::support::{Mirror, parts};

/// A server of its own on a free port, until the test ends.
pub(crate) struct Program(&'static str);

impl Program {
    /// Starts one that says its name in `x-program`. What is asked of it is in the path:
    /// `/text/N` is a text of N bytes, with the fields of the query; `/events` an event stream that never ends; `/hang`
    /// never answers; `/pieces/N` comes in N pieces, each 60 ms after the other, and then no more; `/openapi/menu.json` describes it; anything else tells what it got.
    pub(crate) fn start(name: &'static str) -> SocketAddr {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind(any, Limits::default(), 0, Handles::default()).unwrap();
        let address = listener.local_addr();
        tokio::spawn(listener.run(Arc::new(Self(name)), Stop::default()));
        address
    }
}

impl Serve for Program {
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        Box::pin(async move {
            let uri = request.uri().clone();
            let mut answer = if let Some(size) = uri.path().strip_prefix("/text/") {
                Response::new("partie ".repeat(size.parse::<usize>().unwrap() / 7 + 1).into_bytes().into())
            } else if uri.path() == "/events" {
                let mut answer = Response::new(Body::stream(Once(Some(Bytes::from_static(b"data: 1\n\n")))));
                answer.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
                answer
            } else if uri.path() == "/openapi/menu.json" {
                let described = serde_json::json!({
                    "openapi": "3.0.3",
                    "paths": { "/api/items": { "get": { "operationId": "items" } }, "/elsewhere": { "get": {} } },
                });
                Response::new(described.to_string().into_bytes().into())
            } else if let Some(pieces) = uri.path().strip_prefix("/pieces/") {
                Response::new(Body::stream(Slow { left: pieces.parse().unwrap(), wait: None }))
            } else if uri.path() == "/hang" {
                std::future::pending().await
            } else {
                Arc::new(Mirror).serve(peer, request).await
            };
            for pair in
                uri.query().unwrap_or_default().split('&').filter(|_| uri.path().starts_with("/text/"))
            {
                let Some((name, value)) = pair.split_once('=') else { continue };
                // An address has no double quotes.
                let (name, value) = (name.parse::<HeaderName>().unwrap(), value.replace('\'', "\""));
                let value = HeaderValue::try_from(value).unwrap();
                answer.headers_mut().insert(name, value);
            }
            answer.headers_mut().insert("x-program", HeaderValue::from_static(self.0));
            answer
        })
    }
}

/// Pieces, a while apart, and then nothing for ever.
struct Slow {
    left: u32,
    wait: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(left) = self.left.checked_sub(1) else { return Poll::Pending };
        let wait = self.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(60))));
        std::task::ready!(wait.as_mut().poll(cx));
        (self.left, self.wait) = (left, None);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"piece")))))
    }
}

/// One piece, and then nothing for ever.
struct Once(Option<Bytes>);

impl http_body::Body for Once {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.take().map_or(Poll::Pending, |piece| Poll::Ready(Some(Ok(Frame::data(piece)))))
    }
}

/// A route from there to that upstream.
pub(crate) fn route(prefix: &str, to: &str) -> RouteConfig {
    RouteConfig { prefix: prefix.into(), to: To([(to.to_owned(), 1)].into()), ..RouteConfig::default() }
}

pub(crate) fn at(address: SocketAddr) -> UpstreamConfig {
    UpstreamConfig { urls: vec![format!("http://{address}")], ..UpstreamConfig::default() }
}

/// Settings with those routes and one program called `shop`.
pub(crate) fn shop(routes: Vec<RouteConfig>) -> Gateway {
    let upstreams = [("shop".to_owned(), at(Program::start("shop")))].into();
    Gateway { routes, upstreams, ..Gateway::default() }
}

/// The edge of those settings, with nothing but them: no contracts.
pub(crate) fn edge_of(gateway: &Gateway) -> Arc<Edge> {
    let mut parts = parts(Mesh::new(MeshConfig::default(), Handles::default()));
    (parts.contracts, parts.grpc) = (Vec::new(), Vec::new());
    Arc::new(gateway.build(parts).unwrap())
}
