//! The tutorial's request: a driver at once, or 503.

use food_contracts::OrderId;
use food_contracts::delivery::{DeliveryStatus as S, DriverStatus};
use food_contracts::seed::{SeedAssign, SeedDeliveryClient};

use crate::town::{Town, code, order_id};

#[tokio::test(flavor = "multi_thread")]
async fn the_tutorial_gets_a_driver_at_once_or_none() {
    let town = Town::open().await;
    let client: SeedDeliveryClient = town.running.client();
    let order = |order_id: Option<OrderId>| SeedAssign { order_id, ..SeedAssign::default() };
    assert_eq!(code(client.assign(&town.service(), order(None)).await), (503, "no-drivers-available"));
    assert_eq!(town.value::<i64>("SELECT COUNT(*) FROM deliveries").await, 0);

    town.driver("dora", 500.0).await;
    town.driver("emil", 2000.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    let assigned = client.assign(&town.service(), order(Some(order_id(1)))).await.unwrap();
    assert_eq!((assigned.driver.as_str(), assigned.tracking_id), ("DORA", order_id(1).to_string()));
    assert!(assigned.eta_minutes > 0 && town.state(id).await == S::Assigned);
    // Asked again, it is the same driver.
    assert_eq!(client.assign(&town.service(), order(Some(order_id(1)))).await.unwrap().driver, "DORA");
    // Without an order it is a delivery of its own.
    assert_eq!(client.assign(&town.service(), order(None)).await.unwrap().driver, "EMIL");
    assert_eq!(town.status_of("emil").await, DriverStatus::Busy);
    assert_eq!(code(client.assign(&town.service(), order(None)).await), (503, "no-drivers-available"));
}
