//! An edge with two services behind it that tell what they got.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use partie_contract::{
    Access, Body, BoxFuture, Content, Contract, Operation, ReplySpec, Request, Response, Verb,
};
use partie_gateway::{Edge, Gateway, Parts, Readiness};
use partie_identity::{Grant, Signer};
use partie_mesh::{Handles, Mesh, MeshConfig, Peer, Serve};
use serde_json::Value;

const NOTHING: ReplySpec = ReplySpec { status: 200, content: Content::Empty, headers: &[] };

/// An operation without arguments, by hand.
pub(crate) const fn operation(
    service: &'static str,
    name: &'static str,
    verb: Verb,
    path: &'static str,
    access: Access,
) -> Operation {
    Operation {
        service,
        contract: service,
        version: 1,
        name,
        doc: "",
        verb,
        path,
        access,
        keyed: false,
        key_optional: false,
        precondition: false,
        no_store: false,
        params: &[],
        query: None,
        body: None,
        reply: NOTHING,
        problems: &[],
        timeout: None,
    }
}

/// A contract of those operations.
pub(crate) const fn contract(
    service: &'static str,
    compat: bool,
    operations: &'static [Operation],
) -> Contract {
    Contract { service, name: service, version: 1, doc: "", compat, operations }
}

const CUSTOMER: Access = Access::Roles(&["customer"]);

pub(crate) static ORDERS: Contract = contract(
    "orders",
    false,
    &[
        operation("orders", "list", Verb::Get, "/api/v1/orders", Access::Authenticated),
        operation("orders", "place", Verb::Post, "/api/v1/orders", CUSTOMER),
        operation("orders", "read", Verb::Get, "/api/v1/orders/{id}", Access::Public),
        operation("orders", "replace", Verb::Put, "/api/v1/orders/{order}", Access::Public),
        Operation {
            timeout: Some(Duration::from_secs(2)),
            ..operation("orders", "quick", Verb::Get, "/api/v1/orders/{id}/quick", Access::Public)
        },
        Operation {
            timeout: Some(Duration::from_secs(600)),
            ..operation("orders", "slow", Verb::Get, "/api/v1/orders/{id}/slow", Access::Public)
        },
    ],
);

pub(crate) static TUTORIAL: Contract = contract(
    "orders",
    true,
    &[
        operation("orders", "create", Verb::Post, "/api/orders/create", CUSTOMER),
        operation("orders", "mine", Verb::Get, "/api/orders/mine", CUSTOMER),
    ],
);

pub(crate) static MENU: Contract =
    contract("menu", false, &[operation("menu", "read", Verb::Get, "/api/v1/menu", Access::Public)]);

/// Tells what it got, as JSON; `/panic` anywhere in the address panics.
pub(crate) struct Mirror;

impl Serve for Mirror {
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            assert!(!head.uri.path().contains("panic"), "on purpose");
            let body = match body.collect(usize::MAX).await {
                Ok(body) => body,
                Err(fault) => return fault.into_response(None, None),
            };
            let headers: serde_json::Map<String, Value> = head
                .headers
                .keys()
                .map(|name| {
                    let lines = head.headers.get_all(name).iter();
                    let lines: Vec<_> =
                        lines.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
                    (name.to_string(), lines.join(" | ").into())
                })
                .collect();
            let outside = matches!(peer, Peer::Network(_));
            let seen = serde_json::json!({
                "method": head.method.as_str(),
                "uri": head.uri.to_string(),
                "headers": headers,
                "body": body.len(),
                "outside": outside,
            });
            Response::new(seen.to_string().into_bytes().into())
        })
    }
}

pub(crate) fn signer() -> &'static Signer {
    static SIGNER: OnceLock<Signer> = OnceLock::new();
    SIGNER.get_or_init(|| {
        let dir = std::env::temp_dir().join(format!("partie-gateway-tests-{}", std::process::id()));
        let signer = Signer::development(&dir).unwrap();
        std::fs::remove_dir_all(dir).unwrap();
        signer
    })
}

/// A token of somebody with that role.
pub(crate) fn token(role: &str) -> String {
    signer().issue(&Grant::new("food", "customer-1", Duration::from_secs(600)).role(role)).unwrap()
}

pub(crate) fn parts(mesh: Mesh) -> Parts {
    Parts {
        title: "food".into(),
        contracts: vec![&ORDERS, &TUTORIAL, &MENU],
        grpc: vec![
            ("kitchen.v1.Orders", "orders"),
            ("kitchen.v1.Menu", "menu"),
            ("grpc.health.v1.Health", "orders"),
        ],
        mesh,
        verifier: Arc::new(signer().verifier("food")),
        ready: Arc::new(Vec::new),
        metrics: Arc::new(|| "up 1\n".into()),
        demo: None,
    }
}

/// The edge with `orders` behind it; `menu` is nowhere.
pub(crate) fn edge() -> Arc<Edge> {
    edge_with(|_, _| {})
}

pub(crate) fn edge_with(change: impl FnOnce(&mut Gateway, &mut Parts)) -> Arc<Edge> {
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.attach("orders", Arc::new(Mirror));
    let (mut gateway, mut parts) = (Gateway::default(), parts(mesh));
    change(&mut gateway, &mut parts);
    Arc::new(gateway.build(parts).unwrap())
}

pub(crate) fn not_ready(service: &str, problem: &str) -> Readiness {
    Readiness { service: service.into(), problem: Some(problem.into()) }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// A header the service got.
    pub(crate) fn sent(&self, name: &str) -> Option<&str> {
        self.body["headers"][name].as_str()
    }

    pub(crate) fn code(&self) -> Option<&str> {
        self.body["code"].as_str()
    }
}

/// Sends a request from this machine.
pub(crate) async fn send(edge: &Arc<Edge>, method: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
    send_from(edge, "127.0.0.1:4711", method, uri, headers, Body::empty()).await
}

pub(crate) async fn send_from(
    edge: &Arc<Edge>,
    from: &str,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Answer {
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
    *request.uri_mut() = uri.parse().unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let answer = Arc::clone(edge).serve(Peer::Network(from.parse().unwrap()), request).await;
    let (head, body) = answer.into_parts();
    let body = body.collect(1 << 20).await.unwrap();
    let text = || Value::from(String::from_utf8_lossy(&body).into_owned());
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| text());
    let answer = Answer { status: head.status, headers: head.headers, body };
    assert!(answer.header("x-request-id").is_some(), "{method} {uri}: {answer:?}");
    if answer.status.is_client_error() || answer.status.is_server_error() {
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {uri}");
    }
    answer
}
