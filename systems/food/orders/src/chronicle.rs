//! Writes down what happened to an order: in its row, in its history, to those who follow it, and to the other services.

use food_contracts::OrderId;
use food_contracts::orders::{
    Order, OrderCancelled, OrderCompleted, OrderConfirmed, OrderDelivered, OrderPickedUp, OrderPlaced,
    OrderReady, OrderRejected, TimelineEntry, Tracking,
};
use partie::Live;
use partie::contract::Timestamp;
use partie::messaging::Publish as _;
use partie::store::{Error, Tx};

use crate::order::{Record, Step};
use crate::rows;

/// A new order.
pub(crate) fn open(tx: &mut Tx, live: &Live<OrderId>, record: &Record) -> Result<(), Error> {
    rows::insert(tx, record)?;
    append(tx, live, record, &[Step::Placed], None)
}

/// What happened to an order that is known. Nothing, if there are no steps.
pub(crate) fn note(tx: &mut Tx, live: &Live<OrderId>, record: &Record, steps: &[Step]) -> Result<(), Error> {
    if steps.is_empty() {
        return Ok(());
    }
    rows::update(tx, record)?;
    let last = rows::last_entry(tx, record.order.id)?;
    append(tx, live, record, steps, last)
}

/// What a stream says of an order.
pub(crate) fn tracking(order: &Order, at: Timestamp) -> Tracking {
    Tracking {
        order_id: order.id,
        status: order.status,
        at,
        reason: order.reason,
        driver: order.driver.clone(),
        eta: order.eta,
    }
}

fn append(
    tx: &mut Tx,
    live: &Live<OrderId>,
    record: &Record,
    steps: &[Step],
    mut last: Option<TimelineEntry>,
) -> Result<(), Error> {
    let (id, now) = (record.order.id, tx.now());
    for step in steps {
        let entry = record.entry(*step, last.as_ref(), now);
        let seen = Tracking { status: entry.status, ..tracking(&record.order, entry.at) };
        rows::append(tx, id, &entry, seen)?;
        publish(tx, record, *step)?;
        last = Some(entry);
    }
    live.wake(tx, id);
    Ok(())
}

/// Tells the other services, if it is their business.
fn publish(tx: &mut Tx, record: &Record, step: Step) -> Result<(), Error> {
    macro_rules! tell {
        ($event:ident) => {{
            let Record { order, customer, contact, .. } = record;
            tx.publish(&$event {
                order_id: order.id,
                customer: customer.clone(),
                contact: contact.clone(),
                restaurant_id: order.restaurant_id,
                restaurant_name: order.restaurant_name.clone(),
                total: order.total,
                reason: order.reason,
                driver: order.driver.clone(),
                eta: order.eta,
            })?;
        }};
    }
    match step {
        Step::Placed => tell!(OrderPlaced),
        Step::Confirmed => tell!(OrderConfirmed),
        Step::Ready => tell!(OrderReady),
        Step::PickedUp => tell!(OrderPickedUp),
        Step::Delivered => tell!(OrderDelivered),
        Step::Completed => tell!(OrderCompleted),
        Step::Rejected => tell!(OrderRejected),
        Step::Cancelled => tell!(OrderCancelled),
        Step::Preparing
        | Step::DeliveryFailed
        | Step::Returned
        | Step::CancelRequested
        | Step::CancelRefused
        | Step::DriverAssigned
        | Step::DriverLost
        | Step::EtaChanged => {}
    }
    Ok(())
}
