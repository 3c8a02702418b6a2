//! The rules for reported places.

use std::time::Duration;

use food_contracts::Place;
use food_contracts::delivery::{DriverError, Point, PointTaken};
use partie::contract::{Fault, Platform, Timestamp, Violation};

use crate::driver::Record;
use crate::geo::metres;

/// Faster than any vehicle that brings food, in metres a second.
const TOO_FAST: f64 = 60.0;
/// How far ahead a driver's clock may be.
const SKEW: Duration = Duration::from_secs(5);
/// The history keeps a place this often.
const KEPT_EVERY: Duration = Duration::from_secs(15);

/// A place for the history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Kept {
    pub(crate) seq: i64,
    pub(crate) at: Timestamp,
    pub(crate) place: Place,
    pub(crate) suspect: bool,
}

/// What is wrong with the points at all: every one of them is looked at before any is taken.
///
/// # Errors
/// A validation fault that lists what is no place; [`DriverError::FromTheFuture`] with pointers to those.
pub(crate) fn check(points: &[Point], now: Timestamp) -> Result<(), Fault<DriverError>> {
    let numbered = || points.iter().enumerate();
    let no_place = numbered().filter_map(|(number, point)| {
        let detail = Place::new(point.lat, point.lon).err()?.to_string();
        Some(Violation { pointer: format!("/points/{number}"), detail })
    });
    let mut violations: Vec<_> = no_place.collect();
    if points.is_empty() || points.len() > 100 {
        violations
            .push(Violation { pointer: "/points".to_owned(), detail: "must be 1 to 100 points".to_owned() });
    }
    if !violations.is_empty() {
        return Err(Platform::invalid(violations).into());
    }
    let ahead = numbered().filter(|(_, point)| point.at.is_some_and(|at| at > now + SKEW));
    let pointers: Vec<_> = ahead.map(|(number, _)| format!("/points/{number}/at")).collect();
    if pointers.is_empty() { Ok(()) } else { Err(DriverError::FromTheFuture { pointers }.into()) }
}

/// Takes a point: says what became of it, and what the history keeps of it.
pub(crate) fn take(driver: &mut Record, point: &Point, now: Timestamp) -> (PointTaken, Option<Kept>) {
    let (place, at) = (Place { lat: point.lat, lon: point.lon }, point.at.unwrap_or(now).min(now));
    let taken = PointTaken { seq: point.seq, ignored: false, suspect: false };
    if point.seq <= driver.place_seq || driver.place_at.is_some_and(|last| at < last) {
        return (PointTaken { ignored: true, ..taken }, None);
    }
    let suspect = match (driver.driver.location, driver.place_at) {
        // Within a second, satellites may disagree.
        (Some(last), Some(then)) => {
            metres(last, place) > TOO_FAST * at.since(then).max(Duration::from_secs(1)).as_secs_f64()
        }
        _ => false,
    };
    driver.move_to(place, at);
    driver.place_seq = point.seq;
    let keep = driver.kept_at.is_none_or(|kept| at.since(kept) >= KEPT_EVERY);
    let kept = keep.then_some(Kept { seq: point.seq, at, place, suspect });
    if keep {
        driver.kept_at = Some(at);
    }
    (PointTaken { suspect, ..taken }, kept)
}

#[cfg(test)]
mod tests {
    use food_contracts::DriverId;
    use partie::contract::Id;
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    /// A point that many metres north of the first, at that second.
    fn point(seq: i64, metres: f64, second: i64) -> Point {
        Point { seq, lat: 52.0 + metres / 111_195.08, lon: 13.0, at: Some(at(second)) }
    }

    #[test]
    fn older_points_are_ignored_and_leaps_are_suspect() {
        let mut driver = Record::new(DriverId::from_uuid(Uuid::from_u128(1)), "d", 3, at(0));
        for (reported, ignored, suspect, kept) in [
            (point(5, 0.0, 100), false, false, true),
            (point(5, 10.0, 110), true, false, false),
            (point(4, 10.0, 110), true, false, false),
            (point(6, 590.0, 110), false, false, false),
            (point(7, 1200.0, 120), false, true, true),
            (point(8, 1210.0, 119), true, false, false),
            (point(9, 1250.0, 120), false, false, false),
        ] {
            let (taken, keeps) = take(&mut driver, &reported, at(200));
            assert_eq!(
                (taken.ignored, taken.suspect, keeps.is_some()),
                (ignored, suspect, kept),
                "{reported:?}"
            );
        }
        assert_eq!((driver.place_seq, driver.place_at), (9, Some(at(120))));
    }

    #[test]
    fn the_future_and_what_is_no_place_are_refused() {
        let late = [point(1, 0.0, 10), point(2, 0.0, 16)];
        let Err(Fault::Domain(DriverError::FromTheFuture { pointers })) = check(&late, at(10)) else {
            panic!()
        };
        assert_eq!(pointers, ["/points/1/at"]);
        assert!(check(&late, at(11)).is_ok(), "a driver's clock may be a little ahead");
        let nowhere = Point { seq: 1, lat: 0.0, lon: 0.0, at: None };
        let Err(Fault::Platform(fault)) = check(&[nowhere], at(10)) else { panic!() };
        assert_eq!(fault.violations()[0].pointer, "/points/0");
        assert!(check(&[], at(10)).is_err());
    }
}
