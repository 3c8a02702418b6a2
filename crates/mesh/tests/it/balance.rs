//! Which instance gets a call.

use std::time::Duration;

use http::StatusCode;
use partie_mesh::MeshConfig;

use crate::fleet::{Fleet, Manner};

const MS: Duration = Duration::from_millis(1);

async fn many(fleet: &Fleet, calls: usize, at_once: usize) {
    for _ in 0..calls / at_once {
        let calls = (0..at_once).map(|_| fleet.get());
        futures_util::future::join_all(calls).await;
    }
}

#[tokio::test]
async fn all_of_equals_are_used() {
    for size in [2, 3, 8] {
        let fleet = Fleet::start(&vec![Manner::After(MS * 2); size]);
        many(&fleet, 400, 10).await;
        let asked = fleet.asked();
        let (least, most) = (asked.iter().min().unwrap(), asked.iter().max().unwrap());
        assert!(least * 4 > *most, "{asked:?}");
    }
}

#[tokio::test]
async fn whoever_is_slow_gets_few() {
    for size in [3, 8] {
        let mut manners = vec![Manner::After(MS * 2); size];
        manners[1] = Manner::After(MS * 100);
        let fleet = Fleet::start(&manners);
        many(&fleet, 200, 4).await;
        let asked = fleet.asked();
        assert!(asked[1] < 20, "{asked:?}");
        // Well again, it gets its share again, though it may take until its estimate has sunk.
        fleet.members[1].is(Manner::After(MS * 2));
        let before = fleet.members[1].asked();
        while fleet.members[1].asked() < before + 20 {
            many(&fleet, 40, 20).await;
        }
    }
}

#[tokio::test]
async fn whoever_fails_fast_does_not_look_fast() {
    for size in [3, 8] {
        let mut manners = vec![Manner::After(MS * 5); size];
        manners[0] = Manner::Status(StatusCode::INTERNAL_SERVER_ERROR);
        let fleet = Fleet::start(&manners);
        many(&fleet, 400, 4).await;
        let asked = fleet.asked();
        assert!(asked[0] < 20, "{asked:?}");
    }
}

#[tokio::test]
async fn weights_are_shares_and_nothing_is_nothing() {
    let fleet = Fleet::with(&[Manner::After(MS * 4); 3], MeshConfig::default(), &[300, 100, 0]);
    many(&fleet, 800, 8).await;
    let asked = fleet.asked();
    assert_eq!(asked[2], 0);
    let ratio = asked[0] as f64 / asked[1] as f64;
    assert!((1.8..6.0).contains(&ratio), "{asked:?}");
}

#[tokio::test]
async fn of_a_large_fleet_a_process_uses_a_part() {
    let config = MeshConfig { subset: 4, ..MeshConfig::default() };
    let fleet = Fleet::with(&[Manner::Well; 12], config, &[]);
    many(&fleet, 400, 10).await;
    assert_eq!(fleet.asked().iter().filter(|asked| **asked > 0).count(), 4, "{:?}", fleet.asked());
}
