//! Event streams through the listener.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use partie_contract::{Response, wire};
use partie_mesh::Limits;
use tokio::sync::mpsc::Sender;

use crate::support::{Client, Server, fake, piecewise, within};

const SHORT: Duration = Duration::from_millis(40);

/// A listener with one event stream, whose pieces the test sends, and a client that has read its head.
async fn stream(limits: Limits) -> (Server, Client, Sender<Bytes>) {
    let (pieces, body) = piecewise();
    let body = Mutex::new(Some(body));
    let serve = fake(move |_, _| {
        let mut answer = Response::new(body.lock().unwrap().take().unwrap());
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(wire::EVENT_STREAM));
        async { answer }
    });
    let server = Server::start(limits, serve);
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    (server, client, pieces)
}

#[tokio::test]
async fn silence_is_filled_with_heartbeats() {
    let (server, mut client, pieces) = stream(Limits { heartbeat: SHORT, ..Limits::default() }).await;
    for _ in 0..2 {
        assert_eq!(client.until(":\n\n\r\n").await, "3\r\n:\n\n\r\n");
    }
    pieces.send("data: 1\n\n".into()).await.unwrap();
    let next = client.until("data: 1\n\n\r\n").await;
    assert!(next.ends_with("9\r\ndata: 1\n\n\r\n"), "{next:?}");
    drop(pieces);
    assert!(client.until("0\r\n\r\n").await.ends_with("0\r\n\r\n"));
    server.stopped().await;
}

#[tokio::test]
async fn nothing_is_put_into_the_middle_of_an_event() {
    let limits = Limits { heartbeat: SHORT, lame_duck: Duration::ZERO, ..Limits::default() };
    let (server, mut client, pieces) = stream(limits).await;
    pieces.send("data: 1".into()).await.unwrap();
    client.until("data: 1\r\n").await;
    server.stop.stop();
    // Several heartbeats' time, and the end of the listener: neither may come in between.
    tokio::time::sleep(4 * SHORT).await;
    pieces.send("2\n\n".into()).await.unwrap();
    assert_eq!(client.rest().await, "3\r\n2\n\n\r\nD\r\nretry: 1000\n\n\r\n0\r\n\r\n");
    server.stopped().await;
}

#[tokio::test]
async fn a_drain_ends_streams_with_a_hint_when_to_come_back() {
    let limits = Limits { lame_duck: Duration::ZERO, ..Limits::default() };
    let (server, mut client, pieces) = stream(limits).await;
    server.stop.stop();
    assert!(client.rest().await.ends_with("retry: 1000\n\n\r\n0\r\n\r\n"));
    within(pieces.closed()).await;
    server.stopped().await;
}

#[tokio::test]
async fn a_stream_without_news_is_nothing_going_on() {
    let (server, mut client, pieces) = stream(Limits::default()).await;
    let activity = server.handles.activity.clone();
    within(activity.quiet()).await;
    pieces.send("data: 1\n\n".into()).await.unwrap();
    client.until("data: 1\n\n\r\n").await;
    within(activity.quiet()).await;
    // The books are even: one more piece of work is seen as such, and its end too.
    let other = activity.begin();
    assert!(!activity.is_quiet());
    drop(client);
    within(pieces.closed()).await;
    assert!(!activity.is_quiet());
    drop(other);
    within(activity.quiet()).await;
    server.stopped().await;
}
