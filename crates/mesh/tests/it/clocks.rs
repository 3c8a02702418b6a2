//! The clocks of a connection, set short. Each test waits for the other side to act, not for time.

use std::time::Duration;

use partie_contract::Body;
use partie_contract::Response;
use partie_mesh::Limits;

use crate::support::{OnDrop, Server, echo, fake, piecewise, text};

const SHORT: Duration = Duration::from_millis(60);
const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let server = Server::start(Limits { first_byte: SHORT, ..Limits::default() }, echo());
    assert!(server.connect().await.is_closed_silently().await);
    server.stopped().await;
}

#[tokio::test]
async fn a_head_that_trickles_in_is_given_up() {
    let server = Server::start(Limits { header: SHORT, ..Limits::default() }, echo());
    let client = server.connect().await.0;
    let (mut reader, mut writer) = client.into_split();
    let trickle = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        tokio::io::AsyncWriteExt::write_all(&mut writer, b"GET / HTTP/1.1\r\nx: ").await?;
        loop {
            pace.tick().await;
            tokio::io::AsyncWriteExt::write_all(&mut writer, b"x").await?;
        }
        #[expect(unreachable_code, reason = "says what the block is")]
        Ok::<(), std::io::Error>(())
    });
    let mut answer = String::new();
    drop(crate::support::within(tokio::io::AsyncReadExt::read_to_string(&mut reader, &mut answer)).await);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request-timeout"), "{answer}");
    drop(reader);
    crate::support::within(trickle).await.unwrap().unwrap_err();
    server.stopped().await;
}

#[tokio::test]
async fn a_connection_without_a_next_request_is_closed() {
    let server = Server::start(Limits { idle: SHORT, ..Limits::default() }, echo());
    let mut client = server.connect().await;
    client.send(REQUEST).await;
    assert!(client.rest().await.ends_with("GET /a "));
    server.stopped().await;
}

#[tokio::test]
async fn each_wait_has_its_own_clock_whichever_was_set_first() {
    for (first_byte, idle) in [(SHORT, 3 * SHORT), (100 * SHORT, 3 * SHORT)] {
        let server = Server::start(Limits { first_byte, idle, ..Limits::default() }, echo());
        let mut client = server.connect().await;
        let begun = partie_runtime::monotonic();
        client.send(REQUEST).await;
        assert!(client.rest().await.ends_with("GET /a "));
        assert!((3 * SHORT..100 * SHORT).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        server.stopped().await;
    }
}

#[tokio::test]
async fn the_clock_of_the_head_does_not_run_between_requests() {
    let limits = Limits { first_byte: SHORT, header: SHORT, ..Limits::default() };
    let server = Server::start(limits, echo());
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send(REQUEST).await;
        client.until("GET /a ").await;
        tokio::time::sleep(2 * SHORT).await;
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let server = Server::start(Limits { body: SHORT, ..Limits::default() }, echo());
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab";
    let answer = server.exchange(request).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request-timeout"), "{answer}");
    server.stopped().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_to_whoever_reads_it() {
    let (broken, mut seen) = tokio::sync::mpsc::channel(1);
    let serve = fake(move |_, request| {
        let broken = broken.clone();
        async move {
            let fault = request.into_body().collect(100).await.unwrap_err();
            broken.send(fault.kind()).await.unwrap();
            text("")
        }
    });
    let server = Server::start(Limits::default(), serve);
    let mut client = server.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab").await;
    drop(client);
    assert_eq!(seen.recv().await, Some(partie_contract::FaultKind::MalformedRequest));
    server.stopped().await;
}

#[tokio::test]
async fn a_handler_that_hangs_is_given_up() {
    let serve = fake(|_, _| std::future::pending::<Response>());
    let server = Server::start(Limits { answer: SHORT, ..Limits::default() }, serve);
    for method in ["GET", "POST"] {
        let answer =
            server.exchange(format!("{method} /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 504 ") && answer.contains("\"instance\":\"/x\""), "{answer}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_disconnected() {
    let (pieces, body) = piecewise();
    let (guard, dropped) = OnDrop::new();
    let body = std::sync::Mutex::new(Some((body, guard)));
    let serve = fake(move |_, _| {
        let (body, guard) = body.lock().unwrap().take().unwrap();
        async move {
            Response::new(Body::stream(http_body_util::BodyExt::map_frame(body, move |frame| {
                let _ = &guard;
                frame
            })))
        }
    });
    let server = Server::start(Limits { write_stall: SHORT, ..Limits::default() }, serve);
    let mut client = server.connect().await;
    client.send(REQUEST).await;
    let flood = tokio::spawn(async move {
        let piece = bytes::Bytes::from(vec![b'x'; 1 << 20]);
        while pieces.send(piece.clone()).await.is_ok() {}
    });
    crate::support::within(dropped).await.unwrap();
    crate::support::within(flood).await.unwrap();
    drop(client);
    server.stopped().await;
}
