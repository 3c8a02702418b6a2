//! A driver: the states, and what leads from one to the next.

use std::time::Duration;

use food_contracts::delivery::{Driver, DriverError, DriverStatus, Presence, SetStatus};
use food_contracts::{DriverId, Place};
use partie::contract::Timestamp;

use self::Action::{Accept, Come, Hear, Lapse, Leave, Offer, Pause, Release, Retire, Unload};
use DriverStatus as S;

/// For that long a reported place says more than what the driver does.
const A_MOMENT: Duration = Duration::from_secs(30);

/// What can happen to a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Ready for offers.
    Come,
    /// Takes a break; deliveries under way are finished all the same.
    Pause,
    /// Ends the day.
    Leave,
    /// Is asked.
    Offer,
    /// The question is off: declined, lapsed or withdrawn.
    Release,
    /// Said yes.
    Accept,
    /// One delivery less.
    Unload,
    /// Was silent for a while.
    Lapse,
    /// Was heard again.
    Hear,
    /// Was silent for long.
    Retire,
}

/// Everything that may happen. What is not here may not. With deliveries under way `Available` is `Busy`, and without
/// any `Busy` is `Available`.
const TRANSITIONS: &[(DriverStatus, Action, DriverStatus)] = &[
    (S::Offline, Come, S::Available),
    (S::Offline, Leave, S::Offline),
    (S::Offline, Unload, S::Offline),
    (S::Available, Come, S::Available),
    (S::Available, Pause, S::OnBreak),
    (S::Available, Leave, S::Offline),
    (S::Available, Offer, S::Offered),
    (S::Available, Lapse, S::Stale),
    (S::Offered, Come, S::Offered),
    (S::Offered, Pause, S::OnBreak),
    (S::Offered, Leave, S::Offline),
    (S::Offered, Release, S::Available),
    (S::Offered, Accept, S::Busy),
    (S::Offered, Lapse, S::Stale),
    (S::Busy, Come, S::Busy),
    (S::Busy, Pause, S::OnBreak),
    (S::Busy, Unload, S::Busy),
    (S::Busy, Lapse, S::Stale),
    (S::OnBreak, Come, S::Available),
    (S::OnBreak, Pause, S::OnBreak),
    (S::OnBreak, Leave, S::Offline),
    (S::OnBreak, Unload, S::OnBreak),
    (S::Stale, Come, S::Available),
    (S::Stale, Pause, S::OnBreak),
    (S::Stale, Leave, S::Offline),
    (S::Stale, Unload, S::Stale),
    (S::Stale, Hear, S::Available),
    (S::Stale, Retire, S::Offline),
    (S::Suspended, Unload, S::Suspended),
];

/// A driver with what only this service knows.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) driver: Driver,
    /// The token's subject.
    pub(crate) subject: String,
    pub(crate) capacity: u32,
    pub(crate) heard_at: Timestamp,
    /// The number and the time of the last known place.
    pub(crate) place_seq: i64,
    pub(crate) place_at: Option<Timestamp>,
    /// When a place was last kept in the history.
    pub(crate) kept_at: Option<Timestamp>,
}

// === impl Record ===

impl Record {
    /// Somebody whose first word this is.
    pub(crate) fn new(id: DriverId, subject: &str, capacity: u32, now: Timestamp) -> Self {
        let driver = Driver {
            id,
            name: subject.chars().take(80).collect(),
            status: S::Offline,
            available_until: None,
            location: None,
            load: 0,
            version: 0,
        };
        Self {
            driver,
            subject: subject.to_owned(),
            capacity,
            heard_at: now,
            place_seq: i64::MIN,
            place_at: None,
            kept_at: None,
        }
    }

    /// Lets it happen.
    ///
    /// # Errors
    /// [`DriverError::InvalidTransition`], and the driver stays as it was.
    pub(crate) fn apply(&mut self, action: Action) -> Result<(), DriverError> {
        let driver = &mut self.driver;
        // Nobody goes home with somebody's dinner.
        let may = action != Leave || driver.load == 0;
        let to = after(driver.status, action).filter(|_| may).ok_or_else(|| refusal(driver))?;
        if action == Unload {
            driver.load = driver.load.saturating_sub(1);
        }
        driver.status = match to {
            S::Available if driver.load > 0 => S::Busy,
            S::Busy if driver.load == 0 && action != Accept => S::Available,
            to => to,
        };
        driver.version += 1;
        Ok(())
    }

    /// Takes an offer of that many deliveries.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub(crate) fn accept(&mut self, deliveries: u32) -> Result<(), DriverError> {
        self.apply(Accept)?;
        self.driver.load += deliveries;
        Ok(())
    }

    /// The driver's word on itself.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub(crate) fn set(&mut self, word: &SetStatus, now: Timestamp) -> Result<(), DriverError> {
        self.apply(match word.status {
            Presence::Available => Come,
            Presence::OnBreak => Pause,
            Presence::Offline => Leave,
        })?;
        self.heard_at = now;
        if word.status == Presence::Available {
            self.driver.available_until = word.available_until;
        }
        if let Some(place) = word.location {
            self.move_to(place, now);
        }
        if let Some(name) = &word.name {
            self.driver.name.clone_from(name);
        }
        Ok(())
    }

    /// An action of the driver: whoever acts is there. Says whether that changed the status.
    pub(crate) fn hear(&mut self, now: Timestamp) -> bool {
        self.heard_at = self.heard_at.max(now);
        self.driver.status == S::Stale && self.apply(Hear).is_ok()
    }

    /// Whether the driver could be asked.
    pub(crate) fn is_free(&self) -> bool {
        self.driver.status == S::Available
    }

    /// What the driver does says where the driver is, unless the driver said so itself a moment ago.
    pub(crate) fn seen_at(&mut self, place: Place, now: Timestamp) {
        if self.place_at.is_none_or(|at| now.since(at) >= A_MOMENT) {
            self.move_to(place, now);
        }
    }

    /// The last known place.
    pub(crate) fn move_to(&mut self, place: Place, at: Timestamp) {
        self.driver.location = Some(place);
        self.place_at = Some(at);
    }
}

/// The complaint about an action that does not fit a state.
fn refusal(driver: &Driver) -> DriverError {
    let possible =
        |action: &Action| after(driver.status, *action).is_some() && (*action != Leave || driver.load == 0);
    let words = [(Come, "available"), (Pause, "on_break"), (Leave, "offline")];
    let allowed = words.iter().filter(|(action, _)| possible(action)).map(|(_, word)| (*word).to_owned());
    DriverError::InvalidTransition { current_state: driver.status, allowed: allowed.collect() }
}

fn after(from: DriverStatus, action: Action) -> Option<DriverStatus> {
    TRANSITIONS.iter().find(|row| (row.0, row.1) == (from, action)).map(|row| row.2)
}

#[cfg(test)]
mod tests;
