//! Every operation of the service keeps what its contract promises.

use notifications_contracts::{NewWebhook, Webhook, WebhooksClient};
use partie_testkit::{CallExt as _, Conformance, Example, TestRun};
use serde_json::json;

use crate::support::{App, reset};

async fn webhook(run: &TestRun) -> Webhook {
    let url = format!("https://receiver.example/{}", partie_testkit::fresh_key());
    run.client::<WebhooksClient>()
        .register(&run.call_as("admin").keyed(), NewWebhook { url })
        .await
        .unwrap()
        .0
}

#[tokio::test]
async fn every_operation_keeps_its_contract() {
    let app = &App::start(String::new()).await;
    let report = Conformance::new(&app.run)
        .only(&["notifications"])
        .example("notifications.send", async |_| Example::new().body(reset("ann@example.org")))
        .example("notifications.list", async |_| {
            app.sent(reset("ann@example.org")).await;
            Example::new().query("recipient", "ann@example.org").query("status", "sent").query("limit", 2)
        })
        .example("notifications.notification", async |_| {
            Example::new().param("id", app.sent(reset("ann@example.org")).await.id)
        })
        .example("notifications.requeue", async |_| Example::new().param("id", app.dead().await.id))
        .example("notifications.templates", async |_| Example::new())
        .example("notifications.webhooks.register", async |_| {
            Example::new()
                .body(json!({"url": format!("https://receiver.example/{}", partie_testkit::fresh_key())}))
        })
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
        .run()
        .await
        .unwrap();
    assert!(report.passed() > 100);
}
