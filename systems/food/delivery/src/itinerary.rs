//! When a trip arrives where: the rules of dispatch, on places.

use food_contracts::Place;
use partie::contract::Timestamp;

use crate::settings::Settings;

/// Where a trip begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    /// On the way to the restaurant, to food that is ready then.
    ToPickUp { from: Place, pick_up: Place, ready_at: Timestamp },
    /// At the restaurant, food in hand.
    PickedUp { pick_up: Place },
    /// At a door that is done.
    Door { at: Place },
}

/// When each door of a trip is reached, in sequence.
pub(crate) fn arrivals(settings: &Settings, start: Start, doors: &[Place], now: Timestamp) -> Vec<Timestamp> {
    let travel = settings.travel();
    let first = match start {
        Start::ToPickUp { pick_up, .. } | Start::PickedUp { pick_up } => pick_up,
        Start::Door { at } => at,
    };
    let plane = settings.projection(first);
    let drive = |from: Place, to: Place| travel.time(plane.point(from), plane.point(to));
    let mut at = now.as_millis();
    at += match start {
        Start::ToPickUp { from, pick_up, ready_at } => {
            let arrival = at + drive(from, pick_up) + travel.half_pickup();
            arrival.max(ready_at.as_millis()) - at + travel.half_pickup()
        }
        Start::PickedUp { .. } => travel.half_pickup(),
        Start::Door { .. } => travel.half_dropoff(),
    };
    let mut last = first;
    let arrive = |door: &Place| {
        at += drive(last, *door) + travel.half_dropoff();
        let arrival = Timestamp::from_millis(at);
        at += travel.half_dropoff();
        last = *door;
        arrival
    };
    doors.iter().map(arrive).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::Point;
    use crate::geo::Projection;

    const MINUTE: i64 = 60_000;

    #[test]
    fn arrivals_are_what_dispatch_expects() {
        let origin = Place { lat: 52.5, lon: 13.4 };
        let settings = Settings {
            origin: Some(origin),
            snap_to_metres: true,
            metres_per_minute: 100.0,
            round_up_to: std::time::Duration::from_mins(1),
            ..Settings::default()
        };
        let plane = Projection::around(origin, true);
        let at = |minutes: i64| plane.place(Point { x: (minutes * 100) as f64, y: 0.0 });
        let (from, pick_up, now) = (at(0), at(10), Timestamp::EPOCH);
        let arrive = |start, doors: &[Place]| {
            let arrivals = arrivals(&settings, start, doors, now);
            arrivals.into_iter().map(|at| at.as_millis() / MINUTE).collect::<Vec<_>>()
        };
        let ready =
            |minute| Start::ToPickUp { from, pick_up, ready_at: Timestamp::from_millis(minute * MINUTE) };
        // As in dispatch: ten minutes and half a service, then two halves and five minutes.
        assert_eq!(arrive(ready(3), &[at(15)]), [21]);
        assert_eq!(arrive(ready(20), &[at(15), at(16)]), [29, 34]);
        assert_eq!(arrive(Start::PickedUp { pick_up }, &[at(15)]), [9]);
        assert_eq!(arrive(Start::Door { at: at(15) }, &[at(16)]), [5]);
    }
}
