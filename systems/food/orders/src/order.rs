//! An order: what it is, what may happen to it, and what it remembers.

use food_contracts::orders::{EndReason, NewOrder, Order, OrderError, OrderStatus, TimelineEntry};
use food_contracts::restaurants::{Quote, RestaurantError};
use food_contracts::{Contact, OrderId};
use partie::contract::Timestamp;

/// An order as this service knows it: what its customer sees, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) order: Order,
    /// The token's subject.
    pub(crate) customer: String,
    pub(crate) contact: Contact,
}

/// Something that happens to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Placed,
    Cancelled(EndReason),
}

/// From where each step may be taken, and where it leads.
const CANCELLABLE: &[OrderStatus] = &[OrderStatus::Pending];

// === impl Step ===

impl Step {
    /// The event's name in timelines and streams.
    pub(crate) const fn event(self) -> &'static str {
        match self {
            Self::Placed => "order.placed",
            Self::Cancelled(_) => "order.cancelled",
        }
    }

    const fn leads_to(self) -> OrderStatus {
        match self {
            Self::Placed => OrderStatus::Pending,
            Self::Cancelled(_) => OrderStatus::Cancelled,
        }
    }

    const fn reason(self) -> Option<EndReason> {
        match self {
            Self::Placed => None,
            Self::Cancelled(reason) => Some(reason),
        }
    }
}

// === impl Record ===

impl Record {
    /// A new order, priced by the restaurant.
    pub(crate) fn new(id: OrderId, customer: &str, new: &NewOrder, quote: &Quote, now: Timestamp) -> Self {
        let order = Order {
            id,
            status: Step::Placed.leads_to(),
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
        Self { order, customer: customer.to_owned(), contact: new.contact.clone() }
    }

    /// The customer changes their mind.
    pub(crate) fn cancel(&mut self, reason: EndReason) -> Result<Step, OrderError> {
        if !CANCELLABLE.contains(&self.order.status) {
            return Err(OrderError::InvalidTransition {
                current_state: self.order.status,
                allowed: self.allowed(),
            });
        }
        Ok(self.take(Step::Cancelled(reason)))
    }

    fn take(&mut self, step: Step) -> Step {
        self.order.status = step.leads_to();
        self.order.reason = step.reason();
        self.order.version += 1;
        step
    }

    fn allowed(&self) -> Vec<String> {
        let cancel = CANCELLABLE.contains(&self.order.status).then(|| "cancel".to_owned());
        cancel.into_iter().collect()
    }

    /// What the history says of a step. Never before the entry above it, whatever the clock did.
    pub(crate) fn entry(&self, step: Step, last: Option<&TimelineEntry>, now: Timestamp) -> TimelineEntry {
        TimelineEntry {
            sequence: last.map_or(1, |last| last.sequence + 1),
            event: step.event().to_owned(),
            at: last.map_or(now, |last| last.at.max(now)),
            status: self.order.status,
        }
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
