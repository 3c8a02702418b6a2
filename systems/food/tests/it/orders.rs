//! Orders through the gateway: placed once, seen by their customer only, followed live.

use std::collections::BTreeSet;

use serde_json::json;

use crate::program::{Food, Scratch};

#[test]
fn an_order_is_placed_read_listed_and_cancelled() {
    let data = Scratch::new("orders");
    let food = Food::start(data.path());
    let token = Food::token(data.path(), "ada", "customer");
    let placed = food.post("/api/v1/orders", &token, "k-1", &food.basket());
    assert_eq!(placed.status, 201, "{placed:?}");
    let order = placed.json();
    let path = format!("/api/v1/orders/{}", order["id"].as_str().unwrap());
    assert!(
        placed.head.contains(&format!("location: {path}")) && placed.head.contains("etag: \"1\""),
        "{placed:?}"
    );
    assert_eq!(order["status"], "pending");
    let price = order["lines"][0]["price"]["amount"].as_i64().unwrap();
    assert_eq!(order["total"], json!({ "amount": price * 2, "currency": "USD" }));

    assert_eq!(food.get(&path, &token).json(), order);
    assert_eq!(food.get("/api/v1/orders", &token).json()["data"], json!([order]));
    let timeline = food.get(&format!("{path}/timeline"), &token).json();
    assert_eq!(timeline["data"][0]["event"], "order.placed");

    // Somebody else's order is not there.
    let stranger = Food::token(data.path(), "eve", "customer");
    for path in
        [path.clone(), format!("{path}/timeline"), format!("{path}/stream"), format!("{path}/tracking")]
    {
        let answer = food.get(&path, &stranger);
        assert_eq!((answer.status, answer.code().as_str()), (404, "order-not-found"), "{path}");
    }

    let cancel = format!("{path}/cancel");
    assert_eq!(food.post(&cancel, &token, "k-2", &json!({})).json()["status"], "cancel_pending");
    let all = food.events(&format!("{path}/stream"), &token, None, 9);
    assert_eq!(all.last().unwrap().1, "order.cancelled");
    let again = food.post(&cancel, &token, "k-3", &json!({}));
    assert_eq!((again.status, again.code().as_str()), (409, "invalid-transition"));
    assert_eq!(again.json()["current_state"], "cancelled");
}

#[test]
fn a_key_places_one_order_however_many_callers_race() {
    let data = Scratch::new("race");
    let food = Food::start(data.path());
    let token = Food::token(data.path(), "ada", "customer");
    let basket = food.basket();
    let ids: BTreeSet<String> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..32)
            .map(|_| scope.spawn(|| food.post("/api/v1/orders", &token, "one-key", &basket)))
            .collect();
        let answers = calls.into_iter().map(|call| call.join().unwrap());
        answers
            .map(|answer| {
                assert_eq!(answer.status, 201, "{answer:?}");
                answer.json()["id"].as_str().unwrap().to_owned()
            })
            .collect()
    });
    assert_eq!(ids.len(), 1);
    assert_eq!(food.get("/api/v1/orders?limit=100", &token).json()["data"].as_array().unwrap().len(), 1);

    let replay = food.post("/api/v1/orders", &token, "one-key", &basket);
    assert!(replay.head.contains("idempotency-replayed: true"), "{replay:?}");
    let mut other = basket.clone();
    other["items"][0]["quantity"] = 3.into();
    let reused = food.post("/api/v1/orders", &token, "one-key", &other);
    assert_eq!((reused.status, reused.code().as_str()), (422, "idempotency-key-reused"));
    // The same key of somebody else is another key.
    let stranger = Food::token(data.path(), "eve", "customer");
    assert_eq!(food.post("/api/v1/orders", &stranger, "one-key", &basket).status, 201);
}

#[test]
fn a_stream_resumes_after_the_last_event_seen_and_ends_with_the_order() {
    let data = Scratch::new("stream");
    let food = Food::start(data.path());
    let token = Food::token(data.path(), "ada", "customer");
    let order = food.post("/api/v1/orders", &token, "k-1", &food.basket()).json();
    let path = format!("/api/v1/orders/{}", order["id"].as_str().unwrap());
    let stream = format!("{path}/stream");
    let event = |id: &str, name: &str| (id.to_owned(), name.to_owned());
    assert_eq!(food.events(&stream, &token, None, 1), [event("1", "order.placed")]);
    // Somebody follows while it happens.
    std::thread::scope(|scope| {
        let following = scope.spawn(|| food.events(&stream, &token, Some("1"), 9));
        food.post(&format!("{path}/cancel"), &token, "k-2", &json!({}));
        assert_eq!(
            following.join().unwrap(),
            [event("2", "order.cancel_requested"), event("3", "order.cancelled")]
        );
    });
    // The order has ended, and with it every stream.
    let all =
        [event("1", "order.placed"), event("2", "order.cancel_requested"), event("3", "order.cancelled")];
    assert_eq!(food.events(&stream, &token, None, 9), all);
    for unknown in ["99", "nonsense"] {
        assert_eq!(food.events(&stream, &token, Some(unknown), 9), [event("3", "reset")], "{unknown}");
    }
}

#[test]
fn bad_orders_are_refused_with_everything_that_is_wrong() {
    let data = Scratch::new("bad");
    let food = Food::start(data.path());
    let token = Food::token(data.path(), "ada", "customer");
    let good = food.basket();
    let change = |pointer: &str, value: serde_json::Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let nobody = "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a";
    for (body, status, code) in [
        (change("/items/0/item_id", nobody.into()), 422, "item-invalid"),
        (change("/restaurant_id", nobody.into()), 422, "restaurant-unknown"),
        (change("/drop_off", json!({"lat": -33.9, "lon": 151.2})), 422, "out-of-zone"),
        (change("/drop_off", json!({"lat": 91, "lon": 0})), 422, "validation-failed"),
        (change("/drop_off", json!({"lat": 0, "lon": 0})), 422, "validation-failed"),
        (change("/contact", json!({})), 422, "validation-failed"),
        (change("/contact/phone", "030123456".into()), 422, "validation-failed"),
        (change("/items/0/quantity", 0.into()), 422, "validation-failed"),
        (change("/items", json!([])), 422, "validation-failed"),
    ] {
        let answer = food.post("/api/v1/orders", &token, code, &body);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
    }
    let answer = food.post("/api/v1/orders", &token, "many", &json!({"items": [{"quantity": 0}], "tip": 1}));
    let errors = answer.json()["errors"].as_array().unwrap().len();
    assert!(errors >= 6, "{answer:?}");
    // Nothing of all this was stored, not even the keys.
    assert_eq!(food.post("/api/v1/orders", &token, "many", &good).status, 201);
    assert_eq!(food.get("/api/v1/orders", &token).json()["data"].as_array().unwrap().len(), 1);
}
