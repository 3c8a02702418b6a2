//! HTTP/2 on the port of HTTP/1.1: the same answers, and what only HTTP/2 can do wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::{HeaderMap, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use partie_contract::{Body, BoxError, Request, Response};
use partie_mesh::{Limits, Serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::support::{OnDrop, Server, echo, fake, piecewise, text, within};

const SHORT: Duration = Duration::from_millis(60);

/// A connection of hyper's, and its end.
async fn connect(server: &Server) -> (SendRequest<Body>, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (connection, driver) = handshake.unwrap();
    (connection, tokio::spawn(driver))
}

fn request(method: &str, path: &str, body: Body) -> Request {
    let uri = format!("http://kitchen.example{path}");
    http::Request::builder().method(method).uri(uri).body(body).unwrap()
}

async fn send(connection: &SendRequest<Body>, request: Request) -> (StatusCode, HeaderMap, Bytes) {
    let answer = within(connection.clone().send_request(request)).await.unwrap();
    let (head, body) = answer.into_parts();
    (head.status, head.headers, within(body.collect()).await.unwrap().to_bytes())
}

#[tokio::test]
async fn one_port_speaks_both_and_says_the_same() {
    let server = Server::start(Limits::default(), echo());
    let (connection, driver) = connect(&server).await;
    let (status, headers, body) = send(&connection, request("POST", "/a?b=c", "soup".into())).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"POST /a?b=c soup"[..]));
    assert!(headers.contains_key("x-request-id") && !headers.contains_key("connection"), "{headers:?}");
    let old = server
        .exchange("POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsoup");
    assert!(old.await.ends_with("POST /a?b=c soup"));
    // Many at once, on one connection.
    let answers: FuturesUnordered<_> = (0..80)
        .map(|n| send(&connection, request("GET", &format!("/{n}"), Body::empty())))
        .collect::<FuturesUnordered<_>>();
    assert_eq!(within(answers.collect::<Vec<_>>()).await.len(), 80);
    drop(connection);
    within(driver).await.unwrap().unwrap();
    server.stopped().await;
}

#[tokio::test]
async fn services_see_a_request_as_of_http1_unless_it_is_grpc() {
    let serve = fake(|_, request: Request| async move {
        let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
        text(format!("{:?} {host:?} {}", request.version(), request.uri()))
    });
    let server = Server::start(Limits::default(), serve);
    let (connection, _driver) = connect(&server).await;
    let (_, _, body) = send(&connection, request("GET", "/a", Body::empty())).await;
    assert_eq!(body, "HTTP/1.1 Some(\"kitchen.example\") /a");
    let mut call = request("POST", "/a", Body::empty());
    call.headers_mut().insert("content-type", "application/grpc+proto".parse().unwrap());
    let (_, _, body) = send(&connection, call).await;
    assert_eq!(body, format!("{:?} Some(\"kitchen.example\") /a", Version::HTTP_2));
    server.stopped().await;
}

#[tokio::test]
async fn bodies_stream_and_trailers_arrive() {
    let serve = fake(|_, request: Request| async {
        // What was sent comes back, and a trailer that counts it.
        let mut sent = request.into_body();
        let (frames, outbox) = mpsc::channel::<Result<Frame<Bytes>, BoxError>>(4);
        tokio::spawn(async move {
            let mut count = 0;
            while let Some(frame) = sent.frame().await {
                let frame = frame.unwrap();
                count += frame.data_ref().map_or(0, Bytes::len);
                frames.send(Ok(frame)).await.unwrap();
            }
            let trailers = HeaderMap::from_iter([("x-count".parse().unwrap(), count.into())]);
            frames.send(Ok(Frame::trailers(trailers))).await.unwrap();
        });
        let frames =
            futures_util::stream::unfold(outbox, async |mut outbox| Some((outbox.recv().await?, outbox)));
        Response::new(Body::stream(StreamBody::new(Box::pin(frames))))
    });
    let server = Server::start(Limits::default(), serve);
    let (mut connection, _driver) = connect(&server).await;
    let (pieces, body) = piecewise();
    let mut answer = connection.send_request(request("POST", "/", body)).await.unwrap().into_body();
    // More than the windows hold, in both directions.
    for _ in 0..40 {
        pieces.send(Bytes::from_static(&[7; 50_000])).await.unwrap();
        let mut back = 0;
        while back < 50_000 {
            back += within(answer.frame()).await.unwrap().unwrap().into_data().unwrap().len();
        }
    }
    drop(pieces);
    let rest = within(answer.collect()).await.unwrap();
    assert_eq!(rest.trailers().unwrap()["x-count"], "2000000");
    server.stopped().await;
}

#[tokio::test]
async fn a_preface_may_come_in_pieces_but_not_for_ever() {
    let server = Server::start(Limits { header: SHORT, ..Limits::default() }, echo());
    let mut whole = Raw::connect(&server).await;
    for byte in PREFACE {
        whole.stream.write_all(&[*byte]).await.unwrap();
    }
    whole.send(SETTINGS, 0, 0, &[]).await;
    whole.get(1).await;
    assert_eq!(whole.until(HEADERS).await.stream, 1);

    let mut half = server.connect().await;
    half.send(&PREFACE[..10]).await;
    let answer = half.rest().await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request-timeout"), "{answer}");

    // What only begins like it is HTTP/1.1, or nonsense.
    let mut other = server.connect().await;
    other.send("P").await;
    tokio::task::yield_now().await;
    other.send("OST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok").await;
    assert!(other.rest().await.ends_with("POST /p ok"));
    let answer = server.exchange("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("malformed-request"), "{answer}");
    server.stopped().await;
}

#[tokio::test]
async fn a_request_that_says_two_things_is_refused() {
    let server = Server::start(Limits::default(), echo());
    let (connection, _driver) = connect(&server).await;
    let mut two = request("GET", "/", Body::empty());
    two.headers_mut().insert("host", "other.example".parse().unwrap());
    let (status, _, body) = send(&connection, two).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.windows(10).any(|part| part == b":authority"), "{body:?}");
    let mut same = request("GET", "/", Body::empty());
    same.headers_mut().insert("host", "Kitchen.example".parse().unwrap());
    assert_eq!(send(&connection, same).await.0, StatusCode::OK);

    // Fields of a connection, which HTTP/2 has none of, and codings nobody agreed on.
    for (name, value) in
        [("connection", "close"), ("transfer-encoding", "chunked"), ("te", "gzip"), ("upgrade", "x")]
    {
        let mut raw = Raw::open(&server).await;
        let block = [GET, &literal(name, value)].concat();
        raw.send(HEADERS, END, 1, &block).await;
        let reset = raw.until(RST_STREAM).await;
        assert_eq!(
            (reset.stream, &reset.payload[..]),
            (1, &1_u32.to_be_bytes()[..]),
            "{name}: PROTOCOL_ERROR"
        );
    }
    let mut long = request("GET", "/", Body::empty());
    long.headers_mut().insert("x-long", "x".repeat(70_000).parse().unwrap());
    let sent = within(connection.clone().send_request(long)).await;
    assert!(sent.is_err() || sent.unwrap().status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let mut many = request("GET", "/", Body::empty());
    for n in 0..101 {
        many.headers_mut().append("x-many", n.into());
    }
    assert_eq!(send(&connection, many).await.0, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let uri = format!("/{}", "x".repeat(9 << 10));
    assert_eq!(send(&connection, request("GET", &uri, Body::empty())).await.0, StatusCode::URI_TOO_LONG);
    server.stopped().await;
}

/// Tells when a request began, and when its handler was dropped.
fn hanging() -> (Arc<dyn Serve>, mpsc::Receiver<tokio::sync::oneshot::Receiver<()>>) {
    let (begin, began) = mpsc::channel(8);
    let serve = fake(move |_, _| {
        let begin = begin.clone();
        async move {
            let (guard, dropped) = OnDrop::new();
            begin.send(dropped).await.unwrap();
            std::future::pending::<()>().await;
            drop(guard);
            text("")
        }
    });
    (serve, began)
}

#[tokio::test]
async fn a_read_and_a_grpc_call_end_with_their_caller_and_a_write_does_not() {
    let (serve, mut began) = hanging();
    let server =
        Server::start(Limits { drain: SHORT, lame_duck: Duration::ZERO, ..Limits::default() }, serve);
    let (connection, _driver) = connect(&server).await;
    for (method, kind, ends) in
        [("GET", "text/plain", true), ("POST", "application/grpc", true), ("POST", "application/json", false)]
    {
        let mut request = request(method, "/", Body::empty());
        request.headers_mut().insert("content-type", kind.parse().unwrap());
        let call = tokio::spawn(connection.clone().send_request(request));
        let dropped = within(began.recv()).await.unwrap();
        call.abort();
        if ends {
            within(dropped).await.unwrap();
        } else {
            // A request on the same connection is served after the end of the one before was seen.
            drop(connection.clone().send_request(self::request("GET", "/", Body::empty())));
            assert_eq!(server.handles.detached.running(), 1);
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn who_takes_back_too_many_requests_is_sent_away() {
    let dropped = Arc::new(Mutex::new(0));
    let serve = fake({
        let dropped = Arc::clone(&dropped);
        move |_, _| {
            let dropped = Arc::clone(&dropped);
            async move {
                *dropped.lock().unwrap() += 1;
                std::future::pending::<Response>().await
            }
        }
    });
    let server = Server::start(Limits { resets: 20, ..Limits::default() }, serve);
    let mut raw = Raw::open(&server).await;
    let away = loop {
        let id = raw.next;
        raw.get(id).await;
        // One at a time, so that each is really begun.
        raw.send(PING, 0, 0, &[0; 8]).await;
        if let Some(away) = raw.until_either(PING, GOAWAY).await.filter(|frame| frame.kind == GOAWAY) {
            break away;
        }
        raw.send(RST_STREAM, 0, id, &8_u32.to_be_bytes()).await;
        raw.next += 2;
        assert!(id < 200, "it goes on for ever");
    };
    assert_eq!(away.payload[4..8], 11_u32.to_be_bytes(), "ENHANCE_YOUR_CALM");
    assert!((20..=25).contains(&*dropped.lock().unwrap()), "{dropped:?}");
    assert!(raw.frame().await.is_none(), "the connection is closed");
    // Others are served as before.
    assert!(server.connect().await.0.peer_addr().is_ok());
    server.stop.stop();
}

#[tokio::test]
async fn an_answer_nobody_reads_is_given_up_and_others_are_not() {
    let serve = fake(|_, request: Request| async move {
        let size = if request.uri().path() == "/" { 300_000 } else { 5 };
        // In pieces, as large answers come.
        let pieces = (0..size / 5).map(|_| Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"piece"))));
        Response::new(Body::stream(StreamBody::new(futures_util::stream::iter(pieces))))
    });
    let server = Server::start(Limits { write_stall: SHORT, ..Limits::default() }, serve);
    let mut raw = Raw::connect(&server).await;
    raw.stream.write_all(PREFACE).await.unwrap();
    // Room for ten bytes of each answer.
    raw.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 10]).await;
    raw.get(1).await;
    let given_up = raw.until(RST_STREAM).await;
    assert_eq!((given_up.stream, &given_up.payload[..]), (1, &8_u32.to_be_bytes()[..]), "CANCEL");
    // The literal path `/a`: index 4 is the name `:path`.
    raw.send(HEADERS, END, 3, b"\x82\x86\x04\x02/a\x01\x01a").await;
    let answer = raw.until(DATA).await;
    assert_eq!((answer.stream, &answer.payload[..]), (3, &b"piece"[..]));
    drop(raw);
    server.stopped().await;
}

#[tokio::test]
async fn a_connection_nobody_uses_is_told_and_closed() {
    let server = Server::start(Limits { idle: SHORT, ..Limits::default() }, echo());
    let (connection, driver) = connect(&server).await;
    send(&connection, request("GET", "/", Body::empty())).await;
    within(driver).await.unwrap().unwrap();
    assert!(connection.is_closed());
    let mut unused = Raw::open(&server).await;
    assert_eq!(unused.until(GOAWAY).await.payload[4..8], [0; 4]);
    server.stopped().await;
}

#[tokio::test]
async fn a_client_that_does_not_say_it_is_there_is_gone() {
    let (serve, mut began) = hanging();
    let server = Server::start(Limits { ping: SHORT, ..Limits::default() }, serve);
    let mut raw = Raw::open(&server).await;
    raw.get(1).await;
    let dropped = within(began.recv()).await.unwrap();
    // It reads the ping and does not answer.
    assert!(raw.frames(false).await.iter().any(|frame| frame.kind == PING && frame.flags == 0));
    within(dropped).await.unwrap();
    server.stopped().await;
}

#[tokio::test]
async fn a_body_that_trickles_in_is_given_up() {
    let server = Server::start(Limits { body: SHORT, ..Limits::default() }, echo());
    let (connection, _driver) = connect(&server).await;
    let (pieces, body) = piecewise();
    pieces.send(Bytes::from_static(b"so")).await.unwrap();
    let (status, _, _) = send(&connection, request("POST", "/", body)).await;
    assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(
        send(&connection, request("GET", "/", Body::empty())).await.0,
        StatusCode::OK,
        "only that stream is"
    );
    server.stopped().await;
}

#[tokio::test]
async fn a_drain_says_goodbye_and_answers_what_is_under_way() {
    let (begin, mut began) = mpsc::channel(1);
    let sign = Arc::new(Notify::new());
    let serve = fake({
        let sign = Arc::clone(&sign);
        move |_, _| {
            let (begin, sign) = (begin.clone(), Arc::clone(&sign));
            async move {
                begin.send(()).await.unwrap();
                sign.notified().await;
                text("done")
            }
        }
    });
    let server = Server::start(Limits { lame_duck: Duration::ZERO, ..Limits::default() }, serve);
    let mut raw = Raw::open(&server).await;
    raw.get(1).await;
    within(began.recv()).await.unwrap();
    server.stop.stop();
    assert_eq!(raw.until(GOAWAY).await.payload[4..8], [0; 4], "NO_ERROR");
    sign.notify_one();
    let frames = raw.frames(true).await;
    assert!(frames.iter().any(|frame| frame.kind == DATA && frame.payload == b"done"), "{frames:?}");
    server.stopped().await;
}

#[tokio::test]
async fn what_takes_too_long_is_cut_off() {
    let (serve, mut began) = hanging();
    for workers in [0, 2] {
        let limits = Limits { drain: SHORT, lame_duck: Duration::ZERO, ..Limits::default() };
        let server = Server::start_with(limits, workers, Arc::clone(&serve));
        let mut raw = Raw::open(&server).await;
        raw.get(1).await;
        let dropped = within(began.recv()).await.unwrap();
        server.stopped().await;
        assert!(raw.frames(true).await.iter().all(|frame| frame.kind != DATA));
        within(dropped).await.unwrap();
    }
}

#[tokio::test]
async fn an_event_stream_says_that_it_is_alive_and_when_to_come_back() {
    let (pieces, body) = piecewise();
    let body = Mutex::new(Some(body));
    let serve = fake(move |_, _| {
        let mut answer = Response::new(body.lock().unwrap().take().unwrap());
        answer.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
        async { answer }
    });
    let limits = Limits { heartbeat: SHORT, lame_duck: Duration::ZERO, ..Limits::default() };
    let server = Server::start(limits, serve);
    let (mut connection, driver) = connect(&server).await;
    let mut answer = connection.send_request(request("GET", "/", Body::empty())).await.unwrap().into_body();
    let mut next = async || within(answer.frame()).await.map(|frame| frame.unwrap().into_data().unwrap());
    assert_eq!(next().await.unwrap(), ":\n\n");
    pieces.send("data: a\n\n".into()).await.unwrap();
    assert_eq!(next().await.unwrap(), "data: a\n\n");
    server.stop.stop();
    assert_eq!(next().await.unwrap(), "retry: 1000\n\n");
    // The end is a frame of its own.
    assert!(within(answer.collect()).await.unwrap().to_bytes().is_empty());
    within(driver).await.unwrap().unwrap();
    server.stopped().await;
}

// === frames by hand ===

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
/// `END_STREAM` and `END_HEADERS`.
pub(crate) const END: u8 = 5;
/// `GET http://a/`, by the static table (RFC 7541 appendix A).
pub(crate) const GET: &[u8] = b"\x82\x86\x84\x01\x01a";

pub(crate) struct Raw {
    stream: TcpStream,
    /// The number of the next request.
    next: u32,
}

#[derive(Debug)]
pub(crate) struct RawFrame {
    pub(crate) kind: u8,
    flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Raw {
    async fn connect(server: &Server) -> Self {
        Self { stream: TcpStream::connect(server.address).await.unwrap(), next: 1 }
    }

    /// A connection that has said who it is.
    pub(crate) async fn open(server: &Server) -> Self {
        let mut raw = Self::connect(server).await;
        raw.stream.write_all(PREFACE).await.unwrap();
        raw.send(SETTINGS, 0, 0, &[]).await;
        raw
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.send_whole(kind, flags, stream, payload, 1).await;
    }

    /// The same frame so many times. Says whether it was taken.
    pub(crate) async fn send_whole(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
        times: usize,
    ) -> bool {
        // The other side may have hung up, which is what the test is about.
        let frames = frame(kind, flags, stream, payload).repeat(times);
        within(self.stream.write_all(&frames)).await.is_ok()
    }

    /// Whether the other side has not hung up, as far as one can see.
    pub(crate) async fn is_open(&mut self) -> bool {
        tokio::task::yield_now().await;
        let mut bytes = [0; 4096];
        !matches!(self.stream.try_read(&mut bytes), Ok(0))
            && self.stream.take_error().is_ok_and(|error| error.is_none())
    }

    pub(crate) async fn get(&mut self, stream: u32) {
        self.send(HEADERS, END, stream, GET).await;
    }

    async fn frame(&mut self) -> Option<RawFrame> {
        let mut head = [0; 9];
        within(self.stream.read_exact(&mut head)).await.ok()?;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let mut payload = vec![0; number(&head[..3]) as usize];
        within(self.stream.read_exact(&mut payload)).await.ok()?;
        Some(RawFrame { kind: head[3], flags: head[4], stream: number(&head[5..]), payload })
    }

    pub(crate) async fn until_either(&mut self, one: u8, other: u8) -> Option<RawFrame> {
        loop {
            let frame = self.frame().await?;
            if frame.kind == one || frame.kind == other {
                return Some(frame);
            }
        }
    }

    pub(crate) async fn until(&mut self, kind: u8) -> RawFrame {
        self.until_either(kind, kind).await.expect("a frame of that kind")
    }

    /// Everything until the other side closes, whose pings are answered or not.
    pub(crate) async fn frames(&mut self, polite: bool) -> Vec<RawFrame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.frame().await {
            if polite && frame.kind == PING && frame.flags == 0 {
                self.send(PING, 1, 0, &frame.payload).await;
            }
            frames.push(frame);
        }
        frames
    }
}

/// A frame in bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field that is in no table.
pub(crate) fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        assert!(text.len() < 127, "longer ones have a length of several bytes");
        [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
    };
    [&[0][..], &text(name), &text(value)].concat()
}
