//! The tutorial's own requests, as it writes them: without a version, without a key, and without a token.

use std::sync::Arc;

use partie_testkit::{TestRun, TestSystem};
use serde_json::{Value, json};

/// The system with its demo actors, who answer the tutorial's requests.
async fn open() -> TestRun {
    let run = TestSystem::of(food::system()).start().await;
    tokio::spawn(food::play(Arc::clone(&run)));
    run
}

/// The answer to a request of the tutorial.
async fn ask(run: &TestRun, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let http = run.http();
    let request = if method == "GET" { http.get(path) } else { http.post(path) };
    let request = match &body {
        Some(body) => request.json(body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status, answer.json())
}

fn has(answer: &Value, fields: &[&str]) {
    for field in fields {
        assert!(answer.get(field).is_some_and(|value| !value.is_null()), "{field} of {answer}");
    }
}

#[tokio::test]
async fn the_tutorials_requests_get_the_tutorials_answers() {
    let run = open().await;
    let (status, menu) = ask(&run, "GET", "/api/restaurants/1/menu", None).await;
    assert_eq!((status, menu["restaurant"].as_str()), (200, Some("Pizza Paradise")));
    assert_eq!(menu["menu"][0], json!({"id": 1, "name": "Margherita", "price": 12.99, "emoji": "🍕"}));
    has(&menu, &["emoji"]);

    let order = json!({"restaurant_id": 1, "customer_phone": "+15551234567"});
    let (status, placed) = ask(&run, "POST", "/api/orders/create", Some(order)).await;
    assert_eq!((status, placed["status"].as_str()), (200, Some("confirmed")), "{placed}");
    has(&placed, &["order_id", "driver", "eta", "tracking_id", "emoji"]);

    // Of an order, and of nothing in particular.
    for body in [json!({"order_id": placed["order_id"], "restaurant_id": 1}), json!({"restaurant_id": 1})] {
        let (status, assigned) = ask(&run, "POST", "/api/delivery/assign", Some(body)).await;
        assert_eq!(status, 200, "{assigned}");
        has(&assigned, &["driver", "eta_minutes", "tracking_id", "emoji"]);
    }

    let text = json!({"type": "sms", "recipient": "+15551234567", "message": "Order confirmed!"});
    let (status, sent) = ask(&run, "POST", "/api/notify", Some(text)).await;
    assert_eq!((status, &sent["sent"], &sent["type"]), (200, &json!(true), &json!("sms")), "{sent}");
    has(&sent, &["emoji"]);

    let (status, health) = ask(&run, "GET", "/health", None).await;
    assert_eq!((status, health["status"].as_str()), (200, Some("healthy")));
    has(&health, &["emoji"]);
}

#[tokio::test]
async fn what_the_tutorial_refuses_is_refused_in_its_words() {
    // Nobody plays: there are no drivers.
    let run = TestSystem::of(food::system()).start().await;
    for (method, path, body, status, error) in [
        ("GET", "/api/restaurants/99/menu", None, 404, "Restaurant closed"),
        ("POST", "/api/delivery/assign", Some(json!({"restaurant_id": 1})), 503, "No drivers available"),
        (
            "POST",
            "/api/orders/create",
            Some(json!({"restaurant_id": 99, "customer_phone": "+15551234567"})),
            400,
            "Restaurant unavailable",
        ),
    ] {
        let (answered, problem) = ask(&run, method, path, body).await;
        assert_eq!((answered, problem["error"].as_str()), (status, Some(error)), "{path}: {problem}");
        has(&problem, &["type", "code"]);
    }
    let text = json!({"type": "sms", "recipient": "nobody", "message": "hi"});
    let (status, problem) = ask(&run, "POST", "/api/notify", Some(text)).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("recipient-invalid")), "{problem}");
}

#[tokio::test]
async fn a_token_of_the_tutorials_routes_needs_no_scheme() {
    let run = TestSystem::of(food::system()).start().await;
    let order = json!({"restaurant_id": 99, "customer_phone": "+15551234567"});
    let token = run.token("ann", &["customer"]);
    for header in [token.clone(), format!("Bearer {token}")] {
        let request = run.http().post("/api/orders/create").header("authorization", &header).json(&order);
        assert_eq!(request.send().await.unwrap().status, 400);
    }
    let broken = run.http().post("/api/orders/create").header("authorization", "nonsense").json(&order);
    assert_eq!(broken.send().await.unwrap().status, 401);
}
