//! What ends by itself: drivers nobody hears of are stale, then offline, and what they had not picked up goes to
//! others; a restart forgets none of it.

use std::time::Duration;

use food_contracts::delivery::{DeliveryStatus as S, DriverStatus};

use crate::town::{MORNING, Town, code, order_id};

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_driver_is_stale_then_offline() {
    let town = Town::open().await;
    town.driver("dora", 0.0).await;
    town.pass(Duration::from_secs(89)).await;
    assert_eq!(town.status_of("dora").await, DriverStatus::Available);
    town.second().await;
    assert_eq!(town.status_of("dora").await, DriverStatus::Stale);
    // Asking for offers is an action.
    town.offer("dora").await;
    assert_eq!(town.status_of("dora").await, DriverStatus::Available);
    town.pass(Duration::from_secs(299)).await;
    assert_eq!(town.status_of("dora").await, DriverStatus::Stale);
    town.second().await;
    assert_eq!(town.status_of("dora").await, DriverStatus::Offline);
    town.offer("dora").await;
    assert_eq!(town.status_of("dora").await, DriverStatus::Offline, "who left has to come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_driver_loses_what_was_not_picked_up_and_keeps_what_was() {
    let town = Town::open().await;
    town.driver("dora", 0.0).await;
    let hers = town.order(1, 0, 1000.0).await.id;
    town.take("dora").await;
    town.deliveries.arrived_pickup(&town.by("dora"), hers).await.unwrap();
    town.deliveries.picked_up(&town.by("dora"), hers).await.unwrap();
    town.driver("emil", 0.0).await;
    let his = town.order(2, 0, 1000.0).await.id;
    town.take("emil").await;

    town.pass(Duration::from_secs(90)).await;
    assert_eq!((town.state(hers).await, town.state(his).await), (S::PickedUp, S::Searching));
    assert_eq!(town.status_of("emil").await, DriverStatus::Stale);
    assert_eq!(town.value::<i64>("SELECT SUM(load) FROM drivers").await, 1);
    // The food she has, she may still deliver.
    town.pass(Duration::from_secs(300)).await;
    assert_eq!(town.status_of("dora").await, DriverStatus::Offline);
    town.deliveries.arrived_dropoff(&town.by("dora"), hers).await.unwrap();
    town.deliveries.delivered(&town.by("dora"), hers).await.unwrap();
    assert_eq!(town.status_of("dora").await, DriverStatus::Offline);
    assert_eq!(town.value::<i64>("SELECT SUM(load) FROM drivers").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_system_count() {
    let town = Town::with("stale = '10s'\noffline = '20s'").await;
    town.driver("dora", 0.0).await;
    town.pass(Duration::from_secs(10)).await;
    assert_eq!(town.status_of("dora").await, DriverStatus::Stale);
    town.pass(Duration::from_secs(10)).await;
    assert_eq!(town.status_of("dora").await, DriverStatus::Offline);
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_go_on_after_a_restart() {
    let data = std::env::temp_dir().join(format!("partie-delivery-rounds-{}", std::process::id()));
    let town = Town::start("", MORNING, Some(&data)).await;
    town.driver("dora", 100.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    // No time has passed, so no round was played: the bell that rang for one is lost with the process.
    assert_eq!((town.offer("dora").await, town.state(id).await), (None, S::Searching));
    town.running.stop().await.unwrap();

    let town = Town::start("", MORNING, Some(&data)).await;
    town.take("dora").await;
    assert_eq!(town.state(id).await, S::Assigned);
    assert_eq!(town.told(order_id(1)).await, ["delivery.searching", "delivery.offered", "delivery.assigned"]);
    town.running.stop().await.unwrap();
    std::fs::remove_dir_all(&data).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_out_while_nobody_ran_ends_at_the_start() {
    let data = std::env::temp_dir().join(format!("partie-delivery-restart-{}", std::process::id()));
    let town = Town::start("", MORNING, Some(&data)).await;
    town.driver("dora", 100.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    town.second().await;
    let offer = town.offer("dora").await.unwrap();
    town.running.stop().await.unwrap();

    let later = town.now() + Duration::from_secs(31);
    let town = Town::start("", later, Some(&data)).await;
    town.second().await;
    assert_eq!(code(town.accept("dora", offer.id).await), (410, "offer-expired"));
    assert_eq!((town.state(id).await, town.status_of("dora").await), (S::Searching, DriverStatus::Available));
    town.pass(Duration::from_mins(10)).await;
    assert_eq!(
        (town.state(id).await, town.status_of("dora").await),
        (S::UnassignedTimeout, DriverStatus::Offline)
    );
    town.running.stop().await.unwrap();
    std::fs::remove_dir_all(&data).unwrap();
}
