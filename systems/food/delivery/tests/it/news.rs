//! What others are told of orders and drivers, and what the kitchen tells this service.

use std::time::Duration;

use food_contracts::delivery::{
    DeliveryAssigned, DeliveryDelivered, DeliveryError, DeliveryFailed, DeliveryPickedUp, DeliveryReassigned,
    DeliveryStatus as S, EtaChanged, Failure, FailureReason, OfferExpired, Presence, SetStatus,
};
use food_contracts::{DeliveryId, OrderId};
use partie::Fault;
use partie::contract::{CloudEvent, Event};

use crate::town::{Town, code, order_id};

/// What the one event of that type says.
#[track_caller]
fn only<E: Event>(story: &[CloudEvent]) -> E {
    let told: Vec<_> = story.iter().filter(|event| event.type_name == E::TYPE).collect();
    let [event] = told[..] else { panic!("{} times {}", told.len(), E::TYPE) };
    serde_json::from_value(event.data.clone()).unwrap()
}

fn order() -> OrderId {
    order_id(1)
}

/// A driver picks up what was assigned to it.
async fn pick_up(town: &Town, name: &str, id: DeliveryId) {
    town.deliveries.arrived_pickup(&town.by(name), id).await.unwrap();
    town.deliveries.picked_up(&town.by(name), id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journey_is_told_from_the_search_to_the_door() {
    let town = Town::open().await;
    let dora = town.driver("dora", 500.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    town.take("dora").await;
    let eta = town.delivery(id).await.eta;
    town.pass(Duration::from_secs(30)).await;
    pick_up(&town, "dora", id).await;
    let later = town.delivery(id).await.eta;
    town.pass(Duration::from_secs(60)).await;
    town.deliveries.arrived_dropoff(&town.by("dora"), id).await.unwrap();
    let done = town.deliveries.delivered(&town.by("dora"), id).await.unwrap().0;

    assert_eq!(
        town.told(order()).await,
        [
            "delivery.searching",
            "delivery.offered",
            "delivery.assigned",
            "delivery.arrived_pickup",
            "delivery.picked_up",
            "delivery.eta_changed",
            "delivery.arrived_dropoff",
            "delivery.delivered"
        ]
    );
    let story = town.story(order()).await;
    assert!(story.iter().map(|event| event.sequence).eq(1..=8));
    let (order_id, delivery_id) = (order(), id);
    let assigned: DeliveryAssigned = only(&story);
    let (driver_id, driver_name) = (dora.id, "DORA".to_owned());
    assert_eq!(
        assigned,
        DeliveryAssigned { order_id, delivery_id, driver_id, driver_name, eta: eta.unwrap() }
    );
    assert_ne!(eta, later);
    assert_eq!(only::<EtaChanged>(&story).eta, later.unwrap());
    assert_eq!(only::<DeliveryPickedUp>(&story).at, done.picked_up_at.unwrap());
    assert_eq!(only::<DeliveryDelivered>(&story).at, done.delivered_at.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_and_does_not_answer_is_told_and_who_is_asked_next() {
    let town = Town::open().await;
    let dora = town.driver("dora", 100.0).await;
    town.driver("emil", 1000.0).await;
    town.driver("finn", 2000.0).await;
    town.order(1, 0, 1000.0).await;
    town.second().await;
    town.offer("dora").await.expect("the nearest one is asked");
    town.pass(Duration::from_secs(30)).await;
    town.second().await;
    let offer = town.offer("emil").await.expect("then the next one");
    town.drivers.decline(&town.by("emil"), offer.id).await.unwrap();
    town.take("finn").await;
    assert_eq!(
        town.told(order()).await,
        [
            "delivery.searching",
            "delivery.offered",
            "delivery.offer_expired",
            "delivery.offered",
            "delivery.offered",
            "delivery.assigned"
        ]
    );
    assert_eq!(only::<OfferExpired>(&town.story(order()).await).driver_id, dora.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_who_is_lost_is_told_of_whether_it_says_so_or_not() {
    let town = Town::open().await;
    let dora = town.driver("dora", 100.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    town.take("dora").await;
    let failure = Failure { reason: FailureReason::DriverUnable };
    town.deliveries.fail(&town.by("dora"), id, failure).await.unwrap();
    let begun = ["delivery.searching", "delivery.offered", "delivery.assigned", "delivery.reassigned"];
    assert_eq!(town.told(order()).await, begun);
    assert_eq!(only::<DeliveryReassigned>(&town.story(order()).await).driver_id, dora.id);

    let emil = town.driver("emil", 100.0).await;
    town.take("emil").await;
    town.pass(Duration::from_secs(90)).await;
    assert_eq!(town.state(id).await, S::Searching);
    let story = town.story(order()).await;
    assert_eq!(town.told(order()).await, [&begun[..], &begun[1..]].concat());
    let last: DeliveryReassigned = only(&story[4..]);
    assert_eq!(last.driver_id, emil.id);
    assert_eq!(town.told(emil.id).await, ["driver.online", "driver.stale"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_finds_nobody_is_told() {
    let town = Town::open().await;
    town.order(1, 0, 1000.0).await;
    town.pass(Duration::from_mins(10)).await;
    assert_eq!(town.told(order()).await, ["delivery.searching", "delivery.unassigned"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn food_that_goes_back_is_told_of_when_it_fails_and_when_it_is_back() {
    let town = Town::open().await;
    town.driver("dora", 100.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    town.take("dora").await;
    pick_up(&town, "dora", id).await;
    town.deliveries.arrived_dropoff(&town.by("dora"), id).await.unwrap();
    let failure = Failure { reason: FailureReason::Refused };
    town.deliveries.fail(&town.by("dora"), id, failure).await.unwrap();
    for _ in 0..2 {
        town.deliveries.give_back(&town.by("dora"), id).await.unwrap();
    }
    let told = town.told(order()).await;
    assert_eq!(told[told.len() - 3..], ["delivery.arrived_dropoff", "delivery.failed", "delivery.returned"]);
    assert_eq!(only::<DeliveryFailed>(&town.story(order()).await).reason, FailureReason::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_order_of_a_bundle_has_a_story_of_its_own_and_refusals_have_none() {
    let town = Town::open().await;
    let first = town.order(1, 0, 1000.0).await.id;
    let second = town.order(2, 0, 1100.0).await.id;
    town.driver("dora", 100.0).await;
    assert_eq!(town.take("dora").await.deliveries.len(), 2);
    let early = town.deliveries.picked_up(&town.by("dora"), second).await;
    assert_eq!(code(early), (409, "invalid-transition"));
    for id in [first, second] {
        pick_up(&town, "dora", id).await;
    }
    assert_eq!(
        code(town.deliveries.arrived_dropoff(&town.by("dora"), second).await),
        (409, "out-of-sequence")
    );
    let begun = [
        "delivery.searching",
        "delivery.offered",
        "delivery.assigned",
        "delivery.arrived_pickup",
        "delivery.picked_up",
    ];
    for number in [1, 2] {
        let told = town.told(order_id(number)).await;
        assert_eq!(told.iter().filter(|told| *told != "delivery.eta_changed").collect::<Vec<_>>(), begun);
    }
    // The kitchen is done with a withdrawn order, and so is everybody who is told of orders.
    town.order(3, 0, 1000.0).await;
    town.cancel(3).await.unwrap();
    assert_eq!(town.told(order_id(3)).await, ["delivery.searching"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn drivers_come_and_go() {
    let town = Town::open().await;
    let word = |status| SetStatus { status, available_until: None, location: None, name: None };
    let says = async |status| {
        town.drivers.set_status(&town.by("dora"), "me".to_owned(), word(status)).await.unwrap().0.id
    };
    let dora = says(Presence::Offline).await;
    assert_eq!(town.told(dora).await, [""; 0], "was not there before");
    for status in [Presence::Available, Presence::OnBreak, Presence::Available, Presence::Available] {
        says(status).await;
    }
    assert_eq!(town.told(dora).await, ["driver.online"], "a break is no leave");
    town.pass(Duration::from_secs(90)).await;
    town.offer("dora").await;
    town.pass(Duration::from_mins(5)).await;
    says(Presence::Available).await;
    says(Presence::Offline).await;
    assert_eq!(
        town.told(dora).await,
        [
            "driver.online",
            "driver.stale",
            "driver.online",
            "driver.stale",
            "driver.offline",
            "driver.online",
            "driver.offline"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn food_is_picked_up_when_the_kitchen_says_so() {
    let town = Town::open().await;
    town.driver("dora", 500.0).await;
    let asked = town.order(1, 600, 1000.0).await;
    town.wait("dora", 6).await;
    town.take("dora").await;
    let (id, eta) = (asked.id, town.delivery(asked.id).await.eta.unwrap());
    town.deliveries.arrived_pickup(&town.by("dora"), id).await.unwrap();
    let early = town.deliveries.picked_up(&town.by("dora"), id).await;
    assert!(matches!(early, Err(Fault::Domain(DeliveryError::NotReady { .. }))), "{early:?}");

    town.ready(2, town.now()).await;
    town.ready(1, town.now()).await;
    let sooner = town.delivery(id).await;
    assert!(sooner.ready_at < asked.ready_at && sooner.eta.unwrap() < eta);
    assert_eq!(only::<EtaChanged>(&town.story(order()).await).eta, sooner.eta.unwrap());
    town.deliveries.picked_up(&town.by("dora"), id).await.unwrap();
    // Told again, the food is as ready as it was.
    town.ready(1, town.now() + Duration::from_secs(1)).await;
    assert_eq!(town.delivery(id).await.ready_at, sooner.ready_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn food_that_is_ready_early_is_offered_early() {
    let town = Town::open().await;
    town.driver("dora", 500.0).await;
    let id = town.order(1, 3600, 1000.0).await.id;
    town.second().await;
    assert_eq!(town.offer("dora").await, None, "there is an hour to go");
    town.ready(1, town.now()).await;
    town.take("dora").await;
    assert_eq!(town.state(id).await, S::Assigned);
}
