//! Typed clients bound to a caller, through the door and over a real socket.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use http_body::Frame;
use partie_contract::{
    Body, BoxError, BoxFuture, Call, Channel, FaultKind, Operation, Platform, Request, Response, Transport,
};
use tokio::sync::mpsc;

use crate::plain::{Http, Open};

/// The largest body a typed client sends.
const LARGEST: usize = 16 << 20;
/// Pieces of a stream that may wait for their reader.
const PIECES: usize = 16;

/// Calls over HTTP as somebody.
pub(crate) struct Bound {
    http: Http,
    token: String,
}

// === impl Bound ===

impl Bound {
    pub(crate) fn channel(address: SocketAddr, token: String) -> Channel {
        Channel::new(Self { http: Http::new(address), token })
    }
}

impl Transport for Bound {
    fn send(
        &self,
        _call: Call,
        operation: &'static Operation,
        request: Request,
    ) -> BoxFuture<'static, Result<Response, Platform>> {
        let (http, bearer) = (self.http.clone(), format!("Bearer {}", self.token));
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let own = HeaderValue::from_str(&bearer).map_err(Platform::internal)?;
            head.headers.entry(header::AUTHORIZATION).or_insert(own);
            let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
            let mut sent = http.request(&head.method, target);
            for (name, value) in &head.headers {
                sent = sent.header(name.as_str(), value.to_str().map_err(Platform::internal)?);
            }
            let body = body.collect(LARGEST).await?;
            if !body.is_empty() || head.method == Method::POST {
                sent = sent.body(body);
            }
            let open = sent.open().await.map_err(unreachable)?;
            if operation.is_stream() && open.status == 200 { Ok(stream(open)) } else { whole(open).await }
        })
    }
}

async fn whole(open: Open) -> Result<Response, Platform> {
    let answer = open.collect().await.map_err(unreachable)?;
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = http::StatusCode::from_u16(answer.status).map_err(Platform::internal)?;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

/// Hands pieces on as they come; the connection ends when their reader goes.
fn stream(mut open: Open) -> Response {
    let (sender, pieces) = mpsc::channel(PIECES);
    let headers = std::mem::take(&mut open.headers);
    tokio::spawn(async move {
        loop {
            let piece = tokio::select! {
                piece = open.chunk() => piece,
                () = sender.closed() => return,
            };
            let (piece, last) = match piece {
                Ok(Some(piece)) => (Ok(piece), false),
                Ok(None) => return,
                Err(error) => (Err(BoxError::from(error)), true),
            };
            if sender.send(piece).await.is_err() || last {
                return;
            }
        }
    });
    let mut response = Response::new(Body::stream(Pieces(pieces)));
    *response.headers_mut() = headers;
    response
}

fn unreachable(error: std::io::Error) -> Platform {
    Platform::new(FaultKind::UpstreamUnavailable).caused_by(error)
}

/// A body from a queue.
struct Pieces(mpsc::Receiver<Result<Bytes, BoxError>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
