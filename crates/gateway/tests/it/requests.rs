//! What goes on to a service, how much, and until when.

use std::time::Duration;

use partie_contract::Body;
use partie_mesh::Handles;
use partie_runtime::Stop;
use partie_telemetry::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, edge, edge_with, send, send_from};

fn left(answer: &Answer) -> u64 {
    answer.sent("partie-timeout-ms").unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_request_has_a_deadline_that_the_client_can_only_shape() {
    let edge = edge();
    let wait = |seconds: &'static str| ("prefer", seconds);
    for (uri, headers, at_most) in [
        ("/api/v1/orders/7", vec![], 10),
        ("/api/v1/orders/7/quick", vec![], 2),
        ("/api/v1/orders/7/slow", vec![], 30),
        ("/api/v1/orders/7", vec![("partie-timeout-ms", "999999")], 10),
        ("/api/v1/orders/7", vec![wait("wait=5")], 15),
        ("/api/v1/orders/7", vec![wait("respond-async, wait=5")], 15),
        ("/api/v1/orders/7/slow", vec![wait("wait=500")], 60),
        ("/api/v1/orders/7", vec![wait("wait=soon")], 10),
    ] {
        let left = left(&send(&edge, "GET", uri, &headers).await);
        // A second is more than the way takes.
        assert!(left <= at_most * 1000 && left > (at_most - 1) * 1000, "{uri} {headers:?}: {left}");
    }
    let put = send(&edge, "PUT", "/api/v1/orders/7", &[wait("wait=5")]).await;
    assert!(left(&put) <= 10_000, "a write does not wait for news");
}

#[tokio::test]
async fn a_deadline_that_passes_is_a_504() {
    let edge = edge_with(|gateway, parts| {
        gateway.timeout = Duration::from_millis(50);
        parts.mesh.connect("menu", std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
        parts.mesh.attach("orders", std::sync::Arc::new(Hangs));
    });
    let answer = send(&edge, "GET", "/api/v1/orders/7", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (504, Some("upstream-timeout")));
    let refused = send(&edge, "GET", "/api/v1/menu", &[]).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (503, Some("upstream-unavailable")));
}

struct Hangs;

impl partie_mesh::Serve for Hangs {
    fn serve(
        self: std::sync::Arc<Self>,
        _: partie_mesh::Peer,
        _: partie_contract::Request,
    ) -> partie_contract::BoxFuture<'static, partie_contract::Response> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_trace_is_continued_or_begun() {
    let edge = edge();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = send(&edge, "GET", "/api/v1/orders/7", &[("traceparent", parent)]).await;
    let sent = answer.sent("traceparent").unwrap();
    assert!(sent.starts_with(&parent[..36]) && sent != parent, "{sent}");
    for broken in ["", "nonsense", "00-0-0-0"] {
        let answer = send(&edge, "GET", "/api/v1/orders/7", &[("traceparent", broken)]).await;
        let sent = answer.sent("traceparent").unwrap();
        assert!(sent.len() == parent.len() && sent.starts_with("00-"), "{sent}");
    }
}

#[tokio::test]
async fn a_body_has_a_largest_size() {
    let edge = edge_with(|gateway, _| gateway.body = 100_000);
    let sized = |length: usize| Body::from(vec![b'x'; length]);
    let pieces = |length: usize| Body::stream(Unsized(sized(length)));
    for (body, status) in [
        (sized(0), 200),
        (sized(1_000), 200),
        (sized(100_000), 200),
        (sized(100_001), 413),
        (pieces(100_000), 200),
        (pieces(100_001), 413),
    ] {
        let answer = send_from(&edge, "127.0.0.1:1", "PUT", "/api/v1/orders/7", &[], body).await;
        assert_eq!(answer.status.as_u16(), status);
    }
}

/// A body that does not say how long it is.
struct Unsized(Body);

impl http_body::Body for Unsized {
    type Data = bytes::Bytes;
    type Error = partie_contract::BoxError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        std::pin::Pin::new(&mut self.0).poll_frame(cx)
    }
}

#[tokio::test]
async fn a_panic_behind_it_is_a_problem_that_says_nothing() {
    let answer = send(&edge(), "GET", "/api/v1/orders/panic", &[("x-request-id", "r-1")]).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (500, Some("internal")));
    assert_eq!(answer.body["request_id"], "r-1");
    assert!(!answer.body.to_string().contains("purpose"));
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_outcome() {
    let edge = edge();
    send(&edge, "GET", "/api/v1/orders/7/quick", &[]).await;
    send(&edge, "GET", "/api/v1/orders/7/quick", &[("authorization", "Bearer nonsense")]).await;
    let text = Metrics::install().render();
    for class in ["2xx", "4xx"] {
        let line = format!(
            "http_server_request_duration_seconds_count{{service=\"gateway\",version=\"1\",operation=\"orders.quick\",status=\"{class}\"}}"
        );
        assert!(text.contains(&line), "{class}");
    }
    assert!(!text.contains("operation=\"orders.quick\",status=\"cancelled\""), "{text}");
}

#[tokio::test]
async fn over_a_socket_a_refused_body_is_not_waited_for() {
    let mut gateway = partie_gateway::Gateway::default();
    gateway.listen.set_port(0);
    gateway.workers = Some(0);
    gateway.limits.lame_duck = Duration::ZERO;
    let listener = gateway.bind(Handles::default()).unwrap();
    let (address, stop) = (listener.local_addr(), Stop::default());
    let run = tokio::spawn(listener.run(edge(), stop.clone()));
    for (head, status) in [
        ("PUT /api/v1/orders/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n", "413"),
        (
            "POST /api/v1/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\nExpect: 100-continue\r\n\r\n",
            "401",
        ),
        ("POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "404"),
    ] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(Duration::from_secs(20), client.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
    }
    stop.stop();
    run.await.unwrap().unwrap();
}
