//! Offers: one at a time, one answer, in time, and known at once to whoever waits.

use std::sync::Arc;
use std::time::Duration;

use food_contracts::delivery::{
    AcceptOffer, DeliveryStatus as S, DriverStatus, OfferStatus, Presence, SetStatus,
};

use crate::town::{Town, code};

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_is_gone_and_another_driver_is_asked() {
    let town = Town::open().await;
    town.driver("dora", 100.0).await;
    town.driver("emil", 3000.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    town.second().await;
    let offer = town.offer("dora").await.expect("the nearer one is asked");
    assert_eq!(town.offer("emil").await, None);
    assert_eq!(code(town.accept("emil", offer.id).await), (404, "offer-not-found"));
    assert_eq!(offer.expires_at, town.now() + Duration::from_secs(30));
    town.pass(Duration::from_secs(30)).await;
    assert_eq!(code(town.accept("dora", offer.id).await), (410, "offer-expired"));
    assert_eq!(code(town.drivers.decline(&town.by("dora"), offer.id).await), (410, "offer-expired"));
    town.take("emil").await;
    assert_eq!((town.state(id).await, town.status_of("dora").await), (S::Assigned, DriverStatus::Available));
    let expired: i64 = town.value("SELECT COUNT(*) FROM offers WHERE status = 'expired'").await;
    assert_eq!(expired, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_declines_is_not_asked_again_and_a_retry_replays() {
    let town = Town::open().await;
    town.driver("dora", 100.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    town.second().await;
    let offer = town.offer("dora").await.unwrap();
    let call = town.by("dora");
    for _ in 0..2 {
        let answer = town.drivers.decline(&call, offer.id).await.unwrap();
        assert_eq!(answer.status, OfferStatus::Declined);
    }
    assert_eq!(code(town.accept("dora", offer.id).await), (409, "offer-taken"));
    town.pass(Duration::from_secs(5)).await;
    assert_eq!((town.offer("dora").await, town.state(id).await), (None, S::Searching));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_an_older_token_does_nothing() {
    let town = Town::open().await;
    town.driver("dora", 100.0).await;
    town.order(1, 0, 1000.0).await;
    town.second().await;
    let offer = town.offer("dora").await.unwrap();
    let stale = AcceptOffer { token: Some(offer.token - 1) };
    assert_eq!(code(town.drivers.accept(&town.by("dora"), offer.id, stale).await), (409, "offer-taken"));
    let fresh = AcceptOffer { token: Some(offer.token) };
    let taken = town.drivers.accept(&town.by("dora"), offer.id, fresh).await.unwrap();
    assert_eq!(taken.status, OfferStatus::Accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_at_once() {
    let town = Arc::new(Town::open().await);
    town.driver("dora", 100.0).await;
    let waiting = tokio::spawn({
        let town = Arc::clone(&town);
        async move {
            let call = town.by("dora").with_wait(Duration::from_secs(20));
            town.drivers.offers(&call, "dora".to_owned()).await.unwrap().data
        }
    });
    let id = town.order(1, 0, 1000.0).await.id;
    town.second().await;
    let offers = waiting.await.unwrap();
    assert_eq!(offers[0].deliveries[0].delivery_id, id);
    // Nobody to wait for: the answer is empty, in time.
    town.accept("dora", offers[0].id).await.unwrap();
    let call = town.by("dora").with_wait(Duration::from_secs(1));
    assert_eq!(town.drivers.offers(&call, "me".to_owned()).await.unwrap().data, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_takes_the_offer_back() {
    let town = Town::open().await;
    town.driver("dora", 100.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    town.second().await;
    let offer = town.offer("dora").await.unwrap();
    let word = |status| SetStatus { status, available_until: None, location: None, name: None };
    let paused = town.drivers.set_status(&town.by("dora"), "me".to_owned(), word(Presence::OnBreak)).await;
    assert_eq!(paused.unwrap().0.status, DriverStatus::OnBreak);
    assert_eq!((town.state(id).await, town.offer("dora").await), (S::Searching, None));
    assert_eq!(code(town.accept("dora", offer.id).await), (409, "offer-taken"));
    // Not a refusal: back from the break, the driver is asked again.
    town.drivers.set_status(&town.by("dora"), "me".to_owned(), word(Presence::Available)).await.unwrap();
    town.take("dora").await;
    let left = town.drivers.set_status(&town.by("dora"), "me".to_owned(), word(Presence::Offline)).await;
    assert_eq!(code(left), (409, "invalid-transition"), "nobody goes home with somebody's dinner");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_still_at_a_door_is_not_asked_yet() {
    let town = Town::with("after-dropoff = '2m'").await;
    town.driver("dora", 100.0).await;
    let (id, by) = (town.order(1, 0, 1000.0).await.id, || town.by("dora"));
    town.take("dora").await;
    town.deliveries.arrived_pickup(&by(), id).await.unwrap();
    town.deliveries.picked_up(&by(), id).await.unwrap();
    town.deliveries.arrived_dropoff(&by(), id).await.unwrap();
    town.deliveries.delivered(&by(), id).await.unwrap();
    town.order(2, 0, 1000.0).await;
    town.wait("dora", 1).await;
    assert_eq!((town.status_of("dora").await, town.offer("dora").await), (DriverStatus::Available, None));
    town.wait("dora", 1).await;
    town.take("dora").await;
}
