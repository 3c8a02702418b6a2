//! A delivery: the states, and what leads from one to the next.

use std::time::Duration;

use food_contracts::delivery::{Delivery, DeliveryError, DeliveryStatus, FailureReason, NewDelivery};
use food_contracts::{DeliveryId, DriverId, OfferId, RestaurantId};
use partie::contract::Timestamp;

use self::Step::{
    ArriveDropoff, ArrivePickup, ArriveReturn, Assign, Cancel, Deliver, Fail, GiveUp, Leave, Offer, PickUp,
    Search, SetOut, TakeBack, TimeOut, TurnBack, Unoffer,
};
use DeliveryStatus as S;

/// What can happen to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Search,
    Offer,
    /// The offer was declined, lapsed or withdrawn.
    Unoffer,
    Assign,
    /// The driver moves towards the restaurant.
    SetOut,
    ArrivePickup,
    PickUp,
    /// The driver moves towards the door.
    Leave,
    ArriveDropoff,
    Deliver,
    /// The driver is lost before the pickup.
    GiveUp,
    /// Nobody takes the food.
    Fail,
    /// The driver turns back with it.
    TurnBack,
    ArriveReturn,
    TakeBack,
    /// Nobody was found in time.
    TimeOut,
    /// The order is off.
    Cancel,
}

/// Everything that may happen. What is not here may not.
const TRANSITIONS: &[(DeliveryStatus, Step, DeliveryStatus)] = &[
    (S::Pending, Search, S::Searching),
    (S::Pending, Cancel, S::Cancelled),
    (S::Searching, Offer, S::Offered),
    (S::Searching, TimeOut, S::UnassignedTimeout),
    (S::Searching, Cancel, S::Cancelled),
    (S::Offered, Unoffer, S::Searching),
    (S::Offered, Assign, S::Assigned),
    (S::Offered, Cancel, S::Cancelled),
    (S::Assigned, SetOut, S::EnRouteToPickup),
    (S::Assigned, ArrivePickup, S::ArrivedAtPickup),
    (S::Assigned, GiveUp, S::Searching),
    (S::Assigned, Cancel, S::Cancelled),
    (S::EnRouteToPickup, ArrivePickup, S::ArrivedAtPickup),
    (S::EnRouteToPickup, GiveUp, S::Searching),
    (S::EnRouteToPickup, Cancel, S::Cancelled),
    (S::ArrivedAtPickup, PickUp, S::PickedUp),
    (S::ArrivedAtPickup, GiveUp, S::Searching),
    (S::ArrivedAtPickup, Cancel, S::Cancelled),
    (S::PickedUp, Leave, S::EnRouteToDropoff),
    (S::PickedUp, ArriveDropoff, S::ArrivedAtDropoff),
    (S::PickedUp, Fail, S::Failed),
    (S::EnRouteToDropoff, ArriveDropoff, S::ArrivedAtDropoff),
    (S::EnRouteToDropoff, Fail, S::Failed),
    (S::ArrivedAtDropoff, Deliver, S::Delivered),
    (S::ArrivedAtDropoff, Fail, S::Failed),
    (S::Failed, TurnBack, S::Returning),
    (S::Returning, ArriveReturn, S::ArrivedAtReturn),
    (S::ArrivedAtReturn, TakeBack, S::Returned),
];

/// A delivery with what only this service knows.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) delivery: Delivery,
    pub(crate) restaurant_id: RestaurantId,
    pub(crate) placed_at: Timestamp,
    /// Whether the food is ready only once the kitchen says so.
    pub(crate) is_promise: bool,
    pub(crate) search_until: Timestamp,
    /// The offer that waits, or was taken.
    pub(crate) offer_id: Option<OfferId>,
    pub(crate) failure: Option<FailureReason>,
}

// === impl Record ===

impl Record {
    /// A delivery whose driver is searched.
    pub(crate) fn new(id: DeliveryId, new: &NewDelivery, search: Duration, now: Timestamp) -> Self {
        let delivery = Delivery {
            id,
            order_id: new.order_id,
            status: S::Searching,
            driver_id: None,
            pick_up: new.pick_up,
            drop_off: new.drop_off,
            ready_at: new.ready_at,
            assigned_at: None,
            picked_up_at: None,
            delivered_at: None,
            eta: None,
            version: 1,
        };
        Self {
            search_until: now.max(new.ready_at) + search,
            delivery,
            restaurant_id: new.restaurant_id,
            placed_at: new.placed_at,
            is_promise: new.is_promise,
            offer_id: None,
            failure: None,
        }
    }

    /// Lets it happen.
    ///
    /// # Errors
    /// [`DeliveryError::InvalidTransition`], and the delivery stays as it was.
    pub(crate) fn apply(&mut self, step: Step, now: Timestamp) -> Result<(), DeliveryError> {
        let delivery = &mut self.delivery;
        delivery.status = after(delivery.status, step).ok_or_else(|| refusal(delivery.status))?;
        delivery.version += 1;
        // Timelines are monotone, whatever the clock did.
        let so_far = [delivery.assigned_at, delivery.picked_up_at].into_iter().flatten().max();
        let at = so_far.map_or(now, |so_far| so_far.max(now));
        match step {
            Assign => delivery.assigned_at = Some(at),
            PickUp => delivery.picked_up_at = Some(at.max(delivery.ready_at)),
            Deliver => {
                delivery.delivered_at = Some(at);
                delivery.eta = None;
            }
            Fail => delivery.eta = None,
            Unoffer => self.offer_id = None,
            GiveUp | Cancel => {
                (delivery.driver_id, delivery.assigned_at, delivery.eta) = (None, None, None);
                self.offer_id = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// What the driver does at the restaurant; `is_said` is whether the kitchen has said that the food is ready.
    ///
    /// # Errors
    /// [`DeliveryError::NotReady`], and as [`apply`](Self::apply).
    pub(crate) fn pick_up(&mut self, is_said: bool, now: Timestamp) -> Result<(), DeliveryError> {
        let ready_at = self.delivery.ready_at;
        let is_ready = now >= ready_at && (is_said || !self.is_promise);
        if self.delivery.status == S::ArrivedAtPickup && !is_ready {
            return Err(DeliveryError::NotReady { ready_at });
        }
        self.apply(PickUp, now)
    }

    /// The driver was lost before the pickup: another is searched, from now on.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub(crate) fn give_up(&mut self, search: Duration, now: Timestamp) -> Result<(), DeliveryError> {
        self.apply(GiveUp, now)?;
        self.search_until = now.max(self.delivery.ready_at) + search;
        Ok(())
    }

    /// Nobody takes the food: it goes back.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub(crate) fn fail(&mut self, reason: FailureReason, now: Timestamp) -> Result<(), DeliveryError> {
        self.apply(Fail, now)?;
        self.apply(TurnBack, now)?;
        self.failure = Some(reason);
        Ok(())
    }

    /// The driver brings the food back: first there, then rid of it.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub(crate) fn give_back(&mut self, now: Timestamp) -> Result<(), DeliveryError> {
        let step = if self.delivery.status == S::ArrivedAtReturn { TakeBack } else { ArriveReturn };
        self.apply(step, now)
    }

    /// The kitchen thinks again about when the food is ready. Says whether that makes a difference.
    pub(crate) fn retime(&mut self, ready_at: Timestamp) -> bool {
        let is_waited_for =
            self.is_before_pickup() || matches!(self.delivery.status, S::Searching | S::Offered);
        let changes = is_waited_for && ready_at != self.delivery.ready_at;
        if changes {
            self.delivery.ready_at = ready_at;
            self.delivery.version += 1;
        }
        changes
    }

    /// Says anew when it is expected at the door.
    pub(crate) fn expect(&mut self, eta: Timestamp) {
        self.delivery.eta = Some(eta);
        self.delivery.version += 1;
    }

    /// Whether the driver has it in hand or is on the way to it.
    pub(crate) fn is_carried_by(&self, driver: DriverId) -> bool {
        self.delivery.driver_id == Some(driver)
    }

    /// Whether the driver may still give it up.
    pub(crate) fn is_before_pickup(&self) -> bool {
        matches!(self.delivery.status, S::Assigned | S::EnRouteToPickup | S::ArrivedAtPickup)
    }

    /// Whether the customer sees the driver.
    pub(crate) fn shows_driver(&self) -> bool {
        let on_the_way =
            matches!(self.delivery.status, S::PickedUp | S::EnRouteToDropoff | S::ArrivedAtDropoff);
        self.is_before_pickup() || on_the_way
    }

    /// Whether nobody has to do anything about it any more.
    pub(crate) fn is_over(&self) -> bool {
        !TRANSITIONS.iter().any(|row| row.0 == self.delivery.status)
    }
}

/// The complaint about a step that does not fit a state.
pub(crate) fn refusal(current_state: DeliveryStatus) -> DeliveryError {
    let from_here = TRANSITIONS.iter().filter(|(from, ..)| *from == current_state);
    let allowed = from_here.filter_map(|(_, step, _)| step.route()).map(str::to_owned).collect();
    DeliveryError::InvalidTransition { current_state, allowed }
}

fn after(from: DeliveryStatus, step: Step) -> Option<DeliveryStatus> {
    TRANSITIONS.iter().find(|row| (row.0, row.1) == (from, step)).map(|row| row.2)
}

// === impl Step ===

impl Step {
    /// The last segment of its route, if callers have one for it.
    const fn route(self) -> Option<&'static str> {
        match self {
            ArrivePickup => Some("arrived-pickup"),
            PickUp => Some("picked-up"),
            ArriveDropoff => Some("arrived-dropoff"),
            Deliver => Some("delivered"),
            GiveUp | Fail => Some("fail"),
            ArriveReturn | TakeBack => Some("return"),
            Cancel => Some("cancel"),
            Search | Offer | Unoffer | Assign | SetOut | Leave | TurnBack | TimeOut => None,
        }
    }
}

#[cfg(test)]
mod tests;
