//! The service's settings: `[services.delivery]`.

use std::time::Duration;

use food_contracts::Place;
use partie::contract::BoxError;
use partie::runtime::duration;
use serde::{Deserialize, Serialize};

use crate::dispatch::{Config, Overdue, TravelModel};
use crate::geo::Projection;

/// Settings of the delivery service. The defaults are the live service; a replay brings its own travel model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// Time between two rounds of dispatch, in business time.
    #[serde(with = "duration")]
    pub dispatch_interval: Duration,
    /// How long after the full interval a round is: in a replay, after what happens on the full minute.
    #[serde(with = "duration")]
    pub dispatch_offset: Duration,
    /// How long an offer waits for its answer (T2).
    #[serde(with = "duration")]
    pub offer: Duration,
    /// How long drivers usually think; offers are made that much earlier.
    #[serde(with = "duration")]
    pub accept_margin: Duration,
    /// How long a driver is searched, counted from when the food is ready (T3).
    #[serde(with = "duration")]
    pub search: Duration,
    /// After how long without an action a driver is stale, and loses what was not picked up.
    #[serde(with = "duration")]
    pub stale: Duration,
    /// After how long without an action a driver is offline.
    #[serde(with = "duration")]
    pub offline: Duration,
    /// Deliveries in an offer at most.
    pub bundle: u32,
    /// Deliveries a driver carries at most.
    pub capacity: u32,
    /// The middle of the zone, for the projection; the first restaurant of a round if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Place>,
    /// Whether places are whole metres from the origin.
    pub snap_to_metres: bool,
    /// Average speed as the crow flies.
    pub metres_per_minute: f64,
    /// Time at the restaurant besides waiting.
    #[serde(with = "duration")]
    pub pickup_service: Duration,
    /// Time at a door.
    #[serde(with = "duration")]
    pub dropoff_service: Duration,
    /// How long after a drop-off a driver is not asked yet: the part of the time at a door that is still to come. By
    /// default drivers say they are done when they are.
    #[serde(with = "duration")]
    pub after_dropoff: Duration,
    /// Drives are rounded up to a multiple of this; 0 does not round.
    #[serde(with = "duration")]
    pub round_up_to: Duration,
    /// Whether orders that can no longer arrive in time get no driver, as the public instances have it.
    pub refuse_overdue: bool,
}

// === impl Settings ===

impl Settings {
    /// The settings, if they make sense together.
    pub(crate) fn checked(self) -> Result<Self, BoxError> {
        let complaint = if self.dispatch_interval.is_zero() || self.offer.is_zero() {
            "`dispatch-interval` and `offer` must be longer than nothing"
        } else if self.stale.is_zero() || self.offline <= self.stale {
            "`offline` must be longer than `stale`, and `stale` longer than nothing"
        } else if self.bundle == 0 || self.capacity < self.bundle {
            "`bundle` must be at least 1, and `capacity` at least that"
        } else if !(self.metres_per_minute.is_finite() && self.metres_per_minute > 0.0) {
            "`metres-per-minute` must be more than nothing"
        } else {
            return Ok(self);
        };
        Err(complaint.into())
    }

    /// How long drives take.
    pub(crate) fn travel(&self) -> TravelModel {
        TravelModel {
            metres_per_minute: self.metres_per_minute,
            pickup_service: millis(self.pickup_service),
            dropoff_service: millis(self.dropoff_service),
            round_up_to: Some(millis(self.round_up_to)).filter(|unit| *unit > 0),
        }
    }

    /// What dispatch works with.
    pub(crate) fn dispatch(&self) -> Config {
        Config {
            travel: self.travel(),
            round: millis(self.dispatch_interval),
            accept_margin: millis(self.accept_margin),
            bundle_cap: self.bundle as usize,
            overdue: if self.refuse_overdue { Overdue::Refuse } else { Overdue::Deliver },
            ..Config::default()
        }
    }

    /// The plane to plan on.
    pub(crate) fn projection(&self, around: Place) -> Projection {
        Projection::around(self.origin.unwrap_or(around), self.snap_to_metres)
    }
}

impl Default for Settings {
    fn default() -> Self {
        let (travel, dispatch) = (TravelModel::default(), Config::default());
        Self {
            dispatch_interval: duration(dispatch.round),
            dispatch_offset: Duration::ZERO,
            offer: Duration::from_secs(30),
            accept_margin: duration(dispatch.accept_margin),
            search: Duration::from_mins(10),
            stale: Duration::from_secs(90),
            offline: Duration::from_mins(5),
            bundle: 3,
            capacity: 3,
            origin: None,
            snap_to_metres: false,
            metres_per_minute: travel.metres_per_minute,
            pickup_service: duration(travel.pickup_service),
            dropoff_service: duration(travel.dropoff_service),
            after_dropoff: Duration::ZERO,
            round_up_to: Duration::ZERO,
            refuse_overdue: false,
        }
    }
}

/// Milliseconds, as dispatch counts.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_what_people_write() {
        let text = "offer = '1m'\nround-up-to = '1m'\norigin = { lat = 52.5, lon = 13.4 }\nbundle = 2";
        let settings: Settings = toml::from_str(text).unwrap();
        assert_eq!((settings.offer, settings.bundle), (Duration::from_mins(1), 2));
        assert_eq!(settings.travel().round_up_to, Some(60_000));
        assert!(settings.checked().is_ok());
        for bad in ["offer = 5", "offer = '-1s'", "offers = '1m'", "origin = { lat = 0.0, lon = 0.0 }"] {
            assert!(toml::from_str::<Settings>(bad).is_err(), "{bad}");
        }
        for bad in
            ["offer = '0s'", "bundle = 0", "offline = '10s'", "capacity = 1", "metres-per-minute = nan"]
        {
            assert!(toml::from_str::<Settings>(bad).unwrap().checked().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_defaults_survive_the_configuration() {
        let table = toml::Table::try_from(Settings::default()).unwrap();
        assert_eq!(table.try_into::<Settings>().unwrap(), Settings::default());
    }
}
