//! How a listener ends.

use std::sync::Arc;
use std::time::Duration;

use partie_contract::Response;
use partie_mesh::Limits;
use tokio::sync::{Notify, mpsc};

use crate::support::{Server, echo, fake, text, within};

const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

fn quick() -> Limits {
    Limits { lame_duck: Duration::ZERO, ..Limits::default() }
}

#[tokio::test]
async fn what_is_under_way_is_answered_and_unused_connections_close() {
    let (begin, mut began) = mpsc::channel(1);
    let sign = Arc::new(Notify::new());
    let serve = fake({
        let sign = Arc::clone(&sign);
        move |_, request| {
            let (begin, sign) = (begin.clone(), Arc::clone(&sign));
            async move {
                if request.uri().path() == "/slow" {
                    begin.send(()).await.unwrap();
                    sign.notified().await;
                }
                text("done")
            }
        }
    });
    let server = Server::start(quick(), serve);
    let mut unused = server.connect().await;
    unused.send(REQUEST).await;
    unused.until("done").await;
    let mut busy = server.connect().await;
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
    within(began.recv()).await.unwrap();

    server.stop.stop();
    assert!(unused.is_closed_silently().await);
    sign.notify_one();
    let answer = busy.rest().await;
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("done"), "{answer}");
    let address = server.address;
    server.stopped().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_lame_duck_answers_and_closes() {
    let server = Server::start(Limits { lame_duck: Duration::from_secs(1), ..Limits::default() }, echo());
    server.stop.stop();
    let answer = server.exchange(REQUEST).await;
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("GET /a "), "{answer}");
    server.stopped().await;
}

#[tokio::test]
async fn what_takes_too_long_is_cut_off() {
    let (begin, mut began) = mpsc::channel(2);
    let serve = fake(move |_, _| {
        let begin = begin.clone();
        async move {
            begin.send(()).await.unwrap();
            std::future::pending::<Response>().await
        }
    });
    for workers in [0, 2] {
        let limits = Limits { drain: Duration::from_millis(50), ..quick() };
        let server = Server::start_with(limits, workers, Arc::clone(&serve));
        let mut client = server.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        within(began.recv()).await.unwrap();
        server.stopped().await;
        assert!(client.is_closed_silently().await);
    }
}

#[tokio::test]
async fn dropping_the_run_cuts_everything_off() {
    let listener = partie_mesh::Listener::bind(
        "127.0.0.1:0".parse().unwrap(),
        Limits::default(),
        2,
        partie_mesh::Handles::default(),
    )
    .unwrap();
    let address = listener.local_addr();
    let run = tokio::spawn(listener.run(echo(), partie_runtime::Stop::default()));
    let mut client = crate::support::Client(tokio::net::TcpStream::connect(address).await.unwrap());
    client.send(REQUEST).await;
    client.until("GET /a ").await;
    run.abort();
    assert!(client.is_closed_silently().await);
}

#[tokio::test]
async fn who_has_only_just_come_is_still_answered() {
    let server = Server::start(quick(), echo());
    let (mut came, mut silent) = (server.connect().await, server.connect().await);
    // A greeting by the kernel is all they have had so far.
    server.stop.stop();
    tokio::time::sleep(Duration::from_millis(50)).await;
    came.send(REQUEST).await;
    let answer = came.rest().await;
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("GET /a "), "{answer}");
    assert!(silent.is_closed_silently().await, "nobody is waited for for long");
    server.stopped().await;
}
