//! Binding, sharing a port between workers, and how many may come.

use std::net::SocketAddr;

use partie_mesh::{BindError, Handles, Limits, Listener};

use crate::support::{Server, echo, fake, text};

fn bind(address: SocketAddr, workers: usize) -> Result<Listener, BindError> {
    Listener::bind(address, Limits::default(), workers, Handles::default())
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_says_so() {
    for (first, second) in [(1, 1), (1, 2), (2, 1), (2, 2), (0, 0)] {
        let listener = bind("127.0.0.1:0".parse().unwrap(), first).unwrap();
        let address = listener.local_addr();
        assert_ne!(address.port(), 0);
        let error = bind(address, second).unwrap_err();
        assert!(matches!(error, BindError::Taken { address: taken } if taken == address));
        assert!(error.to_string().starts_with(&format!("{address} is already in use")), "{error}");
        drop(listener);
        bind(address, second).unwrap();
    }
    let elsewhere = "192.0.2.1:80".parse().unwrap();
    assert!(matches!(bind(elsewhere, 1), Err(BindError::Io { address, .. }) if address == elsewhere));
}

#[tokio::test]
async fn workers_share_the_port() {
    let serve = fake(|_, _| async { text(std::thread::current().name().unwrap_or_default().to_owned()) });
    let server = Server::start_with(Limits::default(), 2, serve);
    let mut seen = std::collections::BTreeSet::new();
    // The kernel deals connections out by a hash of their ports.
    for _ in 0..200 {
        let answer = server.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        seen.insert(answer.rsplit("\r\n").next().unwrap_or_default().to_owned());
        if seen.len() == 2 {
            break;
        }
    }
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), ["worker-0", "worker-1"]);
    server.stopped().await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    for limits in [
        Limits { connections: 1, ..Limits::default() },
        Limits { connections_per_address: 1, ..Limits::default() },
    ] {
        let server = Server::start(limits, echo());
        let mut first = server.connect().await;
        first.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
        first.until("GET /a ").await;
        let answer = server.connect().await.rest().await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("overloaded"), "{answer}");
        first.send("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(first.rest().await.ends_with("GET /a "));
        server.stopped().await;
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_connection_lives() {
    let serve = fake(|_, request| async move {
        assert!(request.uri().path() != "/panic", "on purpose");
        text("fine")
    });
    let server = Server::start(Limits::default(), serve);
    let mut client = server.connect().await;
    for method in ["GET", "POST"] {
        client.send(format!("{method} /panic HTTP/1.1\r\nHost: a\r\nX-Request-Id: r-1\r\n\r\n")).await;
        let problem = client.until("\"code\":\"internal\",\"request_id\":\"r-1\"}").await;
        assert!(problem.starts_with("HTTP/1.1 500 ") && !problem.contains("on purpose"), "{problem}");
    }
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.until("fine").await;
    server.stopped().await;
}
