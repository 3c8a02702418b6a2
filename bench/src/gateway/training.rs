//! The load by which a build of ours is laid out: a little of everything an edge is asked.
//!
//! A compiler with a profile takes what it has not seen for rare, and builds that for size. So nothing should be missing that
//! an edge spends its time on: tokens and keys, refusals, uploads, compression, event streams, gRPC, HTTP/2, TLS on both sides.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::{env, fs};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{configs, tokens};
use crate::mesh::upstream::ANSWER;
use crate::{Child, End, Error};

/// Connections of HTTP/1.1, each with one request under way.
const CONNECTIONS: usize = 32;
/// Connections of HTTP/2, and the requests under way on each.
const MULTIPLEXED: (usize, usize) = (2, 16);
/// How often each of those goes through all kinds of requests.
const TURNS: usize = 120;
/// The API key, whose SHA-256 the configuration has.
const KEY: &str = "pk_0123456789abcdefghijkl";
/// A host in the gateway's own certificate.
const HOST: &str = "localhost";

/// One kind of request, and how often it comes before the next one does.
struct Kind {
    method: Method,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    has_token: bool,
    body: Bytes,
    answer: StatusCode,
    times: usize,
}

/// A connection to the gateway.
enum Wire {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Runs this program as a gateway, and another as the upstream it reaches by TLS, asks for everything some thousand times,
/// and lets them end as they would. What they have noted of it is theirs to write then.
///
/// # Errors
/// When one does not start, or answers otherwise than it should.
pub fn train(program: &Path) -> Result<(), Error> {
    let dir = env::temp_dir().join(format!("partie-training-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let trained = train_in(&dir, program);
    // What cannot be removed is in the system's own place for such files.
    fs::remove_dir_all(&dir).ok();
    trained
}

fn train_in(dir: &Path, program: &Path) -> Result<(), Error> {
    let write = |name: &str, text: String| -> Result<PathBuf, Error> {
        let path = dir.join(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    let start = |name: &str, config: String| {
        let mut command = Command::new(program);
        command.args(["gateway", "--config"]).arg(write(&format!("{name}.toml"), config)?);
        command.stderr(fs::File::create(dir.join(name))?);
        Child::run(command, End::Drain)
    };
    let (token, jwks) = tokens::es256()?;
    let own = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    let certificate = write("certificate.pem", own.cert.pem())?;
    let key = write("key.pem", own.signing_key.serialize_pem())?;
    let jwks = write("jwks.json", jwks)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let upstream = upstream().await?;
        let secure = start("secure", configs::behind_tls(upstream, &certificate, &key))?;
        let far = format!("https://{HOST}:{}", secure.address().port());
        let front = start("front", configs::trained(upstream, &far, &certificate, &jwks, &sha256(KEY)))?;
        drive(front.address(), &token).await
    })
}

fn kinds() -> Vec<Kind> {
    let get = |path, headers, has_token, times| {
        let (method, body, answer) = (Method::GET, Bytes::new(), StatusCode::OK);
        Kind { method, path, headers, has_token, body, answer, times }
    };
    let post = |path, headers, has_token, body: &[u8]| {
        let (method, body, answer) = (Method::POST, Bytes::copy_from_slice(body), StatusCode::OK);
        Kind { method, path, headers, has_token, body, answer, times: 1 }
    };
    let json = &[("content-type", "application/json")];
    vec![
        get("/api/products/0193", &[], true, 8),
        get("/api/products/0193?fields=name", &[("x-api-key", KEY), ("accept", "*/*")], false, 1),
        post("/api/orders", json, true, ANSWER.as_bytes()),
        post("/api/orders", json, true, &[b' '; 40_000]),
        get("/open/products/0193", &[("cookie", "session=1"), ("origin", "https://shop.example")], false, 2),
        get("/open/page", &[("accept-encoding", "gzip, br")], false, 1),
        get("/open/page", &[], false, 1),
        get("/open/events", &[("accept", "text/event-stream")], false, 1),
        get("/far/products/0193", &[], false, 2),
        post("/far/orders", json, false, &[b' '; 40_000]),
        post(
            "/far/grpc",
            &[("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "5S")],
            false,
            b"\0\0\0\0\x03abc",
        ),
        Kind { answer: StatusCode::UNAUTHORIZED, ..get("/api/products/0193", &[], false, 1) },
        Kind { answer: StatusCode::NOT_FOUND, ..get("/nowhere", &[], false, 1) },
    ]
}

/// Asks everything on every wire. gRPC is for HTTP/2 alone.
async fn drive(to: SocketAddr, token: &str) -> Result<(), Error> {
    let (kinds, token) = (Arc::new(kinds()), HeaderValue::from_str(&format!("Bearer {token}"))?);
    let mut tasks = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (sender, connection) = http1::handshake(connect(to).await?).await?;
        tokio::spawn(connection);
        tasks.spawn(Wire::Http1(sender).turns(Arc::clone(&kinds), token.clone()));
    }
    for _ in 0..MULTIPLEXED.0 {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), connect(to).await?).await?;
        tokio::spawn(connection);
        for _ in 0..MULTIPLEXED.1 {
            tasks.spawn(Wire::Http2(sender.clone()).turns(Arc::clone(&kinds), token.clone()));
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn connect(to: SocketAddr) -> Result<TokioIo<TcpStream>, Error> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(stream))
}

// === impl Wire ===

impl Wire {
    async fn turns(mut self, kinds: Arc<Vec<Kind>>, token: HeaderValue) -> Result<(), Error> {
        for _ in 0..TURNS {
            for kind in kinds.iter() {
                if kind.path.ends_with("/grpc") && matches!(self, Self::Http1(_)) {
                    continue;
                }
                for _ in 0..kind.times {
                    self.ask(kind, &token).await?;
                }
            }
        }
        Ok(())
    }

    async fn ask(&mut self, kind: &Kind, token: &HeaderValue) -> Result<(), Error> {
        let mut request = Request::builder().method(kind.method.clone());
        for (name, value) in kind.headers {
            request = request.header(*name, *value);
        }
        if kind.has_token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let body = Full::new(kind.body.clone());
        let answer = match self {
            Self::Http1(sender) => {
                let request = request.uri(kind.path).header(header::HOST, HOST).body(body)?;
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                let request = request.uri(format!("http://{HOST}{}", kind.path)).body(body)?;
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        if answer.status() != kind.answer {
            return Err(format!("{} {}: {}", kind.method, kind.path, answer.status()).into());
        }
        answer.into_body().collect().await?;
        Ok(())
    }
}

/// Answers whatever gets through, by HTTP/1.1 and HTTP/2.
async fn upstream() -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let page: Bytes = ANSWER.repeat(300).into();
    let router = Router::new().fallback(async move |request: axum::extract::Request| {
        let (head, body) = request.into_parts();
        // One that was broken off is the gateway's to report.
        body.collect().await.ok();
        match head.uri.path().rsplit('/').next() {
            Some("page") => reply("text/html", page.clone()),
            Some("events") => {
                let event = || Ok::<_, Error>(Frame::data(Bytes::from_static(b"data: 1\n\n")));
                reply("text/event-stream", Body::new(StreamBody::new(stream::iter([event(), event()]))))
            }
            Some("grpc") => {
                let trailers = HeaderMap::from_iter([(
                    header::HeaderName::from_static("grpc-status"),
                    HeaderValue::from_static("0"),
                )]);
                let message = Frame::data(Bytes::from_static(b"\0\0\0\0\x03abc"));
                let frames = [message, Frame::trailers(trailers)].map(Ok::<_, Error>);
                reply("application/grpc", Body::new(StreamBody::new(stream::iter(frames))))
            }
            _ => reply("application/json", ANSWER),
        }
    });
    tokio::spawn(async { axum::serve(listener, router).await });
    Ok(address)
}

fn reply(kind: &'static str, body: impl Into<Body>) -> Response {
    let mut answer = Response::new(body.into());
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn sha256(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
