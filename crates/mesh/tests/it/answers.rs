//! What instances answer, by bytes: it is read in one way or not at all, and a connection is used again only when nothing is
//! left on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt as _;
use partie_contract::{Deadline, FaultKind, Platform, Request, Response};
use partie_mesh::{Handles, Mesh, MeshConfig, Peer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Client, FOREVER, piecewise, within};

/// An instance that gives every request the same answer, and counts its connections.
struct Instance {
    mesh: Mesh,
    connections: Arc<AtomicUsize>,
}

/// What follows an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Stay,
    Close,
}

impl Instance {
    async fn new(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mesh = mesh(listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (Arc::clone(&connections), Arc::<[u8]>::from(answer.into()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(Self::serve(Client(stream), Arc::clone(&answer), then));
            }
        });
        Self { mesh, connections }
    }

    async fn serve(mut client: Client, answer: Arc<[u8]>, then: Then) {
        while client.next().await {
            // Whoever has read enough may be gone.
            if client.0.write_all(&answer).await.is_err() || then == Then::Close {
                return;
            }
        }
    }

    /// Status and body.
    async fn ask(&self, method: &Method) -> Result<(u16, Bytes), FaultKind> {
        let mut request = Request::default();
        request.method_mut().clone_from(method);
        let answer = forward(&self.mesh, request).await.map_err(|fault| fault.kind())?;
        let status = answer.status().as_u16();
        let body = within(answer.into_body().collect(16 << 20)).await.map_err(|fault| fault.kind())?;
        Ok((status, body))
    }
}

/// Calls that instance, each once.
fn mesh(address: SocketAddr) -> Mesh {
    let config = MeshConfig { retries: 0, hold: Duration::ZERO, ..MeshConfig::default() };
    let mesh = Mesh::new(config, Handles::default());
    mesh.connect("orders", address);
    mesh
}

async fn forward(mesh: &Mesh, request: Request) -> Result<Response, Platform> {
    let from = Peer::InProcess("test".into());
    within(mesh.forward("orders", from, request, Deadline::after(FOREVER))).await
}

#[tokio::test]
async fn an_answer_is_read_to_its_end_and_nothing_may_follow_it() {
    let ok = |fields: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n{body}");
    let (get, head) = (Method::GET, Method::HEAD);
    let chunked = "Transfer-Encoding: chunked\r\n";
    let (stay, close) = (Then::Stay, Then::Close);
    // What it is, what was asked, the answer, what follows it, what was read, and how many connections two calls took.
    for (what, asked, answer, then, read, connections) in [
        ("a length", &get, ok("Content-Length: 2\r\n", "ab"), stay, "ab", 1),
        ("chunks", &get, ok(chunked, "1\r\na\r\n1\r\nb\r\n0\r\n\r\n"), stay, "ab", 1),
        ("chunks with trailers", &get, ok(chunked, "2\r\nab\r\n0\r\nx-sum: 1\r\n\r\n"), stay, "ab", 1),
        ("nothing", &get, "HTTP/1.1 204 No\r\n\r\n".into(), stay, "", 1),
        ("the head alone", &head, ok("Content-Length: 2\r\n", ""), stay, "", 1),
        ("the head of chunks alone", &head, ok(chunked, ""), stay, "", 1),
        (
            "first another head",
            &get,
            format!("HTTP/1.1 103 Hints\r\nlink: a\r\n\r\n{}", ok("Content-Length: 2\r\n", "ab")),
            stay,
            "ab",
            1,
        ),
        ("the last answer", &get, ok("Content-Length: 2\r\nConnection: close\r\n", "ab"), stay, "ab", 2),
        ("somebody else", &get, "HTTP/1.1 421 Not me\r\nContent-Length: 2\r\n\r\nab".into(), stay, "ab", 2),
        ("to the end", &get, ok("", "ab"), close, "ab", 2),
        ("HTTP/1.0", &get, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab".into(), stay, "ab", 2),
        ("more than the length", &get, ok("Content-Length: 2\r\n", "abHTTP/1.1 200 OK\r\n"), stay, "ab", 2),
        ("more than the chunks", &get, ok(chunked, "2\r\nab\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"), stay, "ab", 2),
        ("a body behind nothing", &get, "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nab".into(), stay, "", 2),
        ("a body behind a head", &head, ok("Content-Length: 2\r\n", "ab"), stay, "", 2),
    ] {
        let instance = Instance::new(answer, then).await;
        for _ in 0..2 {
            let (_, body) = instance.ask(asked).await.unwrap_or_else(|fault| panic!("{what}: {fault:?}"));
            assert_eq!(body, read, "{what}");
        }
        assert_eq!(instance.connections.load(Ordering::Relaxed), connections, "{what}");
    }
}

#[tokio::test]
async fn an_answer_that_is_broken_or_two_is_none() {
    let failed = FaultKind::UpstreamFailed;
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na",
        "HTTP/1.1 103 Hints\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let instance = Instance::new(answer, Then::Close).await;
        assert_eq!(instance.ask(&Method::GET).await.unwrap_err(), failed, "{answer:?}");
        assert_eq!(instance.ask(&Method::GET).await.unwrap_err(), failed, "{answer:?} again");
        assert_eq!(instance.connections.load(Ordering::Relaxed), 2, "{answer:?}");
    }
}

#[tokio::test]
async fn large_bodies_come_whole_however_they_are_framed() {
    let size = 3 << 20;
    let body: Vec<u8> = (0..size).map(|place: u32| (place % 251) as u8).collect();
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes();
    let length = [&head(&format!("Content-Length: {size}\r\n"))[..], &body].concat();
    let mut chunks = head("Transfer-Encoding: chunked\r\n");
    for piece in body.chunks(70_001) {
        chunks.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunks.extend_from_slice(piece);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    let rest = [&head("")[..], &body].concat();
    for (answer, then, connections) in
        [(length, Then::Stay, 1), (chunks, Then::Stay, 1), (rest, Then::Close, 2)]
    {
        let instance = Instance::new(answer, then).await;
        for _ in 0..2 {
            let (status, read) = instance.ask(&Method::GET).await.unwrap();
            assert!(status == 200 && read == body, "{} bytes", read.len());
        }
        assert_eq!(instance.connections.load(Ordering::Relaxed), connections);
    }
}

#[tokio::test]
async fn an_answer_may_come_before_all_of_the_request_has_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mesh = mesh(listener.local_addr().unwrap());
    let (pieces, body) = piecewise();
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    let served = tokio::spawn(async move {
        let mut client = Client(listener.accept().await.unwrap().0);
        client.until("\r\n\r\n").await;
        client.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").await;
        client
    });
    let answer = forward(&mesh, request).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.into_body().collect(10).await.unwrap(), "no");
    // Nobody wants the rest of the request, and nobody else is to take it for one of his.
    within(pieces.closed()).await;
    assert_eq!(within(served).await.unwrap().rest().await, "");
}

#[tokio::test]
async fn a_request_that_has_partly_left_is_not_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mesh = mesh(listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut client = Client(stream);
            count.fetch_add(1, Ordering::Relaxed);
            client.until("\r\n\r\n").await;
            client.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").await;
            // Closed with much unread: what is still on its way here is answered by a reset.
        }
    });
    let mut request = Request::new(vec![0; 16 << 20].into());
    *request.method_mut() = Method::POST;
    match forward(&mesh, request).await {
        Ok(answer) => assert_eq!(answer.status(), 413),
        // The reset may overtake the answer.
        Err(fault) => assert_eq!(fault.kind(), FaultKind::UpstreamFailed),
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_request_comes_whole_though_it_is_there_all_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mesh = mesh(listener.local_addr().unwrap());
    let (pieces, body) = piecewise();
    // As frames of HTTP/2 come: more than is written at once, and nobody is woken for the others.
    for _ in 0..6 {
        pieces.send(vec![b'x'; 16 << 10].into()).await.unwrap();
    }
    drop(pieces);
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    let (answer, ()) = tokio::join!(forward(&mesh, request), async {
        let mut client = Client(listener.accept().await.unwrap().0);
        let mut sent = Vec::new();
        while !sent.ends_with(b"\r\n0\r\n\r\n") {
            assert_ne!(within(client.0.read_buf(&mut sent)).await.unwrap(), 0, "after {} bytes", sent.len());
        }
        assert_eq!(sent.iter().filter(|byte| **byte == b'x').count(), 6 * (16 << 10));
        client.send("HTTP/1.1 204 No\r\n\r\n").await;
    });
    assert_eq!(answer.unwrap().status(), 204);
}

#[tokio::test]
async fn a_short_answer_may_begin_before_all_of_the_request_has_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mesh = mesh(listener.local_addr().unwrap());
    let (pieces, body) = piecewise();
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    let (answer, ()) = tokio::join!(forward(&mesh, request), async {
        let mut client = Client(listener.accept().await.unwrap().0);
        client.until("\r\n\r\n").await;
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").await;
        // The head has come, and its body follows when all of the request has.
        pieces.send("last".into()).await.unwrap();
        drop(pieces);
        assert_eq!(client.until("0\r\n\r\n").await, "4\r\nlast\r\n0\r\n\r\n");
        client.send("ok").await;
    });
    assert_eq!(answer.unwrap().into_body().collect(10).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_task_that_calls_often_without_a_pause_keeps_its_connection() {
    let instance = Instance::new("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Then::Stay).await;
    for _ in 0..50 {
        // As many turns as a task has, less those of a call, are used up before.
        for _ in 0..125 {
            tokio::task::coop::consume_budget().await;
        }
        assert_eq!(instance.ask(&Method::GET).await.unwrap().1, "ok");
    }
    assert_eq!(instance.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_head_may_trickle_in() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mesh = mesh(listener.local_addr().unwrap());
    let (answer, ()) = tokio::join!(forward(&mesh, Request::default()), async {
        let mut client = Client(listener.accept().await.unwrap().0);
        client.0.set_nodelay(true).unwrap();
        client.until("\r\n\r\n").await;
        for byte in b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" {
            client.send([*byte]).await;
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(answer.unwrap().into_body().collect(10).await.unwrap(), "ok");
}

#[tokio::test]
async fn both_bodies_may_be_under_way_at_the_same_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mesh = mesh(listener.local_addr().unwrap());
    let (pieces, body) = piecewise();
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    let (answer, mut client) = tokio::join!(forward(&mesh, request), async {
        let mut client = Client(listener.accept().await.unwrap().0);
        client.until("\r\n\r\n").await;
        client.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        client
    });
    let mut answer = answer.unwrap().into_body();
    for word in ["one", "two", "three"] {
        pieces.send(word.into()).await.unwrap();
        let sent = format!("{:x}\r\n{word}\r\n", word.len());
        // It is the reader of the answer who writes the request.
        let (frame, ()) = tokio::join!(within(answer.frame()), async {
            assert_eq!(client.until(&sent).await, sent);
            client.send(&sent).await;
        });
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), word);
    }
    drop(pieces);
    let (end, ()) = tokio::join!(within(answer.frame()), async {
        assert_eq!(client.until("0\r\n\r\n").await, "0\r\n\r\n");
        client.send("0\r\n\r\n").await;
    });
    assert!(end.is_none());
}
