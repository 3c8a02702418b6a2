//! Who may come in.

use std::sync::Arc;
use std::time::Duration;

use partie_contract::Body;
use partie_identity::{ApiKey, Grant, ServiceTokens, Verifier};

use crate::support::{edge, edge_with, send, send_from, signer, token};

#[tokio::test]
async fn the_table_says_who_may_and_the_token_who_it_is() {
    let edge = edge();
    let bearer = |role: &str| format!("Bearer {}", token(role));
    let (customer, courier) = (bearer("customer"), bearer("courier"));
    let foreign = signer().issue(&Grant::new("shop", "customer-1", Duration::from_secs(600))).unwrap();
    let foreign = format!("Bearer {foreign}");
    let bare = token("customer");
    let challenge = Some("Bearer error=\"invalid_token\"");
    for (method, uri, authorization, status, www_authenticate) in [
        ("GET", "/api/v1/orders/7", None, 200, None),
        ("GET", "/api/v1/orders/7", Some(&*courier), 200, None),
        ("GET", "/api/v1/orders/7", Some("Bearer nonsense"), 401, challenge),
        ("GET", "/api/v1/orders/7", Some("Basic YTpi"), 401, challenge),
        ("GET", "/api/v1/orders", None, 401, Some("Bearer")),
        ("GET", "/api/v1/orders", Some(&*courier), 200, None),
        ("GET", "/api/v1/orders", Some(&*foreign), 401, challenge),
        ("GET", "/api/v1/orders", Some(&*bare), 401, challenge),
        ("POST", "/api/v1/orders", None, 401, Some("Bearer")),
        ("POST", "/api/v1/orders", Some(&*courier), 403, Some("Bearer error=\"insufficient_scope\"")),
        ("POST", "/api/v1/orders", Some(&*customer), 200, None),
        ("POST", "/api/orders/create", None, 401, Some("Bearer")),
        ("POST", "/api/orders/create", Some(&*bare), 200, None),
        ("POST", "/api/orders/create", Some(&*customer), 200, None),
    ] {
        let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
        let answer = send(&edge, method, uri, &headers).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {uri} {authorization:?}");
        assert_eq!(answer.header("www-authenticate"), www_authenticate, "{method} {uri} {authorization:?}");
        if status == 200 {
            let user = authorization.map(|_| "customer-1");
            assert_eq!(answer.sent("x-user-id"), user, "{method} {uri} {authorization:?}");
            let passed_on = answer.sent("authorization");
            assert_eq!(passed_on.is_some(), authorization.is_some());
            assert!(passed_on.is_none_or(|value| value.starts_with("Bearer ")), "{method} {uri}");
            assert_eq!(answer.body["outside"], true, "a service trusts the gateway's requests no further");
        }
    }
}

#[tokio::test]
async fn nobody_says_who_they_are_in_a_header() {
    let edge = edge();
    let claims = [
        ("x-user-id", "admin"),
        ("x-forwarded-user", "admin"),
        ("forwarded", "for=127.0.0.1"),
        ("partie-service", "stolen"),
        ("partie-anything", "1"),
        ("x_user_id", "admin"),
        ("connection", "x-request-id"),
        ("connection", "close, x-user-id, x-named"),
        ("x-named", "1"),
        ("x-kept", "1"),
        ("x-request-id", "r-1"),
    ];
    let answer = send(&edge, "GET", "/api/v1/orders/7", &claims).await;
    assert_eq!(answer.header("x-request-id"), Some("r-1"));
    let sent: Vec<&str> = answer.body["headers"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(sent, ["partie-timeout-ms", "traceparent", "x-kept", "x-request-id"]);

    let with_token = [("authorization", &*format!("Bearer {}", token("customer")))];
    let both: Vec<_> = claims.iter().chain(&with_token).copied().collect();
    let answer = send(&edge, "GET", "/api/v1/orders/7", &both).await;
    assert_eq!(answer.sent("x-user-id"), Some("customer-1"));
}

#[tokio::test]
async fn an_api_key_goes_on_as_the_one_thing_services_look_at() {
    const KEY: &str = "pk_0123456789abcdefghijklmnop";
    // printf %s KEY | sha256sum
    const SHA256: &str = "69371ad7ee1b4796f966506ba4307d244f022be37eef710ca8e37d73c540ccfd";
    let key = || ApiKey::new(SHA256, "reporting", vec!["customer".into()], None).unwrap();
    let edge = edge_with(|_, parts| {
        parts.verifier = Arc::new(Verifier::new([signer().trusted("food")]).with_api_keys([key()]));
    });
    let bearer = format!("Bearer {KEY}");
    for shown in [("x-api-key", KEY), ("authorization", &*bearer)] {
        let answer = send(&edge, "POST", "/api/v1/orders", &[shown]).await;
        assert_eq!(answer.status, 200, "{shown:?}");
        assert_eq!(answer.sent("authorization"), Some(&*bearer));
        assert_eq!((answer.sent("x-api-key"), answer.sent("x-user-id")), (None, Some("reporting")));
    }
    for (headers, status) in [
        (vec![("x-api-key", "pk_another-key-that-nobody-knows")], 401),
        (vec![("x-api-key", "a.b.c")], 401),
        (vec![("x-api-key", KEY), ("authorization", &*bearer)], 400),
        (vec![("x-api-key", KEY), ("x-api-key", KEY)], 400),
    ] {
        assert_eq!(send(&edge, "POST", "/api/v1/orders", &headers).await.status, status, "{headers:?}");
    }
}

#[tokio::test]
async fn the_demo_customer_writes_on_tutorial_routes_from_this_machine_only() {
    let demo = ServiceTokens::new(signer().clone(), "food", "demo").unwrap();
    let edge = edge_with(|_, parts| {
        parts.demo = Some(Arc::new(move || {
            let mut identity = (*demo.identity()).clone();
            identity.roles = vec!["customer".into()];
            Some(Arc::new(identity))
        }));
    });
    for (from, method, uri, authorization, status) in [
        ("127.0.0.1:1", "POST", "/api/orders/create", None, 200),
        ("[::1]:1", "POST", "/api/orders/create", None, 200),
        ("[::ffff:127.0.0.1]:1", "POST", "/api/orders/create", None, 200),
        ("192.0.2.1:1", "POST", "/api/orders/create", None, 401),
        ("127.0.0.1:1", "POST", "/api/orders/create", Some("nonsense"), 401),
        ("127.0.0.1:1", "GET", "/api/orders/mine", None, 401),
        ("127.0.0.1:1", "POST", "/api/v1/orders", None, 401),
    ] {
        let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
        let answer = send_from(&edge, from, method, uri, &headers, Body::empty()).await;
        assert_eq!(answer.status.as_u16(), status, "{from} {method} {uri}");
        if status == 200 {
            assert_eq!(answer.sent("x-user-id"), Some("service:demo"));
            assert!(answer.sent("authorization").unwrap().starts_with("Bearer "));
        }
    }
}
