//! What arrives from a program that is wrong or hostile: the sidecar's routing adds no second reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{App, Beside, exchange, get, listed, registry, send, status};

#[tokio::test]
async fn what_can_be_read_in_two_ways_reaches_nobody() {
    let (_registry, at) = registry().await;
    let seen = Arc::new(AtomicUsize::new(0));
    let app = App::start({
        let seen = Arc::clone(&seen);
        move |_| {
            seen.fetch_add(1, Ordering::SeqCst);
            async { status(200) }
        }
    });
    let beside = Beside::start("product", app.address, &format!("http://{at}"), &[]).await;
    beside.reaches("product").await;
    let before = seen.load(Ordering::SeqCst);
    for (door, prefix) in [(beside.outgoing, "/product"), (beside.inbound, "")] {
        for path in ["/../x", "/%2e%2e/x", "/a%2Fb", "/a%5cb", "//a", "/%00", "/%zz", "/./a"] {
            let answer = get(door, &format!("{prefix}{path}")).await;
            assert_eq!((answer.status, &*answer.code()), (400, "malformed-request"), "{prefix}{path}");
        }
        let host = format!("Host: {door}\r\nConnection: close\r\n\r\n");
        for (head, statuses) in [
            (format!("CONNECT example.org:80 HTTP/1.1\r\n{host}"), &[400][..]),
            (format!("OPTIONS * HTTP/1.1\r\n{host}"), &[400]),
            (format!("GET {prefix}/a b HTTP/1.1\r\n{host}"), &[400]),
            (format!("GET {prefix}/ HTTP/1.1\r\nHost: a\r\n{host}"), &[400]),
            (format!("GET {prefix}/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n{host}"), &[400]),
            (format!("GET {prefix}/ HTTP/1.1\r\n{}{host}", "A: b\r\n".repeat(200)), &[431]),
            (format!("GET {prefix}/{} HTTP/1.1\r\n{host}", "a".repeat(9000)), &[414]),
        ] {
            let answer = exchange(door, &head).await;
            assert!(statuses.contains(&answer.status), "{head}\n{answer:?}");
        }
    }
    assert_eq!(seen.load(Ordering::SeqCst), before, "the program saw one of them");
    // Absolute form is the same as origin form, whatever host it names.
    let absolute = format!(
        "GET http://{0}/product/x HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n",
        beside.outgoing
    );
    assert_eq!(exchange(beside.outgoing, &absolute).await.status, 200);
}

#[tokio::test]
async fn names_that_are_made_up_are_not_there() {
    let (_registry, at) = registry().await;
    let app = App::start(|_| async { status(200) });
    let patience = crate::support::file("patience.toml", "discovery = \"300ms\"");
    let registry = format!("http://{at}");
    let beside =
        Beside::start("product", app.address, &registry, &["--config", patience.to_str().unwrap()]).await;
    for path in ["/nobody/x", "/", "/no%62ody/x", "/a@b/"] {
        let answer = get(beside.outgoing, path).await;
        assert_eq!((answer.status, &*answer.code()), (404, "not-found"), "{path}");
    }
    let metrics = get(beside.outgoing, "/metrics").await;
    assert!(metrics.status == 200 && !metrics.body.contains("nobody"), "{metrics:?}");
    let answer = send(beside.outgoing, "POST", "/health", "", "").await;
    assert_eq!((answer.status, answer.head.contains("allow: GET, HEAD")), (405, true));
}

#[tokio::test]
async fn pages_in_browsers_are_not_let_into_the_mesh() {
    let (_registry, at) = registry().await;
    let app = App::start(|_| async { status(200) });
    let beside = Beside::start("product", app.address, &format!("http://{at}"), &[]).await;
    beside.reaches("product").await;
    let rebound = "GET /product/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(exchange(beside.outgoing, rebound).await.status, 403);
    assert_eq!(
        send(beside.outgoing, "POST", "/product/", "Origin: http://evil.example\r\n", "").await.status,
        403
    );
    // To the program itself anybody may come who reaches it, as without a sidecar.
    assert_eq!(send(beside.inbound, "POST", "/", "Origin: http://shop.example\r\n", "").await.status, 200);
    assert_eq!(listed(at, "product").await, 1);
}
