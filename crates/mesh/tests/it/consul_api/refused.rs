//! Who is not answered, and what is not taken.

use std::time::Duration;

use http::{Method, StatusCode};
use partie_contract::Body;
use partie_mesh::discovery::{EmbeddedRegistryConfig, Instance};
use serde_json::{Value, json};

use super::{Api, request};

#[tokio::test]
async fn only_programs_of_this_machine_are_answered() {
    let api = Api::start();
    let leader = || request(Method::GET, "/v1/status/leader");
    assert_eq!(api.send(leader(), &Value::Null).await.text, "\"127.0.0.1:8300\"");
    let page = api.send(leader().header("origin", "http://localhost:8500"), &Value::Null).await;
    assert_eq!((page.status, page.text.contains("Origin")), (StatusCode::FORBIDDEN, true));
    for host in ["evil.example", "evil.example:8500", "localhost.evil.example", "10.0.0.1:8500", ""] {
        let rebound = http::Request::builder().uri("/v1/status/leader").header("host", host);
        assert_eq!(api.send(rebound, &Value::Null).await.status, StatusCode::FORBIDDEN, "{host}");
    }
    for host in ["127.0.0.1", "LOCALHOST:1", "[::1]:8500", "127.8.9.1:8500"] {
        let local = http::Request::builder().uri("/v1/status/leader").header("host", host);
        assert_eq!(api.send(local, &Value::Null).await.status, StatusCode::OK, "{host}");
    }
    let request = leader().body(Body::empty()).unwrap();
    let elsewhere = api.serve("192.0.2.1:5000".parse().unwrap(), request).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    assert_eq!(elsewhere.headers["content-type"], "text/plain; charset=utf-8");
}

#[tokio::test]
async fn names_of_the_system_need_its_token_whatever_is_done_with_them() {
    let api = Api::start();
    let register = |token: &'static str, body: Value| {
        let request = request(Method::PUT, "/v1/agent/service/register").header("x-consul-token", token);
        let api = &api;
        async move { api.send(request, &body).await.status }
    };
    let orders =
        json!({ "ID": "o", "Name": "Orders", "Port": 1, "Check": { "TTL": "1h", "Status": "passing" } });
    assert_eq!(register("guess", orders.clone()).await, StatusCode::FORBIDDEN);
    assert_eq!(register("join", orders).await, StatusCode::OK);
    // Neither its id nor its checks are free.
    assert_eq!(register("", json!({ "ID": "o", "Name": "mine", "Port": 1 })).await, StatusCode::FORBIDDEN);
    for path in [
        "/v1/agent/check/fail/service:o",
        "/v1/agent/check/deregister/service:o",
        "/v1/agent/service/deregister/o",
    ] {
        assert_eq!(api.put(path, Value::Null).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let fail = json!({ "Status": "critical" });
    assert_eq!(api.put("/v1/agent/check/update/service:o", fail).await.status, StatusCode::FORBIDDEN);
    let check = json!({ "Name": "c", "ServiceID": "o", "TTL": "1s" });
    assert_eq!(api.put("/v1/agent/check/register", check).await.status, StatusCode::FORBIDDEN);
    assert_eq!(api.ids("Orders?passing").await, ["o"]);
    assert_eq!(
        api.put("/v1/agent/service/deregister/o?token=join", Value::Null).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn bad_registrations_are_refused_with_the_reason() {
    let api = Api::start();
    let check = |check: Value| json!({ "Name": "a", "Port": 1, "Address": "127.0.0.1", "Check": check });
    let http = |url: &str| check(json!({ "HTTP": url, "Interval": "1s" }));
    for (body, reason) in [
        (json!([]), "Request decode failed"),
        (json!({}), "Missing service name"),
        (json!({ "Name": 7 }), "Name"),
        (json!({ "Name": "a" }), "port"),
        (json!({ "Name": "a", "Port": 65_536 }), "port"),
        (json!({ "Name": "a", "Port": -1 }), "port"),
        (json!({ "Name": "a\n", "Port": 1 }), "Invalid service name"),
        (json!({ "Name": "a".repeat(300), "Port": 1 }), "256"),
        (json!({ "Name": "a", "Port": 1, "Tags": "x" }), "Tags"),
        (json!({ "Name": "a", "Port": 1, "Meta": { "x": 1 } }), "Meta"),
        (json!({ "Name": "a", "Port": 1, "Weights": { "Passing": 0 } }), "weights"),
        (json!({ "Name": "a", "Port": 1, "Kind": "connect-proxy" }), "Connect"),
        (json!({ "Name": "a", "Port": 1, "Address": "0.0.0.0" }), "Invalid service address"),
        (json!({ "Name": "a", "Port": 1, "Address": "no.such.host.invalid" }), "Invalid service address"),
        (json!({ "Name": "a", "Port": 1, "Checks": vec![json!({ "TTL": "1s" }); 17] }), "16"),
        (check(json!({ "Script": "reboot", "Interval": "1s" })), "script checks"),
        (check(json!({ "Args": ["reboot"], "Interval": "1s" })), "script checks"),
        (check(json!({ "DockerContainerID": "x", "Shell": "sh", "Interval": "1s" })), "script checks"),
        (check(json!({ "TCP": "127.0.0.1:1", "Interval": "1s" })), "HTTP and Interval"),
        (check(json!({ "TTL": "1s", "HTTP": "http://127.0.0.1", "Interval": "1s" })), "either"),
        (check(json!({ "TTL": "soon" })), "duration of TTL"),
        (check(json!({ "TTL": "1s", "Status": "fine" })), "status"),
        (check(json!({ "HTTP": "http://127.0.0.1" })), "Interval"),
        (http("https://127.0.0.1"), "only http"),
        (http("http://u:p@127.0.0.1"), "only http"),
        (http("/health"), "only http"),
        (http("http://169.254.169.254/latest"), "loopback"),
        (http("http://example.com/"), "loopback"),
        (http("http://localhost.example.com/"), "loopback"),
    ] {
        let answer = api.put("/v1/agent/service/register", body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.text.contains(reason), "{body}: {}", answer.text);
    }
    let raw = |body: &'static str| {
        let request = request(Method::PUT, "/v1/agent/service/register").body(Body::from(body)).unwrap();
        api.serve("127.0.0.1:1".parse().unwrap(), request)
    };
    let malformed = raw("{\"Name\": ").await;
    assert_eq!(malformed.status, StatusCode::BAD_REQUEST);
    assert!(malformed.text.contains("EOF while parsing"), "{}", malformed.text);
    let long = json!({ "Name": "a".repeat(20_000) });
    assert_eq!(api.put("/v1/agent/service/register", long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(api.get("/v1/agent/services").await.json(), json!({}));
    assert!(api.registry.services().is_empty());

    for (method, path, status) in [
        (Method::GET, "/v1/agent/service/register", 405),
        (Method::POST, "/v1/health/service/a", 405),
        (Method::GET, "/v1/kv/a", 404),
        (Method::GET, "/", 404),
        (Method::GET, "/v1/health/service/%ff", 404),
        (Method::PUT, "/v1/agent/check/pass/nobody", 404),
        (Method::PUT, "/v1/agent/service/deregister/nobody", 404),
        (Method::GET, "/v1/health/service/a?index=x", 400),
        (Method::GET, "/v1/health/service/a?index=1&wait=x", 400),
        (Method::GET, "/v1/health/service/a?passing=maybe", 400),
        (Method::GET, "/v1/health/service/a?filter=Checks%20is%20empty", 400),
        (Method::GET, "/v1/health/service/a?dc=elsewhere", 400),
    ] {
        let answer = api.send(request(method.clone(), path), &Value::Null).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_is_registered_is_bounded_even_while_it_is_critical() {
    let bounds = EmbeddedRegistryConfig { services: 2, instances: 3, settling: Duration::ZERO };
    let api = Api::with(bounds);
    api.registry.put("known", &Instance::new("k", "127.0.0.1:1".parse().unwrap()), None).unwrap();
    let critical =
        |name: &str, id: &str| json!({ "ID": id, "Name": name, "Port": 1, "Check": { "TTL": "1h" } });
    api.register(critical("menu", "a")).await;
    let refused = api.put("/v1/agent/service/register", critical("more", "b")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text.contains("2 services and 3 instances"), "{}", refused.text);
    api.register(critical("known", "b")).await;
    api.register(critical("menu", "c")).await;
    assert_eq!(
        api.put("/v1/agent/service/register", critical("menu", "d")).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    // Who is there may register again, under another name as well.
    api.register(critical("known", "c")).await;
    assert_eq!(api.ids("known").await, ["b", "c", "k"]);
}
