//! Whole deliveries: from the request to the door, alone and in a bundle, and back when nobody opens.

use std::time::Duration;

use food_contracts::delivery::{DeliveryError, DeliveryStatus as S, DriverStatus, Failure, FailureReason};
use partie::Fault;

use crate::town::{Town, code, order_id, status};

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_from_the_request_to_the_door() {
    let town = Town::open().await;
    let dora = town.driver("dora", 500.0).await;
    let asked = town.order(1, 600, 1000.0).await;
    assert_eq!(asked.status, S::Searching);
    assert_eq!(town.offer("dora").await, None, "an offer waits as long as waiting is free");

    town.wait("dora", 6).await;
    let offer = town.offer("dora").await.expect("in time to be at the restaurant when the food is ready");
    assert_eq!((offer.deliveries.len(), offer.deliveries[0].delivery_id), (1, asked.id));
    assert_eq!(
        (town.state(asked.id).await, town.status_of("dora").await),
        (S::Offered, DriverStatus::Offered)
    );
    assert_eq!(code(town.deliveries.delivery(&town.by("dora"), asked.id).await), (404, "delivery-not-found"));
    let place = town.deliveries.position(&town.service(), order_id(1)).await.unwrap();
    assert_eq!((place.position, place.eta), (None, None), "nobody is assigned");

    town.accept("dora", offer.id).await.unwrap();
    let assigned = town.delivery(asked.id).await;
    assert_eq!((assigned.status, assigned.driver_id), (S::Assigned, Some(dora.id)));
    assert!(assigned.eta.unwrap() > asked.ready_at);
    let place = town.deliveries.position(&town.service(), order_id(1)).await.unwrap();
    assert_eq!((place.position, place.eta), (dora.location, assigned.eta));

    let (id, by) = (asked.id, || town.by("dora"));
    assert_eq!(code(town.deliveries.picked_up(&by(), id).await), (409, "invalid-transition"));
    assert_eq!(code(town.deliveries.delivered(&by(), id).await), (409, "invalid-transition"));
    assert_eq!(status(&town.deliveries.arrived_pickup(&by(), id).await.unwrap()), S::ArrivedAtPickup);
    let early = town.deliveries.picked_up(&by(), id).await;
    assert!(
        matches!(early, Err(Fault::Domain(DeliveryError::NotReady { ready_at })) if ready_at == asked.ready_at)
    );
    // Whoever waits for food says now and then that they are there.
    town.wait("dora", 4).await;
    assert_eq!(status(&town.deliveries.picked_up(&by(), id).await.unwrap()), S::PickedUp);
    assert_eq!(code(town.cancel(1).await), (409, "invalid-transition"));
    town.pass(Duration::from_secs(60)).await;
    assert_eq!(status(&town.deliveries.arrived_dropoff(&by(), id).await.unwrap()), S::ArrivedAtDropoff);
    let done = town.deliveries.delivered(&by(), id).await.unwrap().0;
    assert_eq!(done.status, S::Delivered);
    assert!(asked.ready_at <= done.picked_up_at.unwrap() && done.picked_up_at < done.delivered_at);
    assert_eq!(town.status_of("dora").await, DriverStatus::Available);
    let place = town.deliveries.position(&town.service(), order_id(1)).await.unwrap();
    assert_eq!((place.position, place.at), (None, None), "a driver who is done is nobody's business");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_delivered_in_sequence() {
    let town = Town::open().await;
    // Two orders for one street and one driver: one trip.
    town.order(1, 0, 1000.0).await;
    town.order(2, 0, 1100.0).await;
    town.driver("dora", 100.0).await;
    let offer = town.take("dora").await;
    let ids: Vec<_> = offer.deliveries.iter().map(|one| one.delivery_id).collect();
    assert_eq!(ids.len(), 2);
    let by = || town.by("dora");
    for id in &ids {
        town.deliveries.arrived_pickup(&by(), *id).await.unwrap();
        town.deliveries.picked_up(&by(), *id).await.unwrap();
    }
    let (first, second) = (town.delivery(ids[0]).await.eta, town.delivery(ids[1]).await.eta);
    assert!(first < second, "{first:?} {second:?}");
    assert_eq!(code(town.deliveries.arrived_dropoff(&by(), ids[1]).await), (409, "out-of-sequence"));
    assert_eq!(town.state(ids[1]).await, S::PickedUp);
    town.deliveries.arrived_dropoff(&by(), ids[0]).await.unwrap();
    town.deliveries.delivered(&by(), ids[0]).await.unwrap();
    assert_eq!(town.status_of("dora").await, DriverStatus::Busy);
    town.deliveries.arrived_dropoff(&by(), ids[1]).await.unwrap();
    town.deliveries.delivered(&by(), ids[1]).await.unwrap();
    assert_eq!(town.status_of("dora").await, DriverStatus::Available);
}

#[tokio::test(flavor = "multi_thread")]
async fn food_that_nobody_takes_goes_back() {
    let town = Town::open().await;
    town.driver("dora", 100.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    town.take("dora").await;
    let by = || town.by("dora");
    town.deliveries.arrived_pickup(&by(), id).await.unwrap();
    town.deliveries.picked_up(&by(), id).await.unwrap();
    town.deliveries.arrived_dropoff(&by(), id).await.unwrap();
    let failure = || Failure { reason: FailureReason::CustomerAbsent };
    assert_eq!(status(&town.deliveries.fail(&by(), id, failure()).await.unwrap()), S::Returning);
    assert_eq!(code(town.deliveries.fail(&by(), id, failure()).await), (409, "invalid-transition"));
    assert_eq!(town.status_of("dora").await, DriverStatus::Busy, "still has the food");
    assert_eq!(status(&town.deliveries.give_back(&by(), id).await.unwrap()), S::ArrivedAtReturn);
    assert_eq!(status(&town.deliveries.give_back(&by(), id).await.unwrap()), S::Returned);
    assert_eq!(town.status_of("dora").await, DriverStatus::Available);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_who_gives_up_before_the_pickup_is_replaced() {
    let town = Town::open().await;
    town.driver("dora", 100.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    town.take("dora").await;
    let failure = Failure { reason: FailureReason::DriverUnable };
    let answer = town.deliveries.fail(&town.by("dora"), id, failure).await.unwrap();
    assert_eq!((status(&answer), answer.0.driver_id, answer.0.eta), (S::Searching, None, None));
    town.second().await;
    assert_eq!(town.offer("dora").await, None, "not asked again");
    town.driver("emil", 2000.0).await;
    town.take("emil").await;
    assert_eq!(town.state(id).await, S::Assigned);
    let live: i64 = town.value("SELECT COUNT(*) FROM assignments WHERE ended_at IS NULL").await;
    assert_eq!((live, town.value::<i64>("SELECT COUNT(*) FROM assignments").await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_withdrawn_before_the_pickup_and_stays_so() {
    let town = Town::open().await;
    town.driver("dora", 100.0).await;
    // Offered with another one: the whole offer is taken back, and the other one is offered again.
    town.order(1, 0, 1000.0).await;
    let other = town.order(2, 0, 1050.0).await.id;
    town.second().await;
    let offer = town.offer("dora").await.unwrap();
    assert_eq!(offer.deliveries.len(), 2);
    town.cancel(1).await.unwrap();
    assert_eq!(code(town.accept("dora", offer.id).await), (409, "offer-taken"));
    let offer = town.take("dora").await;
    assert_eq!(offer.deliveries.iter().map(|one| one.delivery_id).collect::<Vec<_>>(), [other]);
    // Assigned: the driver is free again.
    town.cancel(2).await.unwrap();
    assert_eq!(
        (town.state(other).await, town.status_of("dora").await),
        (S::Cancelled, DriverStatus::Available)
    );
    town.cancel(2).await.unwrap();
    assert_eq!(
        code(town.deliveries.arrived_pickup(&town.by("dora"), other).await),
        (404, "delivery-not-found")
    );
    // Never asked for: the late request is refused.
    town.cancel(3).await.unwrap();
    for number in [2, 3] {
        let late = town.deliveries.request(&town.service(), town.new_delivery(number, 0, 1.0)).await;
        assert_eq!(code(late), (409, "compensated"));
    }
    assert_eq!(town.value::<i64>("SELECT COUNT(*) FROM deliveries").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_has_one_delivery_however_often_it_is_asked_for() {
    let town = Town::open().await;
    let first = town.order(1, 0, 1000.0).await;
    assert_eq!(town.order(1, 0, 1000.0).await, first);
    let later = town.order(1, 60, 1000.0).await;
    assert_eq!(
        (later.id, later.ready_at),
        (first.id, first.ready_at + Duration::from_secs(60)),
        "the kitchen is late"
    );
    town.pass(Duration::from_secs(599)).await;
    assert_eq!(town.state(first.id).await, S::Searching);
    town.second().await;
    assert_eq!(town.state(first.id).await, S::UnassignedTimeout, "nobody was found in time");
    town.cancel(1).await.unwrap();
    assert_eq!(town.state(first.id).await, S::UnassignedTimeout);
}
