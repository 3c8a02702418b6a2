//! From a client to a service and back: what comes out is what went in.

use std::sync::Arc;

use http::Method;
use partie_contract::{
    Call, Created, Fault, FaultKind, Id, IfMatch, Limit, NoContent, Origin, Outcome, OutcomeExt as _,
    Problem as _, Versioned,
};
use serde_json::json;

use crate::kitchen::{Dish, DishId, Find, Kitchen, KitchenClient, KitchenError, NewDish, Stove};
use crate::wire::{Wire, call, identity};

fn new(name: &str) -> NewDish {
    NewDish { name: name.to_owned(), price: 7, tags: Vec::new() }
}

async fn added(client: &KitchenClient, name: &str) -> Dish {
    client.add(&call().with_key("k"), new(name)).await.unwrap().0
}

#[tokio::test]
async fn values_and_statuses_survive() {
    let client: KitchenClient = Stove::wire().client();
    let soup = added(&client, "soup").await;
    assert_eq!(client.dish(&call(), soup.id).await.unwrap(), Versioned(soup.clone()));
    assert_eq!(client.cook(&call(), soup.id).await.unwrap().0, soup);
    assert_eq!(client.remove(&call(), soup.id).await.unwrap(), NoContent);
    assert!(matches!(client.remove(&call(), soup.id).await, Err(Fault::Domain(KitchenError::NotFound))));
}

#[tokio::test]
async fn the_trait_is_the_client_and_may_be_shared() {
    async fn cook_by<K: Kitchen>(kitchen: &K, cx: &Call) -> Outcome<Created<Dish>, KitchenError> {
        kitchen.add(cx, new("by trait")).await
    }
    let client: KitchenClient = Stove::wire().client();
    let cx = call().with_key("k");
    assert_eq!(cook_by(&client, &cx).await.unwrap().0.version, 1);
    assert_eq!(cook_by(&Arc::new(client), &cx).await.unwrap().0.version, 1);
    assert_eq!(cook_by(&Stove::default(), &cx).await.unwrap().0.version, 1);
    let shared = Wire::default().serve(&Arc::new(Arc::new(Stove::default())), Kitchen::routes());
    assert_eq!(cook_by(&shared.client::<KitchenClient>(), &cx).await.unwrap().0.version, 1);
}

#[tokio::test]
async fn created_says_where() {
    let wire = Stove::wire();
    let request = http::Request::post("/api/v1/dishes").body(r#"{"name":"soup","price":1}"#.into()).unwrap();
    let client: KitchenClient = wire.client();
    let soup = added(&client, "soup").await;
    let (status, body) = wire.raw(Method::GET, &format!("/api/v1/dishes/{}", soup.id), "").await;
    assert_eq!((status.as_u16(), body["name"].as_str()), (200, Some("soup")));
    let response =
        partie_contract::Transport::send(&wire, call(), &crate::kitchen::KITCHEN.operations[0], request);
    let response = response.await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["location"], "/api/v1/dishes/00000000-0000-0000-0000-000000000002");
    assert_eq!(response.headers()["etag"], "\"1\"");
}

#[tokio::test]
async fn problems_come_back_as_the_same_enum() {
    let client: KitchenClient = Stove::wire().client();
    let cx = call().with_key("k");
    for expected in [KitchenError::Closed { opens_in: None, why: "it is late".into() }, KitchenError::NoGas] {
        let name = if expected == KitchenError::NoGas { "gas" } else { "late" };
        match client.add(&cx, new(name)).await {
            Err(Fault::Domain(error)) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn problems_are_problem_json_outside() {
    let body = r#"{"name":"late","price":1}"#;
    let (status, problem) = Stove::wire().raw(Method::POST, "/api/v1/dishes?", body).await;
    assert_eq!(status, 409);
    assert_eq!(
        problem,
        json!({
            "type": "urn:partie:problem:kitchen-closed",
            "title": "The kitchen is closed.",
            "status": 409,
            "code": "kitchen-closed",
            "instance": "/api/v1/dishes",
            "request_id": "00000000000000000000000000000003",
            "opens_in": null,
            "why": "it is late",
        })
    );
}

#[tokio::test]
async fn a_bug_over_there_is_opaque_here() {
    let client: KitchenClient = Stove::wire().client();
    let fault = match client.add(&call().with_key("k"), new("bug")).await {
        Err(Fault::Platform(fault)) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!((fault.kind(), fault.origin()), (FaultKind::Internal, Origin::Upstream));
    assert_eq!(fault.outward_kind(), FaultKind::UpstreamFailed);
    assert!(!format!("{fault:?}").contains("hunter2"));
}

#[test]
fn problems_decode_with_members_unknown_and_absent() {
    let members = |value: serde_json::Value| value.as_object().unwrap().clone();
    let closed = |opens_in| Some(KitchenError::Closed { opens_in, why: "x".into() });
    let decode = |value| KitchenError::decode("kitchen-closed", members(value));
    assert_eq!(decode(json!({"why": "x", "opens_in": 5, "news": []})), closed(Some(5)));
    assert_eq!(decode(json!({"why": "x"})), closed(None));
    assert_eq!(decode(json!({"opens_in": 5})), None);
    assert_eq!(decode(json!({"why": 5})), None);
    assert_eq!(KitchenError::decode("kitchen-open", members(json!({}))), None);
    let titles: Vec<&str> = KitchenError::KINDS.iter().map(|kind| kind.title).collect();
    assert_eq!(titles, ["There is no such dish.", "The kitchen is closed.", "The gas is out."]);
}

#[tokio::test]
async fn path_parameters_hold_anything() {
    let client: KitchenClient = Stove::wire().client();
    for text in
        ["plain", "a/b", "100%", "%2F", "../..", "a?b#c&d=e", "Crème brûlée 🍮", "a b+c", "\"<>\\^`{|}"]
    {
        let echoed = client.echo(&call(), text.to_owned(), "first".to_owned()).await.unwrap();
        assert_eq!(echoed, ["first", text]);
    }
}

#[tokio::test]
async fn what_cannot_be_a_segment_does_not_leave() {
    let client: KitchenClient = Stove::wire().client();
    for text in ["", ".", ".."] {
        let fault = client.echo(&call(), text.to_owned(), "first".to_owned()).await.unexpected().unwrap_err();
        assert_eq!((fault.kind(), fault.origin()), (FaultKind::MalformedRequest, Origin::Local), "{text:?}");
    }
}

#[tokio::test]
async fn a_keyed_call_needs_its_key() {
    let client: KitchenClient = Stove::wire().client();
    let fault = client.add(&call(), new("soup")).await.unexpected().unwrap_err();
    assert_eq!((fault.kind(), fault.origin()), (FaultKind::IdempotencyKeyMissing, Origin::Local));
}

#[tokio::test]
async fn preconditions_and_identity_travel_with_the_call() {
    let wire = Stove::wire();
    let client: KitchenClient = wire.client();
    let soup = added(&client, "soup").await;
    let stale = call().with_if_match(IfMatch::Version(7));
    let fault = client.replace(&stale, soup.id, new("stew")).await.unexpected().unwrap_err();
    assert_eq!(fault.kind(), FaultKind::PreconditionFailed);
    let fresh = call().with_if_match(IfMatch::Version(1));
    assert_eq!(client.replace(&fresh, soup.id, new("stew")).await.unwrap().0.version, 2);

    let alice = call().with_caller(identity("alice"));
    assert_eq!(client.me(&alice).await.unwrap(), "alice by way of nobody");
    let client: KitchenClient = wire.by_service("waiter").client();
    assert_eq!(client.me(&alice).await.unwrap(), "alice by way of waiter");
    let fault = client.me(&call()).await.unexpected().unwrap_err();
    assert_eq!(fault.outward_kind(), FaultKind::Unauthenticated);
}

#[tokio::test]
async fn pages_follow_their_cursors() {
    let client: KitchenClient = Stove::wire().client();
    for name in ["a soup", "b soup", "c soup", "d stew"] {
        added(&client, name).await;
    }
    let names = |page: &partie_contract::Page<Dish>| {
        page.data.iter().map(|dish| dish.name.clone()).collect::<Vec<_>>()
    };
    let limit: Limit = serde_json::from_str("2").unwrap();
    let first = Find { name: Some("soup".into()), limit, after: None };
    let page = client.find(&call(), first.clone()).await.unwrap();
    assert_eq!(names(&page), ["a soup", "b soup"]);
    let page = client.find(&call(), Find { after: page.next, ..first }).await.unwrap();
    assert_eq!((names(&page), page.next), (vec!["c soup".to_owned()], None));
    assert_eq!(client.find(&call(), Find::default()).await.unwrap().data.len(), 4);
}

#[tokio::test]
async fn nothing_there_is_a_fault_of_the_platform() {
    let client: KitchenClient = Wire::default().client();
    let id = DishId::from_uuid(uuid::Uuid::from_u128(1));
    match client.dish(&call(), id).await {
        Err(Fault::Platform(fault)) => {
            assert_eq!(fault.kind(), FaultKind::NotFound);
            assert_eq!(fault.outward_kind(), FaultKind::UpstreamFailed);
        }
        other => panic!("{other:?}"),
    }
}
