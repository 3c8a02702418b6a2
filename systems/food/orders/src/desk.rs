//! The desk: answers the contracts of orders.

mod orders;
mod seed;

use std::time::Duration;

use food_contracts::OrderId;
use food_contracts::delivery::DeliveriesClient;
use food_contracts::orders::{Assignment, NewOrder, Order, OrderError};
use food_contracts::restaurants::{Quote, RestaurantsClient};
use food_contracts::tickets::TicketsClient;
use partie::contract::{BoxError, Platform};
use partie::messaging::Sagas as _;
use partie::store::{Store, Tx};
use partie::{Call, Live, Outcome, OutcomeExt as _, Start};

use crate::order::Record;
use crate::saga::PlaceOrder;
use crate::{chronicle, rows};

/// The state of the service. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct OrderDesk {
    pub(crate) store: Store,
    pub(crate) restaurants: RestaurantsClient,
    pub(crate) tickets: TicketsClient,
    pub(crate) deliveries: DeliveriesClient,
    /// Wakes those who follow an order.
    pub(crate) live: Live<OrderId>,
    start: Start,
}

impl OrderDesk {
    pub(crate) async fn start(start: Start) -> Result<Self, BoxError> {
        Ok(Self {
            store: start.store(),
            restaurants: start.client(),
            tickets: start.client(),
            deliveries: start.client(),
            live: Live::new(),
            start,
        })
    }

    /// Writes a new order and sets its saga off, in one transaction.
    fn take(&self, tx: &mut Tx, customer: &str, new: &NewOrder, quote: &Quote) -> Outcome<Order, OrderError> {
        let now = tx.now();
        let record = Record::new(tx.new_id(), customer, new, quote, now);
        chronicle::open(tx, &self.live, &record)?;
        let ready_at = match new.assignment {
            Assignment::AtReady => now + Duration::from_mins(u64::from(quote.prep_minutes)),
            // A driver is wanted at once; the kitchen's promise follows.
            Assignment::AtOrder => now,
        };
        tx.start_saga(record.order.id, &PlaceOrder::of(&record, ready_at))?;
        Ok(record.order)
    }

    /// An order that has to be there.
    pub(crate) async fn read(&self, id: OrderId) -> Result<Record, Platform> {
        let found: Outcome<Record, OrderError> =
            self.store.read(move |tx| Ok(rows::find(tx, id)?.ok_or(OrderError::NotFound)?)).await;
        found.unexpected()
    }

    /// A call under the service's own identity that goes on with a caller's story, within the caller's deadline.
    fn own_call(&self, cx: &Call) -> Call {
        let call = self.start.call().with_trace(cx.trace()).with_request_id(cx.request_id_shared());
        call.within(cx.deadline().remaining())
    }
}

/// The order, if the caller may see it. Somebody else's order is not there.
fn visible(tx: &mut Tx, cx: &Call, id: OrderId) -> Outcome<Record, OrderError> {
    let record = rows::find(tx, id)?.ok_or(OrderError::NotFound)?;
    let own = cx.caller().subject() == Some(record.customer.as_str());
    if own || cx.caller().has_role("admin") { Ok(record) } else { Err(OrderError::NotFound.into()) }
}
