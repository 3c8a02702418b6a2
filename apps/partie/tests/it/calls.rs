//! Calls from one program to another, through two sidecars.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use partie_contract::Body;

use crate::support::{App, Beside, exchange, file, get, registry, send, status, text};

/// A caller nobody calls, and the address of its sidecar's door to the others.
async fn caller(registry: &str, more: &[&str]) -> (App, Beside) {
    let app = App::start(|_| async { status(204) });
    let beside = Beside::start("caller", app.address, registry, more).await;
    (app, beside)
}

#[tokio::test]
async fn a_call_arrives_as_it_was_sent_and_so_does_its_answer() {
    let (_registry, at) = registry().await;
    let registry = format!("http://{at}");
    let product = App::start(|request| async {
        let (head, body) = request.into_parts();
        let body = body.collect(1 << 20).await.unwrap();
        let header =
            |name: &str| head.headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
        let seen = ["x-own", "cookie", "keep-alive", "te"].map(header).join("|");
        let mut answer =
            text(format!("{} {} {} {seen}", head.method, head.uri, String::from_utf8_lossy(&body)));
        *answer.status_mut() = http::StatusCode::IM_A_TEAPOT;
        answer.headers_mut().insert("x-answer", "a".parse().unwrap());
        answer
    });
    let _beside = Beside::start("product", product.address, &registry, &[]).await;
    let (_app, caller) = caller(&registry, &[]).await;
    for method in ["GET", "PUT", "POST", "PATCH", "DELETE", "PROPFIND"] {
        let headers = "X-Own: 1\r\nCookie: c\r\nKeep-Alive: 5\r\nTE: gzip\r\nExpect: nothing\r\n";
        let answer = send(caller.outgoing, method, "/product/a%20b/c?q=%2F&r", headers, "body").await;
        assert_eq!(answer.status, 418, "{answer:?}");
        assert_eq!(answer.body, format!("{method} /a%20b/c?q=%2F&r body 1|c|-|-"));
        assert!(answer.head.contains("x-answer: a"), "{answer:?}");
    }
    let nothing = send(caller.outgoing, "HEAD", "/product/", "", "").await;
    assert_eq!((nothing.status, &*nothing.body), (418, ""));
}

#[tokio::test]
async fn a_call_for_another_service_is_not_the_programs() {
    let (_registry, at) = registry().await;
    let (_app, beside) = caller(&format!("http://{at}"), &[]).await;
    let for_another = send(beside.inbound, "GET", "/", "Partie-To: somebody-else\r\n", "").await;
    assert_eq!((for_another.status, &*for_another.code()), (421, "misdirected"));
    assert_eq!(send(beside.inbound, "GET", "/", "Partie-To: caller\r\n", "").await.status, 204);
}

#[tokio::test]
async fn a_body_streams_both_ways() {
    let (_registry, at) = registry().await;
    let registry = format!("http://{at}");
    let echo = App::start(|request| async { http::Response::new(Body::stream(request.into_body())) });
    let _beside = Beside::start("echo", echo.address, &registry, &[]).await;
    let (_app, caller) = caller(&registry, &[]).await;
    caller.reaches("echo").await;
    let chunked = format!(
        "POST /echo/ HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        caller.outgoing
    );
    let answer = exchange(caller.outgoing, &chunked).await;
    assert!(answer.status == 200 && answer.body.contains("abc"), "{answer:?}");
    let large = "x".repeat(3 << 20);
    let answer = send(caller.outgoing, "POST", "/echo/", "", &large).await;
    assert_eq!((answer.status, answer.body.len()), (200, large.len()));
}

#[tokio::test]
async fn what_may_be_done_twice_is_tried_again_and_nothing_else() {
    let (_registry, at) = registry().await;
    let registry = format!("http://{at}");
    let counts: Arc<[AtomicUsize; 2]> = Arc::default();
    let failing = App::start({
        let counts = Arc::clone(&counts);
        move |request| {
            let which = usize::from(request.method() == http::Method::POST);
            counts[which].fetch_add(1, Ordering::SeqCst);
            async { status(502) }
        }
    });
    let _beside = Beside::start("failing", failing.address, &registry, &[]).await;
    let (_app, caller) = caller(&registry, &[]).await;
    assert_eq!(get(caller.outgoing, "/failing/").await.status, 502);
    assert!(counts[0].load(Ordering::SeqCst) > 1);
    assert_eq!(send(caller.outgoing, "POST", "/failing/", "", "{}").await.status, 502);
    assert_eq!(counts[1].load(Ordering::SeqCst), 1, "a POST without a key is made once");
    assert_eq!(send(caller.outgoing, "POST", "/failing/", "Idempotency-Key: k\r\n", "{}").await.status, 502);
    assert!(counts[1].load(Ordering::SeqCst) > 2, "one with a key may be made again");
}

#[tokio::test]
async fn a_call_has_as_much_time_as_it_says() {
    let (_registry, at) = registry().await;
    let registry = format!("http://{at}");
    let slow = App::start(|request| async move {
        let left = request.headers()["partie-timeout-ms"].to_str().unwrap().to_owned();
        if request.uri().path() == "/never" {
            std::future::pending::<()>().await;
        }
        text(left)
    });
    let _beside = Beside::start("slow", slow.address, &registry, &[]).await;
    let (_app, caller) =
        caller(&registry, &["--config", file("time.toml", "timeout = \"5s\"").to_str().unwrap()]).await;
    for (header, most) in [
        ("", 5000),
        ("X-Request-Timeout: 2s\r\n", 2000),
        ("partie-timeout-ms: 900\r\nX-Request-Timeout: 2s\r\n", 900),
        ("grpc-timeout: 800m\r\n", 800),
    ] {
        let answer = send(caller.outgoing, "GET", "/slow/", header, "").await;
        let left: u64 = answer.body.parse().unwrap_or_else(|_| panic!("{answer:?}"));
        assert!(left <= most && left > most / 2, "{header:?}: {left}");
    }
    let began = partie_runtime::monotonic();
    let answer = send(caller.outgoing, "GET", "/slow/never", "X-Request-Timeout: 200ms\r\n", "").await;
    assert_eq!((answer.status, &*answer.code()), (504, "upstream-timeout"));
    assert!(began.elapsed() < Duration::from_secs(3));
    let answer = send(caller.outgoing, "GET", "/slow/", "X-Request-Timeout: 30\r\n", "").await;
    assert_eq!((answer.status, &*answer.code()), (400, "malformed-request"));
}

#[tokio::test]
async fn a_slow_replica_gets_less_to_do() {
    let (_registry, at) = registry().await;
    let registry = format!("http://{at}");
    let slow = App::start(|_| async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        text("slow")
    });
    let quick = App::start(|_| async { text("quick") });
    let _first = Beside::start("product", slow.address, &registry, &[]).await;
    let _second = Beside::start("product", quick.address, &registry, &[]).await;
    let (_app, caller) = caller(&registry, &[]).await;
    crate::support::eventually("both are there", || async {
        crate::support::listed(at, "product").await == 2
    })
    .await;
    caller.reaches("product").await;
    let mut counts = [0, 0];
    for _ in 0..100 {
        let answer = get(caller.outgoing, "/product/").await;
        assert_eq!(answer.status, 200);
        counts[usize::from(answer.body == "quick")] += 1;
    }
    assert!(counts[1] > 3 * counts[0], "{counts:?}");
}
