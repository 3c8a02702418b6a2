//! The gateway's own addresses.

use crate::support::{edge, edge_with, not_ready, send, signer};
use partie_gateway::Readiness;
use std::sync::Arc;

#[tokio::test]
async fn they_need_no_token_and_no_service() {
    let edge = edge();
    let health = send(&edge, "GET", "/health", &[]).await;
    assert_eq!((health.status.as_u16(), &health.body["status"]), (200, &"healthy".into()));
    assert_eq!(health.body["emoji"], "\u{1F49A}");
    assert_eq!(send(&edge, "GET", "/health/ready", &[]).await.body["status"], "ready");
    assert_eq!(send(&edge, "GET", "/metrics", &[]).await.body, "up 1\n");
    assert_eq!(send(&edge, "GET", "/.well-known/jwks.json", &[]).await.body, signer().jwks());
    let openapi = send(&edge, "GET", "/openapi.json", &[]).await;
    assert_eq!(openapi.body["info"]["title"], "food");
    assert!(openapi.body["paths"]["/api/v1/orders/{id}"].is_object());
    let post = send(&edge, "POST", "/health", &[]).await;
    assert_eq!((post.status.as_u16(), post.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    let whole = send(&edge, "OPTIONS", "*", &[]).await;
    assert!(whole.status == 204 && whole.header("allow").unwrap().contains("PATCH"));
}

#[tokio::test]
async fn ready_names_who_is_not() {
    let edge = edge_with(|_, parts| {
        parts.ready = Arc::new(|| {
            let ready = Readiness { service: "menu".into(), problem: None };
            vec![ready, not_ready("orders", "waits for its store")]
        });
    });
    let answer = send(&edge, "GET", "/health/ready", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.body["detail"], "not ready: orders");
    assert_eq!(answer.body["services"]["orders"], "waits for its store");
    assert_eq!(answer.body["services"]["menu"], "ready");
    assert_eq!(answer.body["request_id"].as_str(), answer.header("x-request-id"));
    assert_eq!(send(&edge, "GET", "/health", &[]).await.status, 200, "alive all the same");
}
