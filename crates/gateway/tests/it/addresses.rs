//! Which address leads where.

use crate::support::{edge, send};

#[tokio::test]
async fn methods_and_addresses_lead_to_operations_or_say_why_not() {
    let edge = edge();
    let all = "GET, HEAD, PUT, OPTIONS";
    for (method, uri, status, code, allow) in [
        ("GET", "/api/v1/orders/7", 200, None, None),
        ("PUT", "/api/v1/orders/7", 200, None, None),
        ("GET", "/api/v1/orders/7?a=b%2F", 200, None, None),
        ("DELETE", "/api/v1/orders/7", 405, Some("method-not-allowed"), Some(all)),
        ("BREW", "/api/v1/orders/7", 405, Some("method-not-allowed"), Some(all)),
        ("get", "/api/v1/orders/7", 405, Some("method-not-allowed"), Some(all)),
        ("OPTIONS", "/api/v1/orders/7", 204, None, Some(all)),
        ("GET", "/api/orders/create", 405, Some("method-not-allowed"), Some("POST, OPTIONS")),
        ("GET", "/", 404, Some("not-found"), None),
        ("GET", "/api/v1/orders/7/", 404, Some("not-found"), None),
        ("GET", "/api/v1/orders/7/8", 404, Some("not-found"), None),
        ("GET", "/API/v1/orders/7", 404, Some("not-found"), None),
        ("GET", "/api/v1/%6Frders/7", 404, Some("not-found"), None),
        ("OPTIONS", "/nowhere", 404, Some("not-found"), None),
        ("GET", "/api/v1/menu", 503, Some("upstream-unavailable"), None),
        ("GET", "//api/v1/orders/7", 400, Some("malformed-request"), None),
        ("GET", "/api/v1/orders/7%2F8", 400, Some("malformed-request"), None),
        ("GET", "/api/v1/orders/%5c", 400, Some("malformed-request"), None),
        ("GET", "/api/v1/orders/%00", 400, Some("malformed-request"), None),
        ("GET", "/api/v1/orders/..", 400, Some("malformed-request"), None),
        ("GET", "/api/v1/orders/%2e%2e/health", 400, Some("malformed-request"), None),
        ("GET", "/api/v1/orders/%zz", 400, Some("malformed-request"), None),
        ("DELETE", "/api/v1/orders/%ff", 400, Some("malformed-request"), None),
    ] {
        let answer = send(&edge, method, uri, &[]).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {uri}");
        assert_eq!(answer.code(), code, "{method} {uri}");
        assert_eq!(answer.header("allow"), allow, "{method} {uri}");
        if status < 300 {
            continue;
        }
        assert_eq!(answer.body["instance"].as_str(), uri.split('?').next(), "{method} {uri}");
        assert_eq!(answer.body["request_id"].as_str(), answer.header("x-request-id"), "{method} {uri}");
    }
}

#[tokio::test]
async fn the_service_gets_the_address_that_was_routed_byte_for_byte() {
    let edge = edge();
    for uri in [
        "/api/v1/orders/a%20b",
        "/api/v1/orders/caf%C3%A9?x=%2F..%2f&y=a+b",
        "/api/v1/orders/%41",
        "/api/v1/orders/a;b=c,d",
        "/api/v1/orders/...",
        "/api/v1/orders/7?",
        "/api/v1/orders/7?a//b/../c",
    ] {
        assert_eq!(send(&edge, "GET", uri, &[]).await.body["uri"], uri);
    }
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let edge = edge();
    let get = send(&edge, "GET", "/health", &[]).await;
    let head = send(&edge, "HEAD", "/health", &[]).await;
    assert_eq!((head.status, head.body), (get.status, "".into()));
    assert!(head.headers["content-length"].to_str().unwrap().parse::<usize>().unwrap() > 20);
    let head = send(&edge, "HEAD", "/api/v1/orders/7", &[]).await;
    assert_eq!((head.status.as_u16(), head.body), (200, "".into()));
    assert_eq!(send(&edge, "HEAD", "/api/orders/create", &[]).await.status, 405);
}

#[tokio::test]
async fn the_tutorials_get_their_words() {
    let edge = edge();
    for (method, uri, status, words) in [
        ("GET", "/api/payments/7", 404, Some("Service not found")),
        ("GET", "/api/orders/unknown", 404, None),
        ("GET", "/api/v1/unknown", 404, None),
        ("GET", "/unknown", 404, None),
        ("POST", "/api/orders/create", 401, Some("No token provided")),
        ("POST", "/api/v1/orders", 401, None),
    ] {
        let answer = send(&edge, method, uri, &[]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body["error"].as_str()),
            (status, words),
            "{method} {uri}"
        );
        assert!(answer.code().is_some());
    }
    let answer = send(&edge, "POST", "/api/orders/create", &[("authorization", "nonsense")]).await;
    assert_eq!((answer.status.as_u16(), answer.body["error"].as_str()), (401, Some("Invalid token")));
}
