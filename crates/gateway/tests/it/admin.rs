//! The pages for those who run the gateway, and those for those who use what is behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, StatusCode};
use partie_contract::{Body, Request};
use partie_gateway::{Admin, AdminParts, Gateway, Page, Readiness, UpstreamConfig, Vitals};
use partie_mesh::{Peer, Serve};
use serde_json::{Value, json};

use crate::support::{edge_with, send};
use crate::upstream::{Program, at, edge_of, route, shop};

async fn ask<S: Serve + 'static>(
    admin: &Arc<S>,
    from: &str,
    method: Method,
    path: &str,
) -> (StatusCode, Value) {
    let mut request = Request::new(Body::empty());
    (*request.method_mut(), *request.uri_mut()) = (method, path.parse().unwrap());
    request.headers_mut().insert("host", "localhost:9901".parse().unwrap());
    let answer = Arc::clone(admin).serve(Peer::Network(from.parse().unwrap()), request).await;
    let status = answer.status();
    let body = answer.into_body().collect(1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn who_runs_it_sees_what_counts() {
    let good = Arc::new(AtomicBool::new(true));
    let (asked, told) = (Arc::clone(&good), Arc::clone(&good));
    let parts = AdminParts {
        config: Arc::new(|| json!({ "gateway": { "body": 7 } })),
        reload: Arc::new(move || {
            let good = asked.load(Ordering::Relaxed);
            Box::pin(async move { if good { Ok(()) } else { Err("route /a: it leads nowhere".into()) } })
        }),
        broken: Arc::new(move || (!told.load(Ordering::Relaxed)).then(|| "route /a".into())),
    };
    let admin = Arc::new(Admin::new(edge_of(&shop(vec![route("/menu", "shop")])), parts));
    let (here, away) = ("127.0.0.1:1", "203.0.113.5:1");
    let (status, health) = ask(&admin, away, Method::GET, "/health").await;
    assert_eq!(
        (status.as_u16(), &health["configuration"], &health["refused"]),
        (200, &1.into(), &Value::Null)
    );
    assert_eq!(ask(&admin, here, Method::GET, "/config").await.1["gateway"]["body"], 7);
    let (_, routes) = ask(&admin, here, Method::GET, "/routes").await;
    let route = &routes["configured"][0];
    assert_eq!((&route["prefix"], &route["to"][0]["upstream"]), (&"/menu/".into(), &"shop".into()));
    assert_eq!(route["to"][0]["known"], true);
    assert_eq!(ask(&admin, here, Method::POST, "/reload").await.0, 200);
    good.store(false, Ordering::Relaxed);
    let (status, refusal) = ask(&admin, here, Method::POST, "/reload").await;
    assert_eq!((status.as_u16(), &refusal["detail"]), (422, &"route /a: it leads nowhere".into()));
    assert_eq!(ask(&admin, here, Method::GET, "/health").await.1["refused"], "route /a");
    for (from, method, path, status) in [
        (away, Method::GET, "/metrics", 200),
        (away, Method::GET, "/ready", 200),
        (away, Method::GET, "/config", 403),
        (away, Method::GET, "/routes", 403),
        (away, Method::POST, "/reload", 403),
        (here, Method::GET, "/reload", 405),
        (here, Method::POST, "/config", 405),
        (here, Method::GET, "/else", 404),
    ] {
        assert_eq!(
            ask(&admin, from, method.clone(), path).await.0.as_u16(),
            status,
            "{from} {method} {path}"
        );
    }
}

#[tokio::test]
async fn pages_that_are_not_shown_are_free_for_routes() {
    let mut gateway = shop(vec![route("/", "shop")]);
    gateway.pages = vec![Page::Docs];
    let edge = edge_of(&gateway);
    assert_eq!(send(&edge, "GET", "/health", &[]).await.header("x-program"), Some("shop"));
    let page = send(&edge, "GET", "/docs", &[]).await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let text = page.body.as_str().unwrap();
    assert!(!text.contains("//") && text.contains("/docs/page.js"), "nothing from elsewhere: {text}");
    for (uri, kind) in
        [("/docs/page.js", "text/javascript; charset=utf-8"), ("/docs/page.css", "text/css; charset=utf-8")]
    {
        assert_eq!(send(&edge, "GET", uri, &[]).await.header("content-type"), Some(kind));
    }
}

#[tokio::test]
async fn upstreams_describe_themselves() {
    let described =
        |name, path: &str| UpstreamConfig { openapi: Some(path.into()), ..at(Program::start(name)) };
    let mut gateway = Gateway {
        upstreams: [
            ("cards".to_owned(), described("cards", "/openapi/menu.json")),
            ("broken".to_owned(), described("broken", "/text/7")),
            (
                "down".to_owned(),
                UpstreamConfig { openapi: Some("/x".into()), ..at("127.0.0.1:1".parse().unwrap()) },
            ),
        ]
        .into(),
        routes: vec![route("/broken", "broken"), route("/down", "down")],
        ..Gateway::default()
    };
    gateway
        .routes
        .push(partie_gateway::RouteConfig { rewrite: Some("/api".into()), ..route("/menu", "cards") });
    let edge = edge_with(|own, _| (own.upstreams, own.routes) = (gateway.upstreams, gateway.routes));
    let whole = send(&edge, "GET", "/openapi.json", &[]).await.body;
    assert!(whole["paths"]["/api/v1/orders/{id}"].is_object(), "the contracts' own");
    assert_eq!(whole["paths"]["/menu/items"]["get"]["operationId"], "items");
    assert_eq!(whole["paths"].get("/elsewhere"), None);
    assert_eq!(whole["info"]["title"], "food");
}

#[tokio::test]
async fn a_process_is_watched_by_whoever_reaches_it_and_nothing_more() {
    let able = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&able);
    let vitals = Arc::new(Vitals {
        title: "food".into(),
        ready: Arc::new(move || {
            let problem = (!told.load(Ordering::Relaxed)).then(|| "the disk is full".to_owned());
            vec![Readiness { service: "orders".into(), problem }]
        }),
        metrics: Arc::new(|| "up 1\n".into()),
    });
    let away = "203.0.113.5:1";
    for (method, path, status) in [
        (Method::GET, "/health", 200),
        (Method::HEAD, "/health", 200),
        (Method::GET, "/ready", 200),
        (Method::GET, "/metrics", 200),
        (Method::POST, "/ready", 405),
        (Method::GET, "/config", 404),
        (Method::POST, "/reload", 404),
    ] {
        assert_eq!(ask(&vitals, away, method, path).await.0, status, "{path}");
    }
    assert_eq!(ask(&vitals, away, Method::HEAD, "/health").await.1, Value::Null);
    assert_eq!(ask(&vitals, away, Method::GET, "/health").await.1["system"], "food");
    able.store(false, Ordering::Relaxed);
    let (status, said) = ask(&vitals, away, Method::GET, "/ready").await;
    assert_eq!((status.as_u16(), &said["services"]["orders"]), (503, &"the disk is full".into()));
}
