//! Every state with every action, with and without deliveries under way.

use partie::contract::Id;
use uuid::Uuid;

use super::*;

const ALL: [Action; 10] = [Come, Pause, Leave, Offer, Release, Accept, Unload, Lapse, Hear, Retire];

fn driver(status: DriverStatus, load: u32) -> Record {
    let mut record = Record::new(DriverId::from_uuid(Uuid::from_u128(1)), "d", 3, Timestamp::EPOCH);
    (record.driver.status, record.driver.load) = (status, load);
    record
}

/// Where each action leads to, in the order of `ALL`; `-` is refused.
#[track_caller]
fn check(load: u32, table: &[(DriverStatus, &str)]) {
    for (from, expected) in table {
        let ends = ALL.map(|action| {
            let mut record = driver(*from, load);
            let done = record.apply(action);
            let version = record.driver.version;
            assert_eq!(
                (done.is_ok(), done.is_ok()),
                (version == 1, record.driver.status != *from || version == 1)
            );
            if done.is_ok() { format!("{:?}", record.driver.status) } else { "-".to_owned() }
        });
        assert_eq!(ends.join(" "), *expected, "{from:?} with {load}");
    }
}

#[test]
fn every_state_and_action_without_deliveries() {
    check(
        0,
        &[
            (S::Offline, "Available - Offline - - - Offline - - -"),
            (S::Available, "Available OnBreak Offline Offered - - - Stale - -"),
            (S::Offered, "Offered OnBreak Offline - Available Busy - Stale - -"),
            (S::OnBreak, "Available OnBreak Offline - - - OnBreak - - -"),
            (S::Stale, "Available OnBreak Offline - - - Stale - Available Offline"),
            (S::Suspended, "- - - - - - Suspended - - -"),
        ],
    );
}

#[test]
fn every_state_and_action_with_deliveries() {
    check(
        2,
        &[
            (S::Busy, "Busy OnBreak - - - - Busy Stale - -"),
            (S::OnBreak, "Busy OnBreak - - - - OnBreak - - -"),
            (S::Stale, "Busy OnBreak - - - - Stale - Busy Offline"),
            (S::Offline, "Busy - - - - - Offline - - -"),
        ],
    );
}

#[test]
fn the_last_delivery_makes_a_driver_available() {
    let mut record = driver(S::Offered, 0);
    record.accept(2).unwrap();
    assert_eq!((record.driver.status, record.driver.load), (S::Busy, 2));
    record.apply(Unload).unwrap();
    assert_eq!(record.driver.status, S::Busy);
    record.apply(Unload).unwrap();
    assert_eq!((record.driver.status, record.driver.load), (S::Available, 0));
}

#[test]
fn a_refusal_names_what_is_possible() {
    let refused = driver(S::Busy, 1).apply(Leave).unwrap_err();
    let allowed = vec!["available".to_owned(), "on_break".to_owned()];
    assert_eq!(refused, DriverError::InvalidTransition { current_state: S::Busy, allowed });
}

#[test]
fn acts_say_where_a_driver_is_unless_it_said_so_itself() {
    let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
    let (door, here) = (Place { lat: 1.0, lon: 1.0 }, Place { lat: 2.0, lon: 2.0 });
    let mut record = driver(S::Busy, 1);
    record.seen_at(door, at(0));
    assert_eq!(record.driver.location, Some(door));
    record.move_to(here, at(10));
    record.seen_at(door, at(39));
    assert_eq!(record.driver.location, Some(here));
    record.seen_at(door, at(40));
    assert_eq!((record.driver.location, record.place_at), (Some(door), Some(at(40))));
}
