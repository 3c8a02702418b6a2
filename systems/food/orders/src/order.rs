//! An order: what it is, what may happen to it, and what it remembers.

#[cfg(test)]
mod tests;

use food_contracts::orders::{
    AssignedDriver, Assignment, EndReason, NewOrder, Order, OrderError, OrderStatus, TimelineEntry,
};
use food_contracts::restaurants::{Quote, RestaurantError};
use food_contracts::{Contact, DriverId, OrderId, Place};
use partie::contract::Timestamp;

use OrderStatus as S;

/// An order as this service knows it: what its customer sees, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) order: Order,
    /// Where it stands, whatever the customer wishes meanwhile.
    pub(crate) stage: OrderStatus,
    /// The token's subject.
    pub(crate) customer: String,
    pub(crate) contact: Contact,
    pub(crate) pick_up: Place,
    pub(crate) assignment: Assignment,
}

/// Something that happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Placed,
    Confirmed,
    Preparing,
    Ready,
    PickedUp,
    Delivered,
    Completed,
    Rejected,
    Cancelled,
    DeliveryFailed,
    Returned,
    /// The customer wants out, and the kitchen is asked.
    CancelRequested,
    /// It is too late for that.
    CancelRefused,
    DriverAssigned,
    DriverLost,
    EtaChanged,
}

/// The way of an order that nothing goes wrong with.
const WAY: [(OrderStatus, Step); 7] = [
    (S::Pending, Step::Placed),
    (S::Confirmed, Step::Confirmed),
    (S::Preparing, Step::Preparing),
    (S::Ready, Step::Ready),
    (S::PickedUp, Step::PickedUp),
    (S::Delivered, Step::Delivered),
    (S::Completed, Step::Completed),
];

// === impl Step ===

impl Step {
    /// The event's name in timelines and streams.
    pub(crate) const fn event(self) -> &'static str {
        match self {
            Self::Placed => "order.placed",
            Self::Confirmed => "order.confirmed",
            Self::Preparing => "order.preparing",
            Self::Ready => "order.ready",
            Self::PickedUp => "order.picked_up",
            Self::Delivered => "order.delivered",
            Self::Completed => "order.completed",
            Self::Rejected => "order.rejected",
            Self::Cancelled => "order.cancelled",
            Self::DeliveryFailed => "order.delivery_failed",
            Self::Returned => "order.returned",
            Self::CancelRequested => "order.cancel_requested",
            Self::CancelRefused => "order.cancel_refused",
            Self::DriverAssigned => "delivery.assigned",
            Self::DriverLost => "delivery.reassigned",
            Self::EtaChanged => "delivery.eta_changed",
        }
    }
}

// === impl Record ===

impl Record {
    /// A new order, priced by the restaurant.
    pub(crate) fn new(id: OrderId, customer: &str, new: &NewOrder, quote: &Quote, now: Timestamp) -> Self {
        let order = Order {
            id,
            status: S::Pending,
            reason: None,
            restaurant_id: new.restaurant_id,
            restaurant_name: quote.restaurant_name.clone(),
            lines: quote.lines.clone(),
            total: quote.total,
            drop_off: new.drop_off,
            tracking_id: id,
            ready_by: None,
            driver: None,
            eta: None,
            placed_at: now,
            version: 1,
        };
        Self {
            order,
            stage: S::Pending,
            customer: customer.to_owned(),
            contact: new.contact.clone(),
            pick_up: quote.pick_up,
            assignment: new.assignment,
        }
    }

    /// Goes on to a stage, through all that lie between: news of different origin may overtake each other, and what was
    /// picked up was ready. An order that is further already, or has left the way, stays where it is.
    pub(crate) fn advance(&mut self, to: OrderStatus) -> Vec<Step> {
        let place = |stage| WAY.iter().position(|(known, _)| *known == stage);
        let (Some(here), Some(there)) = (place(self.stage), place(to)) else { return Vec::new() };
        let steps: Vec<Step> = WAY.iter().take(there + 1).skip(here + 1).map(|(_, step)| *step).collect();
        if !steps.is_empty() {
            // A wish to cancel does not outlive the pickup.
            if to >= S::Delivered {
                self.order.eta = None;
            }
            let wish_stays = self.is_cancelling() && to < S::PickedUp;
            self.stand(to, wish_stays);
        }
        steps
    }

    /// The customer wants out. Whether that is still possible is for the kitchen to say.
    ///
    /// # Errors
    /// [`OrderError::InvalidTransition`] after the pickup, and while it is asked already.
    pub(crate) fn request_cancel(&mut self) -> Result<Vec<Step>, OrderError> {
        if !self.can_cancel() {
            return Err(self.refusal());
        }
        self.stand(self.stage, true);
        Ok(vec![Step::CancelRequested])
    }

    /// It was too late to cancel.
    pub(crate) fn refuse_cancel(&mut self) -> Vec<Step> {
        if !self.is_cancelling() {
            return Vec::new();
        }
        self.stand(self.stage, false);
        vec![Step::CancelRefused]
    }

    /// The order cannot be fulfilled: rejected if the kitchen had not taken it, else cancelled.
    pub(crate) fn end(&mut self, reason: EndReason) -> Vec<Step> {
        let wished = self.is_cancelling();
        let (stage, step) = match self.stage {
            S::Pending if !wished => (S::Rejected, Step::Rejected),
            S::Pending | S::Confirmed | S::Preparing | S::Ready => (S::Cancelled, Step::Cancelled),
            _ => return Vec::new(),
        };
        self.order.reason = Some(if wished { EndReason::CustomerCancelled } else { reason });
        self.forget_driver();
        self.stand(stage, false);
        vec![step]
    }

    /// The driver could not hand it over.
    pub(crate) fn fail_delivery(&mut self) -> Vec<Step> {
        self.leave_way(S::PickedUp, S::DeliveryFailed, Step::DeliveryFailed)
    }

    /// The restaurant has it back.
    pub(crate) fn give_back(&mut self) -> Vec<Step> {
        self.leave_way(S::DeliveryFailed, S::Returned, Step::Returned)
    }

    /// A driver brings it.
    pub(crate) fn assign(&mut self, driver: AssignedDriver, eta: Timestamp) -> Vec<Step> {
        if !self.expects_driver() {
            return Vec::new();
        }
        self.order.driver = Some(driver);
        self.order.eta = Some(eta);
        self.order.version += 1;
        vec![Step::DriverAssigned]
    }

    /// That driver does not bring it after all.
    pub(crate) fn lose_driver(&mut self, id: DriverId) -> Vec<Step> {
        let is_theirs = self.order.driver.as_ref().is_some_and(|driver| driver.id == id);
        if !is_theirs || !self.expects_driver() {
            return Vec::new();
        }
        self.forget_driver();
        self.order.version += 1;
        vec![Step::DriverLost]
    }

    /// It is expected at another time.
    pub(crate) fn expect(&mut self, eta: Timestamp) -> Vec<Step> {
        let is_under_way = self.expects_driver() || self.stage == S::PickedUp;
        if !is_under_way || self.order.driver.is_none() || self.order.eta == Some(eta) {
            return Vec::new();
        }
        self.order.eta = Some(eta);
        self.order.version += 1;
        vec![Step::EtaChanged]
    }

    /// What the history says of a step. Never before the entry above it, whatever the clock did.
    pub(crate) fn entry(&self, step: Step, last: Option<&TimelineEntry>, now: Timestamp) -> TimelineEntry {
        let on_way = WAY.iter().find(|(_, known)| *known == step).map(|(stage, _)| *stage);
        TimelineEntry {
            sequence: last.map_or(1, |last| last.sequence + 1),
            event: step.event().to_owned(),
            at: last.map_or(now, |last| last.at.max(now)),
            status: match on_way {
                // A stage that is passed through is told as such.
                Some(stage) if stage != self.stage => stage,
                _ => self.order.status,
            },
        }
    }

    /// Whether the customer has asked to cancel and was not answered yet.
    pub(crate) fn is_cancelling(&self) -> bool {
        self.order.status == S::CancelPending
    }

    fn can_cancel(&self) -> bool {
        matches!(self.order.status, S::Pending | S::Confirmed | S::Preparing | S::Ready)
    }

    /// What cannot be done from here, with what can.
    pub(crate) fn refusal(&self) -> OrderError {
        let allowed = self.can_cancel().then(|| "cancel".to_owned()).into_iter().collect();
        OrderError::InvalidTransition { current_state: self.order.status, allowed }
    }

    fn expects_driver(&self) -> bool {
        matches!(self.stage, S::Pending | S::Confirmed | S::Preparing | S::Ready)
    }

    fn forget_driver(&mut self) {
        (self.order.driver, self.order.eta) = (None, None);
    }

    fn leave_way(&mut self, from: OrderStatus, to: OrderStatus, step: Step) -> Vec<Step> {
        if self.stage != from {
            return Vec::new();
        }
        self.order.eta = None;
        self.stand(to, false);
        vec![step]
    }

    fn stand(&mut self, stage: OrderStatus, is_cancelling: bool) {
        self.stage = stage;
        self.order.status = if is_cancelling { S::CancelPending } else { stage };
        self.order.version += 1;
    }
}

/// The restaurant's answer in the words of orders.
pub(crate) fn refusal(error: RestaurantError) -> OrderError {
    match error {
        RestaurantError::NotFound | RestaurantError::ItemNotFound => OrderError::RestaurantUnknown,
        RestaurantError::Closed { next_open } => OrderError::RestaurantClosed { next_open },
        RestaurantError::Busy => OrderError::RestaurantBusy,
        RestaurantError::ItemInvalid { pointers } => OrderError::ItemInvalid { pointers },
        RestaurantError::ItemUnavailable { pointers } => OrderError::ItemUnavailable { pointers },
        RestaurantError::BelowMinimum { minimum } => OrderError::BelowMinimum { minimum },
        RestaurantError::OutOfZone => OrderError::OutOfZone,
        RestaurantError::TotalTooLarge => OrderError::TotalTooLarge,
    }
}
