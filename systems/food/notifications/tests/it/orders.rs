//! What happens to an order reaches its customer, once, as the delivery log shows.

use std::path::{Path, PathBuf};

use food_contracts::notifications::NotificationsClient;
use food_contracts::orders::{
    OrderCancelled, OrderCompleted, OrderConfirmed, OrderDelivered, OrderPickedUp, OrderPlaced, OrderReady,
    OrderRejected,
};
use food_notifications::DeliveryLog;
use partie::Service;
use partie::contract::{Event, Outcome};
use partie::messaging::Publish as _;
use partie_testkit::{TestRun, TestSystem};
use serde_json::{Value, json};

use crate::support::ANN;

const ORDER: &str = "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a";

/// The whole service as it is, and somebody who has news of orders. The data stays.
async fn start() -> TestRun {
    let orders = Service::new("orders").store(&[]).start(async |_| Ok(()));
    TestSystem::named("food")
        .service(food_notifications::service())
        .service(orders)
        .configure(|config| {
            config.ephemeral = false;
            config.data = directory();
        })
        .start()
        .await
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("food-notifications-orders")
}

async fn happens<E: Event + Clone>(run: &TestRun, event: &E) {
    let event = event.clone();
    let published: Outcome<()> = run
        .store("orders")
        .unwrap()
        .write(move |tx| {
            tx.publish(&event)?;
            Ok(())
        })
        .await;
    published.unwrap();
    run.activity().quiet().await;
}

/// An event of an order.
fn event<E: Event>(order: &str, contact: &Value) -> E {
    serde_json::from_value(json!({
        "order_id": order, "customer": "ann", "contact": contact, "restaurant_id": ORDER,
        "restaurant_name": "Bistro", "total": {"amount": 1299, "currency": "EUR"},
    }))
    .unwrap()
}

fn lines() -> Vec<Value> {
    let log = std::fs::read_to_string(directory().join(DeliveryLog::FILE)).unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn what_happens_to_an_order_reaches_its_customer_once() {
    std::fs::remove_dir_all(directory()).ok();
    let run = start().await;
    let phone = &json!({"phone": ANN, "email": "ann@example.org"});
    happens(&run, &event::<OrderPlaced>(ORDER, phone)).await;
    let first = lines();
    assert_eq!(first.len(), 1);
    let line = first[0].as_object().unwrap();
    let said = "Bistro has your order over 12.99 EUR. You will hear when it is confirmed.";
    assert_eq!(
        (&line["channel"], &line["recipient"], &line["text"]),
        (&json!("sms"), &json!(ANN), &json!(said))
    );
    let id = line["id"].as_str().unwrap().parse().unwrap();
    let client: NotificationsClient = run.client();
    let known = client.notification(&run.call_as("admin"), id).await.unwrap().0;
    assert_eq!((known.text.as_str(), known.attempts), (said, 1));
    let at = line["at"].as_str().unwrap().parse().unwrap();
    assert!(known.created_at <= at && known.sent_at.is_some_and(|sent| at <= sent));

    macro_rules! each_has_a_line {
        ($($happened:ident $lines:literal)+) => {$(
            // Whoever says it twice is not heard twice.
            happens(&run, &event::<$happened>(ORDER, phone)).await;
            happens(&run, &event::<$happened>(ORDER, phone)).await;
            assert_eq!(lines().len(), $lines, stringify!($happened));
        )+};
    }
    // Customers do not hear that their food waits for a driver, or that nothing is left to do.
    each_has_a_line! {
        OrderPlaced 1 OrderConfirmed 2 OrderReady 2 OrderPickedUp 3 OrderDelivered 4 OrderCompleted 4
        OrderRejected 5 OrderCancelled 6
    }

    // Without a phone there is nobody to tell.
    let other = "01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3b";
    happens(&run, &event::<OrderPlaced>(other, &json!({"email": "ann@example.org"}))).await;
    assert_eq!(lines().len(), 6);
    run.stop().await;

    // What was told stays told.
    let run = start().await;
    happens(&run, &event::<OrderConfirmed>(ORDER, phone)).await;
    assert_eq!(lines().len(), 6);
    happens(&run, &event::<OrderConfirmed>(other, phone)).await;
    assert_eq!(lines().len(), 7);
    run.stop().await;
}
