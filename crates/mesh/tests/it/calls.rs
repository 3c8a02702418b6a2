//! Calls of typed clients.

use std::time::Duration;

use http::{HeaderValue, header};
use partie_contract::{
    Access, Call, Caller, Channel, Deadline, Fault, FaultKind, Identity, NoProblem, Operation, Outbound,
    Outcome, Param, Reply, Trace, Verb, wire,
};
use partie_mesh::{Handles, Limits, Mesh, MeshConfig, Origin, Peer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::support::{FOREVER, Server, fake};

/// What a service gets to see of a call.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Seen {
    path: String,
    peer: String,
    authorization: Option<String>,
    service: Option<String>,
    request_id: Option<String>,
    trace: Option<String>,
}

/// By hand what `#[contract]` writes: this crate is tested without the macros.
static LOOK: Operation = Operation {
    service: "mirror",
    contract: "mirror",
    version: 1,
    name: "look",
    doc: "Look.",
    verb: Verb::Get,
    path: "/api/v1/mirror/{name}",
    access: Access::Public,
    keyed: false,
    key_optional: false,
    precondition: false,
    no_store: false,
    params: &[Param { name: "name", schema: partie_contract::schema_of::<String> }],
    query: None,
    body: None,
    reply: <Seen as Reply>::SPEC,
    problems: &[],
    timeout: None,
};

async fn look(channel: &Channel, cx: &Call, name: &str) -> Outcome<Seen, NoProblem> {
    channel.call(cx, Outbound::new(&LOOK).param(name)).await
}

fn call() -> Call {
    let identity = Identity::new("customer-1", "a.b.c", i64::MAX).with_roles(["customer"]);
    Call::new(Deadline::after(FOREVER), Trace::new(7, 8)).with_caller(Caller::from(identity))
}

fn mirror() -> std::sync::Arc<dyn partie_mesh::Serve> {
    fake(|peer, request| async move {
        let text = |name| Some(request.headers().get(name)?.to_str().unwrap().to_owned());
        let seen = Seen {
            path: request.uri().to_string(),
            peer: match peer {
                Peer::InProcess(service) | Peer::Service { name: service, .. } => service.to_string(),
                Peer::Network(_) => "network".to_owned(),
            },
            authorization: text(header::AUTHORIZATION),
            service: text(wire::SERVICE_TOKEN),
            request_id: text(wire::REQUEST_ID),
            trace: text(wire::TRACEPARENT),
        };
        partie_contract::Rendered::json(200, &seen).unwrap().into_response()
    })
}

#[tokio::test]
async fn a_call_carries_its_context_and_proves_the_service_to_other_processes_only() {
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    let origin = Origin::new("orders").with_token(|| Some(HeaderValue::from_static("service.token")));
    // Channels come first, services later: clients are taken while everything starts.
    let channel = mesh.channel(origin, "mirror");
    let nowhere = look(&channel, &call(), "x").await.unwrap_err();
    assert!(matches!(nowhere, Fault::Platform(fault) if fault.kind() == FaultKind::UpstreamUnavailable));

    let server = Server::start(Limits::default(), mirror());
    let mut traces = Vec::new();
    for in_process in [true, false] {
        if in_process {
            mesh.attach("mirror", mirror())
        } else {
            mesh.connect("mirror", server.address)
        }
        let seen = look(&channel, &call(), "a/b").await.unwrap();
        let trace = seen.trace.clone().unwrap();
        assert_eq!(trace[..36], call().trace().to_string()[..36]);
        traces.push(trace);
        let expected = Seen {
            path: "/api/v1/mirror/a%2Fb".into(),
            peer: if in_process { "orders" } else { "network" }.into(),
            authorization: Some("Bearer a.b.c".into()),
            service: (!in_process).then(|| "service.token".into()),
            request_id: Some(call().request_id().into()),
            trace: seen.trace.clone(),
        };
        assert_eq!(seen, expected);
    }
    traces.push(call().trace().to_string());
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), 3, "each call is a span of its own");

    mesh.disconnect("mirror");
    assert!(look(&channel, &call(), "x").await.is_err());
    server.stopped().await;
}

#[tokio::test]
async fn the_deadline_of_the_call_is_the_deadline() {
    let mesh = Mesh::new(MeshConfig::default(), Handles::default());
    mesh.attach("mirror", fake(|_, _| std::future::pending()));
    let channel = mesh.channel(Origin::new("orders"), "mirror");
    let fault = look(&channel, &call().within(Duration::from_millis(50)), "x").await.unwrap_err();
    assert!(matches!(fault, Fault::Platform(fault) if fault.kind() == FaultKind::UpstreamTimeout));
}
