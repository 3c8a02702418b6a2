//! Connections that are used again, and what happens when the other side has closed them meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use partie_contract::{Deadline, FaultKind, Platform, Request, wire};
use partie_mesh::{Handles, Limits, Mesh, MeshConfig, Peer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{Client, FOREVER, Server, fake, piecewise, text, within};

fn mesh(address: SocketAddr) -> Mesh {
    let config = MeshConfig { hold: Duration::ZERO, ..MeshConfig::default() };
    let mesh = Mesh::new(config, Handles::default());
    mesh.connect("orders", address);
    mesh
}

async fn call(mesh: &Mesh, method: Method, key: bool) -> Result<String, Platform> {
    let mut request = Request::new(if method == Method::GET { "" } else { "body" }.into());
    *request.method_mut() = method;
    if key {
        request.headers_mut().insert(wire::IDEMPOTENCY_KEY, "k-1".parse().unwrap());
    }
    let from = Peer::InProcess("test".into());
    let answer = mesh.forward("orders", from, request, Deadline::after(FOREVER)).await?;
    Ok(String::from_utf8_lossy(&answer.into_body().collect(100).await?).into_owned())
}

/// A server that answers one request on each connection and takes a second one without a word before it closes. Tells
/// of every request it takes.
async fn fickle() -> (SocketAddr, mpsc::Receiver<&'static str>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut client = Client(stream);
            client.until("\r\n\r\n").await;
            tell.send("answered").await.unwrap();
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
            let tell = tell.clone();
            tokio::spawn(async move {
                // What is left of a first body comes along.
                if client.until("\r\n\r\n").await.contains("HTTP/1.1") {
                    tell.send("swallowed").await.unwrap();
                }
            });
        }
    });
    (address, told)
}

#[tokio::test]
async fn what_a_stale_connection_swallowed_is_sent_again_if_twice_is_as_good_as_once() {
    for (method, key, again) in [
        (Method::GET, false, true),
        (Method::PUT, false, true),
        (Method::DELETE, false, true),
        (Method::POST, true, true),
        (Method::POST, false, false),
        (Method::PATCH, false, false),
    ] {
        let (address, mut told) = fickle().await;
        let mesh = mesh(address);
        assert_eq!(call(&mesh, method.clone(), key).await.unwrap(), "ok");
        let second = within(call(&mesh, method.clone(), key)).await;
        let mut requests = vec![told.recv().await.unwrap(), told.recv().await.unwrap()];
        if again {
            assert_eq!(second.unwrap(), "ok", "{method}");
            requests.push(told.recv().await.unwrap());
        } else {
            assert_eq!(second.unwrap_err().kind(), FaultKind::UpstreamFailed, "{method}");
        }
        assert_eq!(requests, ["answered", "swallowed", "answered"][..requests.len()], "{method}");
        assert!(told.try_recv().is_err(), "{method}");
    }
}

#[tokio::test]
async fn what_a_fresh_connection_swallowed_is_not_sent_again_if_twice_may_be_too_often() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mesh = mesh(listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        Client(stream).until("\r\n\r\n").await;
        listener
    });
    let fault = within(call(&mesh, Method::POST, false)).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::UpstreamFailed);
    let listener = served.await.unwrap();
    assert!(futures_util::FutureExt::now_or_never(listener.accept()).is_none(), "nobody came again");
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mesh = mesh(listener.local_addr().unwrap());
    drop(listener);
    let fault = within(call(&mesh, Method::POST, false)).await.unwrap_err();
    assert_eq!(fault.kind(), FaultKind::UpstreamUnavailable);
}

#[tokio::test]
async fn one_connection_serves_one_call_after_the_other() {
    let serve = fake(|peer, _| async move {
        match peer {
            Peer::Network(address) => text(address.to_string()),
            other => unreachable!("it came over the network: {other:?}"),
        }
    });
    let server = Server::start(Limits::default(), serve);
    let mesh = mesh(server.address);
    let first = call(&mesh, Method::GET, false).await.unwrap();
    for _ in 0..5 {
        assert_eq!(call(&mesh, Method::POST, false).await.unwrap(), first);
    }
    // Two at a time need two.
    let (one, other) = tokio::join!(call(&mesh, Method::GET, false), call(&mesh, Method::GET, false));
    assert_ne!(one.unwrap(), other.unwrap());
    server.stopped().await;
}

#[tokio::test]
async fn what_the_other_side_closes_is_closed_though_nobody_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mesh = mesh(listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut client = Client(stream);
        client.until("\r\n\r\n").await;
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        (client, listener)
    });
    assert_eq!(call(&mesh, Method::GET, false).await.unwrap(), "ok");
    let (mut client, listener) = served.await.unwrap();
    // Nobody has asked for anything, so it stays.
    assert!(futures_util::FutureExt::now_or_never(client.0.read_u8()).is_none());
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "", "it was closed");
    // The next call has one of its own.
    let (answer, mut next) = tokio::join!(call(&mesh, Method::GET, false), async {
        let mut next = Client(listener.accept().await.unwrap().0);
        next.until("\r\n\r\n").await;
        next.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes").await;
        next
    });
    assert_eq!(answer.unwrap(), "yes");
    // What was not asked for is not taken for an answer.
    next.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil").await;
    assert_eq!(next.rest().await, "", "it was closed");
}

#[tokio::test]
async fn a_caller_that_stops_reading_closes_the_connection() {
    let (pieces, body) = piecewise();
    let body = std::sync::Mutex::new(Some(body));
    let serve = fake(move |_, _| {
        let body = body.lock().unwrap().take().unwrap();
        async { partie_contract::Response::new(body) }
    });
    let server = Server::start(Limits::default(), serve);
    let mesh = mesh(server.address);
    let from = Peer::InProcess("test".into());
    let answer = mesh.forward("orders", from, Request::default(), Deadline::after(FOREVER)).await.unwrap();
    drop(answer);
    within(pieces.closed()).await;
    server.stopped().await;
}
