//! The tutorial's request.

use food_contracts::notifications::ListNotifications;
use serde_json::json;

use crate::support::{ANN, App};

#[tokio::test]
async fn the_tutorial_sends_a_text() {
    let app = App::start().await;
    let token = app.run.token("service:orders", &["service"]);
    let text = json!({"type": "sms", "recipient": ANN, "message": "Your {order} is confirmed!"});
    let post = || app.run.http().post("/api/notify");
    let answer = post().header("authorization", &token).json(&text).send().await.unwrap();
    let taken = json!({"sent": true, "type": "sms", "emoji": "✅"});
    assert_eq!((answer.status, answer.json()), (200, taken.clone()));
    // Under a key it is the same request, without one it is another.
    for _ in 0..2 {
        let again = post().token(&token).key("one").json(&text).send().await.unwrap();
        assert_eq!((again.status, again.json()), (200, taken.clone()));
    }
    app.settled().await;
    assert_eq!(app.phones.texts(), ["Your {order} is confirmed!"; 2]);
    // In development anybody on this machine may.
    assert_eq!(post().json(&text).send().await.unwrap().status, 200);
}

#[tokio::test]
async fn what_the_tutorial_gets_wrong_is_refused() {
    let app = App::start().await;
    let token = app.run.token("service:orders", &["service"]);
    let send = |body| app.run.http().post("/api/notify").token(&token).json(&body).send();
    for (body, code) in [
        (json!({"type": "sms", "recipient": "555-1234", "message": "soup"}), "recipient-invalid"),
        (json!({"type": "pigeon", "recipient": ANN, "message": "soup"}), "validation-failed"),
        (json!({"type": "sms", "recipient": ANN, "message": ""}), "validation-failed"),
        (json!({"type": "sms", "recipient": ANN}), "validation-failed"),
    ] {
        let answer = send(body.clone()).await.unwrap();
        assert_eq!((answer.status, answer.code().as_deref()), (422, Some(code)), "{body}");
        let text = answer.json()["error"].as_str().map(str::to_owned);
        assert_eq!(text.as_deref() == Some("Invalid recipient"), code == "recipient-invalid", "{text:?}");
    }
    let customer = app.run.token("ann", &["customer"]);
    let good = json!({"type": "sms", "recipient": ANN, "message": "soup"});
    let answer = app.run.http().post("/api/notify").token(&customer).json(&good).send().await.unwrap();
    assert_eq!(answer.status, 403);
    assert!(app.list(ListNotifications::default()).await.is_empty());
}
