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

#[cfg(test)]
mod tests {
    use food_contracts::Place;
    use food_contracts::orders::Assignment;
    use partie::contract::{Currency, Id, Money};

    use super::*;

    fn placed() -> Record {
        let restaurant_id = Id::from_uuid("01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a".parse().unwrap());
        let place = Place::new(52.5, 13.4).unwrap();
        let contact = Contact { phone: Some("+4930123456".parse().unwrap()), email: None };
        let new = NewOrder {
            restaurant_id,
            items: vec![],
            drop_off: place,
            contact,
            assignment: Assignment::AtReady,
        };
        let quote = Quote {
            restaurant_id,
            restaurant_name: "Pizza Paradise".to_owned(),
            pick_up: place,
            menu_version: 3,
            lines: vec![],
            total: Money::zero(Currency::USD),
            prep_minutes: 15,
        };
        let id = Id::from_uuid("01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3b".parse().unwrap());
        Record::new(id, "ada", &new, &quote, Timestamp::EPOCH)
    }

    #[test]
    fn only_a_pending_order_can_be_cancelled_and_the_refusal_says_so() {
        let mut record = placed();
        assert_eq!((record.order.status, record.order.version), (OrderStatus::Pending, 1));
        let step = record.cancel(EndReason::CustomerCancelled).unwrap();
        assert_eq!(step.event(), "order.cancelled");
        assert_eq!((record.order.status, record.order.version), (OrderStatus::Cancelled, 2));
        assert_eq!(record.order.reason, Some(EndReason::CustomerCancelled));
        let again = record.cancel(EndReason::CustomerCancelled).unwrap_err();
        let allowed = vec![];
        assert_eq!(again, OrderError::InvalidTransition { current_state: OrderStatus::Cancelled, allowed });
        assert_eq!(record.order.version, 2);
    }

    #[test]
    fn a_timeline_is_monotone_even_when_the_clock_goes_back() {
        let record = placed();
        let later = Timestamp::from_millis(5_000);
        let first = record.entry(Step::Placed, None, later);
        let second =
            record.entry(Step::Cancelled(EndReason::CustomerCancelled), Some(&first), Timestamp::EPOCH);
        assert_eq!((first.sequence, second.sequence), (1, 2));
        assert_eq!(second.at, later);
    }
}
