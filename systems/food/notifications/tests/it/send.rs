//! Sending: once each, by whom, and what is refused.

use food_contracts::notifications::{ListNotifications, NotificationStatus as Status};
use partie_testkit::CallExt as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{ANN, App, message};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_recipient_template_and_key_are_told_once() {
    let app = App::start().await;
    let mut all = JoinSet::new();
    for number in 0..16 {
        let (client, cx) = (app.client.clone(), app.run.call_as("service").keyed());
        let mut new = message(ANN, &format!("soup {number}"));
        new.dedupe_key = "one".to_owned();
        all.spawn(async move { client.send(&cx, new).await.unwrap().0.id });
    }
    let ids = all.join_all().await;
    app.settled().await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(app.phones.calls(), [ids[0]]);
    // Somebody else, and something else, are told.
    app.text("+491707654321", "one").await;
    app.text(ANN, "two").await;
    assert_eq!(app.phones.calls().len(), 3);
}

#[tokio::test]
async fn a_notification_can_be_followed() {
    let app = App::start().await;
    let service = app.run.call_as("service");
    let first = app.client.send(&service.clone().keyed(), message(ANN, "soup")).await.unwrap().0;
    assert_eq!((first.status, first.attempts, first.version), (Status::Queued, 0, 1));
    app.settled().await;
    let sent = app.client.notification(&service, first.id).await.unwrap().0;
    assert_eq!((sent.status, sent.attempts, sent.version), (Status::Sent, 1, 3));
    let second = app.text(ANN, "bread").await;
    let other = app.text("+491707654321", "soup").await;
    let to_ann = |status| ListNotifications { recipient: Some(ANN.to_owned()), status, ..Default::default() };
    assert_eq!(app.list(ListNotifications::default()).await, [&other, &second, &sent].map(Clone::clone));
    assert_eq!(app.list(to_ann(None)).await, [&second, &sent].map(Clone::clone));
    assert_eq!(app.list(to_ann(Some(Status::Sent))).await.len(), 2);
    assert!(app.list(to_ann(Some(Status::Dead))).await.is_empty());
    // Page by page, newest first.
    let (mut query, mut ids) = (ListNotifications::default(), Vec::new());
    query.limit = serde_json::from_value(json!(1)).unwrap();
    loop {
        let page = app.client.list(&app.run.call_as("admin"), query.clone()).await.unwrap();
        ids.extend(page.data.iter().map(|notification| notification.id));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(ids, [other.id, second.id, sent.id]);
    let templates = app.client.templates(&service).await.unwrap().data;
    let placed = templates.iter().find(|template| template.name == "order-placed").unwrap();
    assert_eq!(placed.variables, ["restaurant", "total"]);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_everything_that_is_wrong() {
    let app = App::start().await;
    let token = app.run.token("service:orders", &["service"]);
    let good = json!({"channel": "sms", "recipient": ANN, "template": "order-placed",
        "variables": {"restaurant": "Bistro", "total": "5.00 EUR"}, "dedupe_key": "one"});
    let with = |changes: Value| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    // The problem's code, and what else has to be in it.
    for (body, code, says) in [
        (with(json!({"channel": "pigeon"})), "validation-failed", "/channel"),
        (with(json!({"recipient": "030 1234"})), "recipient-invalid", ""),
        (with(json!({"recipient": "ann@example.org"})), "recipient-invalid", ""),
        (with(json!({"template": "order-eaten"})), "template-unknown", ""),
        (with(json!({"variables": {}})), "template-variable-missing", r#"["restaurant","total"]"#),
        (with(json!({"variables": {"restaurant": "Bistro"}})), "template-variable-missing", r#"["total"]"#),
        (with(json!({"dedupe_key": ""})), "validation-failed", "/dedupe_key"),
        (with(json!({"recipient": "1", "variables": {}})), "validation-failed", "/recipient"),
        (with(json!({"recipient": "1", "variables": {}})), "validation-failed", "/variables/restaurant"),
        (with(json!({"recipient": "1", "variables": {}})), "validation-failed", "/variables/total"),
    ] {
        let request = app.run.http().post("/api/v1/notifications").token(&token);
        let answer = request.key(&partie_testkit::fresh_key()).json(&body).send().await.unwrap();
        assert_eq!((answer.status, answer.code().as_deref()), (422, Some(code)), "{body}");
        assert!(answer.text().contains(says), "{body}: {}", answer.text());
    }
    app.settled().await;
    assert!(app.phones.calls().is_empty());
}

#[tokio::test]
async fn everybody_does_only_what_is_theirs() {
    let app = App::start().await;
    let id = app.text(ANN, "soup").await.id;
    let [one, requeue] = ["", "/requeue"].map(|rest| format!("/api/v1/notifications/{id}{rest}"));
    let send = serde_json::to_value(message(ANN, "bread")).unwrap();
    for (method, path, allowed) in [
        ("POST", "/api/v1/notifications", &["service"][..]),
        ("GET", "/api/v1/notifications", &["admin"]),
        ("GET", &one, &["service", "admin"]),
        ("POST", &requeue, &["admin"]),
        ("GET", "/api/v1/templates", &["service", "admin"]),
    ] {
        let ask = |token: Option<String>| {
            let request = app.run.http().request(method, path).key(&partie_testkit::fresh_key());
            let request =
                if method == "POST" && !path.ends_with("requeue") { request.json(&send) } else { request };
            match token {
                Some(token) => request.token(&token),
                None => request,
            }
        };
        for role in ["service", "admin", "customer", "demo", "driver", "owner"] {
            let answer = ask(Some(app.run.token("somebody", &[role]))).send().await.unwrap();
            assert_eq!(
                answer.status == 403,
                !allowed.contains(&role),
                "{role} {method} {path}: {}",
                answer.status
            );
        }
        assert_eq!(ask(None).send().await.unwrap().status, 401, "{method} {path}");
    }
}
