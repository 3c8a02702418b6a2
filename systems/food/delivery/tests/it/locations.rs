//! Reported places, and who may speak for a driver.

use food_contracts::delivery::{DeliveryStatus as S, DriverError, Point, Points};
use partie::Fault;
use partie::contract::IfMatch;

use crate::town::{Town, code, near};

fn point(seq: i64, metres: f64) -> Point {
    let place = near(metres);
    Point { seq, lat: place.lat, lon: place.lon, at: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn older_places_are_ignored_leaps_suspect_and_the_future_refused() {
    let town = Town::open().await;
    town.driver("dora", 0.0).await;
    let report = async |points: Vec<Point>| {
        town.drivers.report(&town.by("dora"), "dora".to_owned(), Points { points }).await
    };
    town.second().await;
    let taken = report(vec![point(1, 10.0), point(1, 20.0)]).await.unwrap().points;
    assert_eq!((taken[0].ignored, taken[0].suspect, taken[1].ignored), (false, false, true));
    town.second().await;
    let taken = report(vec![point(2, 9000.0)]).await.unwrap().points;
    assert_eq!((taken[0].ignored, taken[0].suspect), (false, true));

    let ahead = Point { at: Some(town.now() + std::time::Duration::from_secs(60)), ..point(3, 0.0) };
    let refused = report(vec![point(3, 0.0), ahead]).await;
    let Err(Fault::Domain(DriverError::FromTheFuture { pointers })) = refused else { panic!("{refused:?}") };
    assert_eq!(pointers, ["/points/1/at"]);
    let nowhere = Point { lat: 91.0, ..point(4, 0.0) };
    assert_eq!(code(report(vec![nowhere]).await), (422, "validation-failed"));
    assert_eq!(code(report(vec![]).await), (422, "validation-failed"));
    let kept: i64 = town.value("SELECT COUNT(*) FROM driver_places").await;
    assert_eq!(kept, 1, "the history is thinned out");
    let driver = town.drivers.driver(&town.by("dora"), "me".to_owned()).await.unwrap().0;
    assert_eq!(driver.location, Some(near(9000.0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_moves_is_on_the_way() {
    let town = Town::open().await;
    town.driver("dora", 100.0).await;
    let id = town.order(1, 0, 1000.0).await.id;
    town.take("dora").await;
    let moves = async |seq| {
        town.second().await;
        let points = Points { points: vec![point(seq, 0.0)] };
        town.drivers.report(&town.by("dora"), "me".to_owned(), points).await.unwrap();
        town.state(id).await
    };
    assert_eq!(moves(1).await, S::EnRouteToPickup);
    town.deliveries.arrived_pickup(&town.by("dora"), id).await.unwrap();
    assert_eq!(moves(2).await, S::ArrivedAtPickup);
    town.deliveries.picked_up(&town.by("dora"), id).await.unwrap();
    assert_eq!(moves(3).await, S::EnRouteToDropoff);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_is_whoever_the_token_says() {
    let town = Town::open().await;
    assert_eq!(code(town.drivers.driver(&town.by("dora"), "me".to_owned()).await), (404, "driver-not-found"));
    let dora = town.driver("dora", 0.0).await;
    for id in ["me".to_owned(), "dora".to_owned(), dora.id.to_string()] {
        assert_eq!(town.drivers.driver(&town.by("dora"), id).await.unwrap().0, dora);
    }
    for id in [dora.id.to_string(), "dora".to_owned(), "nonsense".to_owned()] {
        assert_eq!(code(town.drivers.driver(&town.by("emil"), id.clone()).await), (404, "driver-not-found"));
        let points = Points { points: vec![point(1, 0.0)] };
        assert_eq!(code(town.drivers.report(&town.by("emil"), id, points).await), (404, "driver-not-found"));
    }
    let admin = town.running.call_as("root", &["admin"]).unwrap();
    assert_eq!(town.drivers.driver(&admin, dora.id.to_string()).await.unwrap().0, dora);
    // The last word counts, unless the driver asks for more.
    let word = || food_contracts::delivery::SetStatus {
        status: food_contracts::delivery::Presence::OnBreak,
        available_until: None,
        location: None,
        name: None,
    };
    let old = town.by("dora").with_if_match(IfMatch::Version(dora.version + 1));
    assert_eq!(
        code(town.drivers.set_status(&old, "me".to_owned(), word()).await),
        (412, "precondition-failed")
    );
    let current = town.by("dora").with_if_match(IfMatch::Version(dora.version));
    assert_eq!(
        town.drivers.set_status(&current, "me".to_owned(), word()).await.unwrap().0.version,
        dora.version + 1
    );
}
