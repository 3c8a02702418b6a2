//! Every operation of the service keeps what its contract promises.

use food_contracts::notifications::{NewWebhook, Webhook, WebhooksClient};
use partie_testkit::{CallExt as _, Conformance, Example, TestRun};
use serde_json::json;

use crate::support::{ANN, App, NOBODY, message};

fn endpoint() -> NewWebhook {
    NewWebhook { url: format!("https://receiver.example/{}", partie_testkit::fresh_key()) }
}

async fn webhook(run: &TestRun) -> Webhook {
    let client: WebhooksClient = run.client();
    client.register(&run.call_as("admin").keyed(), endpoint()).await.unwrap().0
}

#[tokio::test]
async fn every_operation_keeps_its_contract() {
    let app = &App::start().await;
    let report = Conformance::new(&app.run)
        .only(&["notifications"])
        .example("notifications.send", async |_| {
            let mut new = message(ANN, "soup");
            new.dedupe_key = partie_testkit::fresh_key();
            Example::new().body(new)
        })
        .example("notifications.list", async |_| {
            app.text(ANN, "soup").await;
            Example::new().query("recipient", ANN).query("status", "sent").query("limit", 2)
        })
        .example("notifications.notification", async |_| {
            Example::new().param("id", app.text(ANN, "soup").await.id)
        })
        .example("notifications.requeue", async |_| {
            Example::new().param("id", app.text(NOBODY, &partie_testkit::fresh_key()).await.id)
        })
        .example("notifications.templates", async |_| Example::new())
        .example("notifications.webhooks.register", async |_| Example::new().body(endpoint()))
        .example("notifications.webhooks.list", async |run| {
            webhook(run).await;
            Example::new().query("limit", 2)
        })
        .example("notifications.webhooks.webhook", async |run| {
            Example::new().param("id", webhook(run).await.id)
        })
        .example("notifications.webhooks.rotate", async |run| {
            Example::new().param("id", webhook(run).await.id)
        })
        .example("notifications.webhooks.enable", async |run| {
            Example::new().param("id", webhook(run).await.id)
        })
        .example("notifications.webhooks.remove", async |run| {
            Example::new().param("id", webhook(run).await.id)
        })
        .example("notifications.seed_notify.notify", async |_| {
            Example::new().body(json!({"type": "sms", "recipient": ANN, "message": "soup"}))
        })
        .run()
        .await
        .unwrap();
    assert!(report.passed() > 60);
}
