//! WebSockets through a listener: when a tunnel begins, what goes through it, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use partie_contract::{Deadline, Request, Response};
use partie_mesh::{Handles, Limits, Mesh, MeshConfig, Serve};
use partie_telemetry::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Client, FOREVER, Server, echo, fake, within};

const SHORT: Duration = Duration::from_millis(60);
const ASK: &str = "GET /live?a=b HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Sends everything on to that address, as a gateway does.
fn forward_to(upstream: SocketAddr) -> Arc<dyn Serve> {
    let config = MeshConfig { hold: Duration::ZERO, ..MeshConfig::default() };
    let mesh = Mesh::new(config, Handles::default());
    mesh.connect("live", upstream);
    fake(move |peer, request: Request| {
        let mesh = mesh.clone();
        async move {
            let sent = mesh.forward("live", peer, request, Deadline::after(FOREVER)).await;
            sent.unwrap_or_else(|fault| fault.into_response(None, None))
        }
    })
}

/// An upstream that is the test itself, behind a listener.
async fn upstream(limits: Limits) -> (TcpListener, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(limits, forward_to(listener.local_addr().unwrap()));
    (listener, server)
}

async fn accept(listener: &TcpListener) -> Client {
    Client(within(listener.accept()).await.unwrap().0)
}

/// Both ends of a tunnel.
async fn tunnel(limits: Limits) -> (Server, Client, Client) {
    let (listener, server) = upstream(limits).await;
    let mut client = server.connect().await;
    client.send(ASK).await;
    let mut service = accept(&listener).await;
    service.until("\r\n\r\n").await;
    service.send(AGREE).await;
    client.until("\r\n\r\n").await;
    (server, client, service)
}

#[tokio::test]
async fn a_websocket_goes_through_with_what_is_sent_early() {
    let (listener, server) = upstream(Limits::default()).await;
    let mut client = server.connect().await;
    // What comes behind the question waits until the answer is there.
    client.send(format!("{ASK}early")).await;
    let mut service = accept(&listener).await;
    let asked = service.until("\r\n\r\n").await.to_lowercase();
    assert!(asked.starts_with("get /live?a=b http/1.1\r\n"), "{asked}");
    for field in
        ["connection: upgrade", "upgrade: websocket", "sec-websocket-key: ", "sec-websocket-version: 13"]
    {
        assert_eq!(asked.matches(&format!("\r\n{field}")).count(), 1, "{field} in {asked}");
    }
    let mut nothing = [0; 8];
    let early = tokio::time::timeout(SHORT, service.0.read(&mut nothing)).await;
    assert!(early.is_err(), "before the 101: {nothing:?}");
    service.send(format!("{AGREE}first")).await;
    let answer = client.until("\r\n\r\nfirst").await.to_lowercase();
    for field in ["connection: upgrade", "upgrade: websocket", "sec-websocket-accept: ", "x-request-id: "] {
        assert_eq!(answer.matches(&format!("\r\n{field}")).count(), 1, "{field} in {answer}");
    }
    assert!(answer.starts_with("http/1.1 101 ") && !answer.contains("content-length"), "{answer}");
    service.until("early").await;
    for round in 0..3 {
        client.send(format!("to {round}")).await;
        service.until(&format!("to {round}")).await;
        service.send(format!("fro {round}")).await;
        client.until(&format!("fro {round}")).await;
    }
    let metrics = Metrics::install().render();
    for name in
        ["partie_listener_tunnels", "partie_listener_tunnels_begun_total", "partie_listener_tunnel_bytes"]
    {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    // One side may be done while the other is not.
    client.0.shutdown().await.unwrap();
    assert_eq!(within(service.0.read(&mut nothing)).await.unwrap(), 0);
    service.send("last").await;
    drop(service);
    assert_eq!(client.rest().await, "last");
    server.stopped().await;
}

#[tokio::test]
async fn what_an_upstream_does_not_switch_to_is_no_tunnel() {
    for (answer, status) in [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "403"),
        ("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", "426"),
        ("HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", "200"),
        ("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nx", "502"),
        ("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\nx", "502"),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nx", "502"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket, h2c\r\n\r\nx",
            "502",
        ),
    ] {
        let (listener, server) = upstream(Limits::default()).await;
        let mut client = server.connect().await;
        client.send(ASK).await;
        let services = tokio::spawn(async move {
            // Whoever tries again gets the same.
            let mut seen = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut service = Client(stream);
                service.until("\r\n\r\n").await;
                service.send(answer).await;
                seen.push(service);
            }
        });
        let said = client.until("\r\n\r\n").await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}: {said}");
        assert!(!said.to_lowercase().contains("\r\nupgrade:"), "{said}");
        services.abort();
        server.stop.stop();
    }
}

#[tokio::test]
async fn nobody_is_switched_who_did_not_ask() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(Limits::default(), forward_to(listener.local_addr().unwrap()));
    let services = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            let mut service = Client(stream);
            let asked = service.until("\r\n\r\n").await.to_lowercase();
            assert!(!asked.contains("upgrade") && !asked.contains("http2-settings"), "{asked}");
            service.send(AGREE).await;
            seen.push(service);
        }
    });
    let plain = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = server.exchange(plain).await;
    assert!(answer.starts_with("HTTP/1.1 502 ") && !answer.contains("101"), "{answer}");
    services.abort();
    server.stopped().await;
}

#[tokio::test]
async fn any_other_upgrade_is_a_plain_request_and_a_strange_one_is_refused() {
    let server = Server::start(Limits::default(), echo());
    let proxy = Server::start(Limits::default(), forward_to(server.address));
    let ask = |line: &str, fields: &str| format!("{line}\r\nHost: a\r\n{fields}\r\n");
    let websocket = "Connection: upgrade, close\r\nUpgrade: websocket\r\n";
    for (what, request, status) in [
        (
            "h2c",
            ask(
                "GET /p HTTP/1.1",
                "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
            ),
            "200",
        ),
        (
            "a list",
            ask("GET /p HTTP/1.1", "Connection: upgrade, close\r\nUpgrade: websocket, h2c\r\n"),
            "200",
        ),
        ("TLS", ask("GET /p HTTP/1.1", "Connection: upgrade, close\r\nUpgrade: TLS/1.3\r\n"), "200"),
        (
            "not of the connection",
            ask("GET /p HTTP/1.1", "Connection: close\r\nUpgrade: websocket\r\n"),
            "200",
        ),
        ("HTTP/1.0", ask("GET /p HTTP/1.0", websocket), "200"),
        ("a POST", ask("POST /p HTTP/1.1", &format!("{websocket}Content-Length: 0\r\n")), "400"),
        (
            "a body",
            format!("{}ab", ask("GET /p HTTP/1.1", &format!("{websocket}Content-Length: 2\r\n"))),
            "400",
        ),
        (
            "chunks",
            format!(
                "{}0\r\n\r\n",
                ask("GET /p HTTP/1.1", &format!("{websocket}Transfer-Encoding: chunked\r\n"))
            ),
            "400",
        ),
        // The service has no WebSocket there.
        ("nobody's", ask("GET /p HTTP/1.1", websocket), "200"),
    ] {
        let answer = proxy.exchange(&request).await;
        assert!(answer[8..].starts_with(&format!(" {status} ")), "{what}: {answer}");
        assert!(status != "200" || answer.ends_with("GET /p "), "{what}: {answer}");
        assert!(!answer.to_lowercase().contains("\r\nupgrade:"), "{what}: {answer}");
    }
    proxy.stopped().await;
    server.stopped().await;
}

#[tokio::test]
async fn what_is_refused_after_an_upgrade_was_asked_for_leaves_the_connection_for_requests() {
    let server = Server::start(Limits::default(), echo());
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send(ASK).await;
        client.until("GET /live?a=b ").await;
    }
    client.send("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(client.rest().await.ends_with("GET /last "));
    server.stopped().await;
}

/// A service that is a WebSocket itself, as axum's is: it takes the connection from the request.
fn repeater() -> Arc<dyn Serve> {
    fake(|_, mut request: Request| async move {
        let turn = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let Ok(turned) = turn.await else { return };
            let mut io = hyper_util::rt::TokioIo::new(turned);
            let mut bytes = [0; 1024];
            while let Ok(length @ 1..) = io.read(&mut bytes).await {
                if io.write_all(&bytes[..length]).await.is_err() {
                    return;
                }
            }
        });
        let mut answer = Response::default();
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket")] {
            answer.headers_mut().insert(name, value.parse().unwrap());
        }
        answer
    })
}

#[tokio::test]
async fn a_handler_may_take_the_connection_itself_and_over_any_number_of_hops() {
    let limits = || Limits { lame_duck: Duration::ZERO, tunnel_drain: SHORT, ..Limits::default() };
    let service = Server::start(limits(), repeater());
    let near = Server::start(limits(), forward_to(service.address));
    let far = Server::start(limits(), forward_to(near.address));
    for server in [&service, &near, &far] {
        let mut client = server.connect().await;
        client.send(format!("{ASK}soup")).await;
        client.until("\r\n\r\nsoup").await;
        client.send("salad").await;
        client.until("salad").await;
    }
    // In this process too.
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.attach("live", repeater());
    let here = Server::start(
        limits(),
        fake(move |peer, request| {
            let mesh = mesh.clone();
            async move { mesh.forward("live", peer, request, Deadline::after(FOREVER)).await.unwrap() }
        }),
    );
    let mut client = here.connect().await;
    client.send(ASK).await;
    client.until("\r\n\r\n").await;
    client.send("salad").await;
    client.until("salad").await;
    here.stop.stop();
    assert_eq!(client.rest().await, "", "it ends with its listener");
    here.stopped().await;
    for server in [far, near, service] {
        server.stopped().await;
    }
}

#[tokio::test]
async fn whoever_does_not_read_holds_up_whoever_sends() {
    let (server, mut client, mut service) = tunnel(Limits::default()).await;
    let piece = vec![b'x'; 64 << 10];
    let mut sent = 0;
    // Until nothing more is taken: the buffers of four sockets, and ours.
    while let Ok(written) = tokio::time::timeout(SHORT * 4, service.0.write(&piece)).await {
        sent += written.unwrap();
        assert!(sent < 64 << 20, "it is taken without end");
    }
    drop(service);
    let rest = client.rest().await;
    assert_eq!(rest.len(), sent);
    server.stopped().await;
}

#[tokio::test]
async fn a_silent_tunnel_is_closed_and_a_busy_one_is_not() {
    let (server, mut client, mut service) =
        tunnel(Limits { tunnel_idle: 4 * SHORT, ..Limits::default() }).await;
    // Longer than the limit altogether.
    for _ in 0..8 {
        tokio::time::sleep(SHORT).await;
        client.send("x").await;
        service.until("x").await;
    }
    assert!(client.is_closed_silently().await);
    assert!(service.is_closed_silently().await);
    server.stopped().await;
}

#[tokio::test]
async fn a_drain_waits_for_tunnels_and_not_for_ever() {
    let limits = Limits { lame_duck: Duration::ZERO, tunnel_drain: 8 * SHORT, ..Limits::default() };
    let (server, mut client, mut service) = tunnel(limits).await;
    server.stop.stop();
    tokio::time::sleep(SHORT).await;
    client.send("still").await;
    service.until("still").await;
    assert!(client.is_closed_silently().await);
    assert!(service.is_closed_silently().await);
    server.stopped().await;

    // Who ends by himself is not waited for.
    let limits = Limits { lame_duck: Duration::ZERO, tunnel_drain: FOREVER, ..Limits::default() };
    let (server, client, service) = tunnel(limits).await;
    server.stop.stop();
    drop(client);
    assert!({ service }.is_closed_silently().await);
    server.stopped().await;
}

#[tokio::test]
async fn a_tunnel_takes_a_seat_and_gives_it_back() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let (server, client, service) = tunnel(limits).await;
    assert!(server.connect().await.rest().await.starts_with("HTTP/1.1 503 "));
    drop((client, service));
    let free = async {
        while !server.exchange("GET /never HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 50") {
            tokio::task::yield_now().await;
        }
    };
    within(free).await;
    server.stop.stop();
}
