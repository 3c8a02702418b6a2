//! Where and when things are: the plane and the minutes of a day as places on Earth and business time.

use std::fmt;

use food_contracts::Place;
use food_delivery::Projection;
use food_delivery::dispatch::Point;
use partie::contract::Timestamp;

use super::day::{self, Day};

/// The middle of the plane. Not 0/0, which is what broken clients send, and far from every edge of the map.
pub(crate) const ORIGIN: Place = Place { lat: 52.5, lon: 13.4 };
/// Minute 0 of a day: 2027-01-15T00:00:00Z.
const MIDNIGHT: i64 = 1_799_971_200_000;
const MINUTE: i64 = 60_000;

/// A place that does not come back as it was from its way through degrees.
#[derive(Debug)]
pub(crate) struct OffTheMap {
    what: String,
    place: day::Place,
}

/// The moment of a day's minute.
pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(minute.saturating_mul(MINUTE).saturating_add(MIDNIGHT))
}

/// The minute of a day in which a moment is.
pub(crate) fn minute(at: Timestamp) -> i64 {
    (at.as_millis() - MIDNIGHT).div_euclid(MINUTE)
}

/// The place on Earth. A day's places are whole metres from its origin, which [`check`] has made sure of.
pub(crate) fn place(place: day::Place) -> Place {
    projection().place(Point { x: place.x, y: place.y })
}

/// Whether all places and times of a day are on the map: they come back exactly, so that nothing is rounded another
/// way than in the day.
pub(crate) fn check(day: &Day) -> Result<(), OffTheMap> {
    let restaurants = day.restaurants.iter().map(|one| (&one.name, one.place));
    let doors = day.orders.iter().map(|one| (&one.name, one.drop_off));
    let shifts = day.couriers.iter().map(|one| (&one.name, one.place));
    let off = restaurants.chain(doors).chain(shifts).find(|(_, there)| !comes_back(*there));
    off.map_or(Ok(()), |(what, place)| Err(OffTheMap { what: what.clone(), place }))
}

fn comes_back(there: day::Place) -> bool {
    let Place { lat, lon } = place(there);
    let back = Place::new(lat, lon).map(|place| projection().point(place));
    back.is_ok_and(|back| (back.x, back.y) == (there.x, there.y))
}

fn projection() -> Projection {
    Projection::around(ORIGIN, true)
}

impl fmt::Display for OffTheMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, place } = self;
        write!(f, "{what} at {} / {} is not at a whole metre, or is off the map", place.x, place.y)
    }
}

impl std::error::Error for OffTheMap {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_moments() {
        assert_eq!(at(0).to_string(), "2027-01-15T00:00:00.000Z");
        for number in [-1, 0, 1, 1_439, 1_500] {
            assert_eq!(minute(at(number)), number);
            assert_eq!(minute(Timestamp::from_millis(at(number).as_millis() + 59_999)), number);
        }
    }

    #[test]
    fn a_day_is_on_the_map_if_its_places_come_back() {
        let day = Day::generated(1, 200, 20);
        assert!(check(&day).is_ok());
        for (x, y, fits) in
            [(0.0, 0.0, true), (-30_000.0, 99_999.0, true), (0.5, 0.0, false), (0.0, 1e8, false)]
        {
            let mut day = day.clone();
            day.orders[7].drop_off = day::Place { x, y };
            assert_eq!(check(&day).map_err(|error| error.to_string()).is_ok(), fits, "{x} / {y}");
        }
    }
}
