//! Many at once: what the database holds afterwards is what one after the other could have made.

use std::sync::Arc;

use food_contracts::delivery::DriverStatus;
use partie::Outcome;
use partie::contract::NoProblem;

use crate::town::Town;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_answers_to_one_offer_one_counts() {
    let town = Arc::new(Town::open().await);
    town.driver("dora", 100.0).await;
    for number in 0..31 {
        town.driver(&format!("driver-{number}"), 5000.0).await;
    }
    town.order(1, 0, 1000.0).await;
    town.second().await;
    let offer = town.offer("dora").await.unwrap().id;

    let mut calls = tokio::task::JoinSet::new();
    for number in 0..64 {
        let town = Arc::clone(&town);
        // Every second one is dora, each time with another key.
        let name = if number % 2 == 0 { "dora".to_owned() } else { format!("driver-{}", number / 2 % 31) };
        calls.spawn(async move {
            match town.accept(&name, offer).await {
                Ok(_) => 200,
                Err(fault) => fault.status(),
            }
        });
    }
    let mut answers = calls.join_all().await;
    answers.sort_unstable();
    assert_eq!(answers, [vec![200], vec![404; 32], vec![409; 31]].concat());
    assert_eq!(town.value::<i64>("SELECT COUNT(*) FROM assignments WHERE ended_at IS NULL").await, 1);
    assert_eq!(town.value::<i64>("SELECT SUM(load) FROM drivers").await, 1);
    assert_eq!(town.status_of("dora").await, DriverStatus::Busy);
}

#[tokio::test(flavor = "multi_thread")]
async fn drivers_and_orders_in_a_crowd_keep_the_rules() {
    let town = Arc::new(Town::open().await);
    for number in 0..32 {
        town.driver(&format!("driver-{number}"), 50.0 * f64::from(number)).await;
    }
    for number in 0..60_u128 {
        town.order(number + 1, 0, 300.0 + 40.0 * number as f64).await;
    }
    for _ in 0..6 {
        town.second().await;
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..32 {
            let town = Arc::clone(&town);
            calls.spawn(async move {
                let name = format!("driver-{number}");
                let Some(offer) = town.offer(&name).await else { return };
                // An offer may be taken back before its answer.
                if (number + offer.token) % 3 == 0 {
                    drop(town.drivers.decline(&town.by(&name), offer.id).await);
                } else {
                    drop(town.accept(&name, offer.id).await);
                }
            });
        }
        for number in 0..5_u128 {
            let town = Arc::clone(&town);
            calls.spawn(async move { drop(town.cancel(1 + 7 * number).await) });
        }
        calls.join_all().await;
    }
    for (rule, broken) in [
        (
            "one live assignment a delivery",
            "SELECT COUNT(*) FROM (SELECT delivery_id FROM assignments WHERE ended_at IS NULL
                GROUP BY delivery_id HAVING COUNT(*) > 1)",
        ),
        (
            "a driver's load is what it carries",
            "SELECT COUNT(*) FROM drivers d WHERE load <> (SELECT COUNT(*) FROM assignments a
                WHERE a.driver_id = d.id AND a.ended_at IS NULL)",
        ),
        ("no driver above its capacity", "SELECT COUNT(*) FROM drivers WHERE load > capacity"),
        (
            "one open offer a driver",
            "SELECT COUNT(*) FROM (SELECT driver_id FROM offers WHERE status = 'open'
                GROUP BY driver_id HAVING COUNT(*) > 1)",
        ),
        (
            "who carries is the driver of the delivery",
            "SELECT COUNT(*) FROM assignments a JOIN deliveries d ON d.id = a.delivery_id
                WHERE a.ended_at IS NULL AND (d.driver_id <> a.driver_id OR d.status <> 'assigned')",
        ),
        (
            "whoever is offered has an open offer",
            "SELECT COUNT(*) FROM drivers d WHERE (status = 'offered') <> EXISTS (SELECT 1 FROM offers o
                WHERE o.driver_id = d.id AND o.status = 'open')",
        ),
        (
            "every assignment was told, and no other",
            "SELECT (SELECT COUNT(*) FROM partie_outbox WHERE type = 'delivery.assigned')
                - (SELECT COUNT(*) FROM assignments)",
        ),
    ] {
        assert_eq!(town.value::<i64>(broken).await, 0, "{rule}");
    }
    assert!(town.value::<i64>("SELECT COUNT(*) FROM assignments WHERE ended_at IS NULL").await > 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_itself_refuses_a_second_carrier_and_a_second_offer() {
    let town = Town::open().await;
    town.driver("dora", 100.0).await;
    town.driver("emil", 3000.0).await;
    town.order(1, 0, 1000.0).await;
    town.second().await;
    let refused = async |sql: &'static str| {
        let store = town.running.store("delivery").unwrap();
        let outcome: Outcome<bool, NoProblem> = store
            .write(move |tx| match tx.execute(sql, &[]) {
                Err(error) => Ok(error.is_unique_violation()),
                Ok(_) => Ok(false),
            })
            .await;
        outcome.unwrap()
    };
    let second_offer = "INSERT INTO offers (id, driver_id, status, token, restaurant_id, pick_up, deliveries, expires_at,
            ends_at)
        SELECT id || x'00', driver_id, status, token + 1, restaurant_id, pick_up, deliveries, expires_at, ends_at
        FROM offers";
    assert!(refused(second_offer).await);
    let offer = town.offer("dora").await.unwrap();
    town.accept("dora", offer.id).await.unwrap();
    let second_carrier = "INSERT INTO assignments (offer_id, delivery_id, driver_id, position, assigned_at)
        SELECT id || x'00', delivery_id, d.driver_id, 0, 0 FROM assignments a
        JOIN (SELECT id AS driver_id FROM drivers WHERE subject = 'emil') d JOIN offers o ON o.id = a.offer_id";
    assert!(refused(second_carrier).await);
}
