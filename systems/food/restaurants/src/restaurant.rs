//! A restaurant: when it takes orders, where it delivers, and what a new one must look like.

use food_contracts::restaurants::{self as api, Availability, NewRestaurant, Pause};
use food_contracts::{Place, RestaurantId};
use partie::contract::{Currency, Money, Timestamp, Violation};

use crate::hours::Week;
use crate::menu::price_violations;
use crate::zone;

/// A restaurant.
#[derive(Debug, Clone)]
pub(crate) struct Restaurant {
    pub(crate) id: RestaurantId,
    /// The tutorial's small number, for demo restaurants.
    pub(crate) number: Option<u32>,
    /// The subject of its owner.
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) cuisine: String,
    pub(crate) emoji: String,
    pub(crate) location: Place,
    pub(crate) week: Week,
    /// Set while it takes no orders whatever the hour; one with an end is over by itself.
    pub(crate) pause: Option<Pause>,
    /// Everywhere if absent.
    pub(crate) zone_metres: Option<u32>,
    /// Of the whole menu.
    pub(crate) currency: Currency,
    pub(crate) minimum: Option<Money>,
    /// How many tickets are under way at most.
    pub(crate) capacity: Option<u32>,
    pub(crate) prep_minutes: u32,
    /// Counts the owner's changes of the menu. Portions come and go without it.
    pub(crate) menu_version: i64,
    /// Counts the changes of everything else.
    pub(crate) version: i64,
}

// === impl Restaurant ===

impl Restaurant {
    /// A restaurant to open.
    ///
    /// # Errors
    /// Everything that is wrong with it, its menu included.
    pub(crate) fn open(id: RestaurantId, owner: String, new: &NewRestaurant) -> Result<Self, Vec<Violation>> {
        let mut wrong = Vec::new();
        if new.name.trim().is_empty() {
            wrong.push(Violation::new("/name", "must not be blank"));
        }
        // The first price settles the currency; the schema wants at least one item.
        let currency = new.items.first().map_or(Currency::USD, |item| item.price.currency());
        for (index, item) in new.items.iter().enumerate() {
            if item.name.trim().is_empty() {
                wrong.push(Violation::new(format!("/items/{index}/name"), "must not be blank"));
            }
            wrong.extend(price_violations(item.price, currency, &format!("/items/{index}/price")));
        }
        if let Some(minimum) = new.minimum {
            wrong.extend(price_violations(minimum, currency, "/minimum"));
        }
        let week = match new.hours.clone().map_or_else(|| Ok(Week::always()), Week::new) {
            Ok(week) => week,
            Err(faults) => {
                let inside =
                    |fault: Violation| Violation::new(format!("/hours{}", fault.pointer), fault.detail);
                wrong.extend(faults.into_iter().map(inside));
                return Err(wrong);
            }
        };
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            id,
            number: None,
            owner,
            name: new.name.clone(),
            cuisine: new.cuisine.clone(),
            emoji: new.emoji.clone(),
            location: new.location,
            week,
            pause: None,
            zone_metres: new.zone_metres,
            currency,
            minimum: new.minimum,
            capacity: new.capacity,
            prep_minutes: new.prep_minutes,
            menu_version: 1,
            version: 1,
        })
    }

    /// Whether it takes orders.
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        !self.is_paused(now) && self.week.is_open(now)
    }

    /// When it takes orders again, if it does not and that is known.
    pub(crate) fn next_open(&self, now: Timestamp) -> Option<Timestamp> {
        let from = match &self.pause {
            Some(pause) if self.is_paused(now) => pause.until?,
            _ => now,
        };
        self.week.open_from(from).filter(|open| *open > now)
    }

    /// Whether it delivers there.
    pub(crate) fn delivers_to(&self, place: Place) -> bool {
        self.zone_metres.is_none_or(|zone| zone::metres(self.location, place) <= f64::from(zone))
    }

    /// Stops orders.
    ///
    /// # Errors
    /// An end that is over.
    pub(crate) fn pause(&mut self, pause: Pause, now: Timestamp) -> Result<(), Vec<Violation>> {
        if pause.until.is_some_and(|until| until <= now) {
            return Err(vec![Violation::new("/until", "is over already")]);
        }
        self.pause = Some(pause);
        Ok(())
    }

    /// Whether it is open and when that changes.
    pub(crate) fn availability(&self, now: Timestamp) -> Availability {
        let open = self.is_open(now);
        Availability {
            restaurant_id: self.id,
            open,
            paused: self.is_paused(now),
            next_open: self.next_open(now),
            next_close: self.week.next_close(now).filter(|_| open),
        }
    }

    /// As others see it.
    pub(crate) fn view(self, now: Timestamp) -> api::Restaurant {
        api::Restaurant {
            open: self.is_open(now),
            id: self.id,
            name: self.name,
            cuisine: self.cuisine,
            emoji: self.emoji,
            location: self.location,
            hours: self.week.hours().clone(),
            zone_metres: self.zone_metres,
            minimum: self.minimum,
            prep_minutes: self.prep_minutes,
            version: self.version,
        }
    }

    pub(crate) fn is_paused(&self, now: Timestamp) -> bool {
        self.pause.as_ref().is_some_and(|pause| pause.until.is_none_or(|until| now < until))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use food_contracts::restaurants::{Day, Hours, NewItem, OpenSpan};
    use partie::contract::Id;
    use uuid::Uuid;

    use super::*;

    pub(crate) fn new() -> NewRestaurant {
        NewRestaurant {
            name: "Trattoria".to_owned(),
            cuisine: "Italian".to_owned(),
            emoji: String::new(),
            location: Place { lat: 52.52, lon: 13.405 },
            hours: None,
            zone_metres: Some(5_000),
            minimum: None,
            capacity: None,
            prep_minutes: 15,
            items: vec![NewItem {
                name: "Soup".to_owned(),
                price: Money::new(500, Currency::USD).unwrap(),
                emoji: String::new(),
                portions: None,
            }],
        }
    }

    pub(crate) fn restaurant(new: &NewRestaurant) -> Restaurant {
        Restaurant::open(RestaurantId::from_uuid(Uuid::from_u128(1)), "o".to_owned(), new).unwrap()
    }

    fn hours(millis: u64) -> Timestamp {
        Timestamp::EPOCH + Duration::from_secs(3600 * millis)
    }

    #[test]
    fn a_pause_ends_when_it_says_but_not_before_the_hours_begin() {
        // The epoch was a Thursday.
        let span = OpenSpan { day: Day::Thursday, from: "10:00".to_owned(), to: "20:00".to_owned() };
        let week = Hours { time_zone: "UTC".to_owned(), open: vec![span] };
        let mut place = restaurant(&NewRestaurant { hours: Some(week), ..new() });
        for (pause, now, open, next_open, next_close) in [
            (None, 9, false, Some(10), None),
            (None, 12, true, None, Some(20)),
            (Some(Some(11)), 9, false, Some(11), None),
            (Some(Some(11)), 11, true, None, Some(20)),
            (Some(Some(21)), 12, false, Some(7 * 24 + 10), None),
            (Some(None), 12, false, None, None),
        ] {
            place.pause = pause.map(|until| Pause { until: until.map(hours) });
            let seen = place.availability(hours(now));
            assert_eq!(
                (seen.open, seen.next_open, seen.next_close),
                (open, next_open.map(hours), next_close.map(hours)),
                "{pause:?} at {now}"
            );
        }
        assert!(place.pause(Pause { until: Some(hours(1)) }, hours(1)).is_err());
    }

    #[test]
    fn a_restaurant_that_always_has_been_open_always_will_be() {
        let seen = restaurant(&new()).availability(hours(0));
        assert_eq!((seen.open, seen.next_open, seen.next_close), (true, None, None));
    }

    #[test]
    fn all_that_is_wrong_with_a_new_restaurant_is_said_at_once() {
        let mut bad = new();
        bad.name = " ".to_owned();
        bad.minimum = Some(Money::new(-1, "EUR".parse().unwrap()).unwrap());
        let yen = NewItem { price: Money::new(1, "JPY".parse().unwrap()).unwrap(), ..bad.items[0].clone() };
        bad.items.push(NewItem { name: "\t".to_owned(), ..yen });
        let span = OpenSpan { day: Day::Monday, from: "24:00".to_owned(), to: "9:00".to_owned() };
        bad.hours = Some(Hours { time_zone: "Mars/Olympus".to_owned(), open: vec![span] });
        let wrong = Restaurant::open(RestaurantId::from_uuid(Uuid::nil()), "o".to_owned(), &bad).unwrap_err();
        let pointers: Vec<_> = wrong.iter().map(|violation| violation.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/name",
                "/items/1/name",
                "/items/1/price/currency",
                "/minimum/amount",
                "/minimum/currency",
                "/hours/time_zone",
                "/hours/open/0/from",
                "/hours/open/0/to",
            ]
        );
    }

    #[test]
    fn the_zone_ends_where_it_says() {
        let place = restaurant(&new());
        assert!(place.delivers_to(place.location));
        assert!(place.delivers_to(Place { lat: 52.56, lon: 13.405 })); // 4.4 km
        assert!(!place.delivers_to(Place { lat: 52.57, lon: 13.405 })); // 5.6 km
    }
}
