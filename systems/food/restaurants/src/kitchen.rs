//! What happens to the tickets of a kitchen, each as one transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use food_contracts::restaurants::{ItemUnavailable, Line};
use food_contracts::tickets::{
    CancelTicket, CancelledTicket, NewTicket, Ticket, TicketAccepted, TicketCancelled, TicketCreated,
    TicketDeclined, TicketError, TicketExpired, TicketPreparing, TicketReady, TicketStatus,
};
use food_contracts::{ItemId, OrderId, TicketId};
use partie::contract::{Created, Outcome, Platform, Timestamp, Versioned, Violation};
use partie::messaging::{Publish as _, Schedule as _, Timer};
use partie::store::{Error, Tx};
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::menu::Item;
use crate::restaurant::Restaurant;
use crate::rows;
use crate::ticket::{Action, Portions, Slip, refusal};

/// Food that takes longer is a mistyped date.
const LONGEST_PREPARATION: Duration = Duration::from_hours(24);

/// The kitchen's time to answer is over.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ExpireTicket(pub(crate) TicketId);

impl Timer for ExpireTicket {
    const KIND: &'static str = "expire-ticket";

    fn key(&self) -> String {
        self.0.to_string()
    }
}

/// Creates the ticket of an order, unless the order has been cancelled in the meantime.
///
/// An order has one ticket: asked again, under whatever key, the answer is the ticket there is.
pub(crate) fn create(
    tx: &mut Tx,
    new: &NewTicket,
    accept_within: Duration,
) -> Outcome<Created<Ticket>, TicketError> {
    if rows::tickets::is_cancelled(tx, new.order_id)? {
        return Err(TicketError::Compensated.into());
    }
    match rows::tickets::of_order(tx, new.order_id)? {
        Some(slip) if slip.ticket.status == TicketStatus::Cancelled => {
            return Err(TicketError::Compensated.into());
        }
        Some(slip) => return Ok(Created(slip.ticket)),
        None => {}
    }
    let now = tx.now();
    // Restaurants do not go away, so this one was never there; for an order that is the same as closed for good.
    let restaurant = rows::restaurants::find(tx, new.restaurant_id)?.ok_or(TicketError::Closed)?;
    if !restaurant.is_open(now) {
        return Err(TicketError::Closed.into());
    }
    if let Some(capacity) = restaurant.capacity
        && rows::tickets::under_way(tx, restaurant.id)? >= capacity
    {
        return Err(TicketError::Busy.into());
    }
    let held = take_portions(tx, &restaurant, &new.lines, now)?;
    let ticket = Ticket {
        id: tx.new_id(),
        order_id: new.order_id,
        restaurant_id: restaurant.id,
        status: TicketStatus::AwaitingAcceptance,
        lines: new.lines.clone(),
        accept_by: now + accept_within,
        ready_by: None,
        ready_at: None,
        created_at: now,
        version: 1,
    };
    let slip = Slip { ticket, owner: restaurant.owner, held };
    rows::tickets::insert(tx, &slip)?;
    let Ticket { id: ticket_id, order_id, restaurant_id, accept_by, .. } = slip.ticket;
    tx.publish(&TicketCreated { order_id, ticket_id, restaurant_id })?;
    tx.at(accept_by, &ExpireTicket(ticket_id))?;
    Ok(Created(slip.ticket))
}

/// Does what the kitchen says. `ready_by` belongs to accepting.
pub(crate) fn act(
    tx: &mut Tx,
    actor: &Actor,
    id: TicketId,
    action: Action,
    ready_by: Option<Timestamp>,
) -> Outcome<Versioned<Ticket>, TicketError> {
    let found = rows::tickets::find(tx, id)?.filter(|slip| actor.may_act_for(&slip.owner));
    let mut slip = found.ok_or(TicketError::NotFound)?;
    let now = tx.now();
    if let Some(ready_by) = ready_by {
        if ready_by < now {
            return Err(TicketError::ReadyByInvalid.into());
        }
        if ready_by > now + LONGEST_PREPARATION {
            let late = Violation::new("/ready_by", "is more than a day away");
            return Err(Platform::invalid(vec![late]).into());
        }
    }
    if slip.is_overdue(now) {
        // The timer is about to say so. An answer that is too late must not win the race.
        happen(tx, &mut slip, Action::Expire)?;
        return Err(tx.commit_problem(refusal(slip.ticket.status)));
    }
    if action == Action::HandOver && slip.ticket.status == TicketStatus::HandedOver {
        // The driver said so first.
        return Ok(Versioned(slip.ticket));
    }
    slip.ticket.ready_by = ready_by.or(slip.ticket.ready_by);
    happen(tx, &mut slip, action)?;
    Ok(Versioned(slip.ticket))
}

/// Cancels an order's ticket, now or when it comes.
pub(crate) fn cancel(tx: &mut Tx, cancel: &CancelTicket) -> Outcome<CancelledTicket, TicketError> {
    let order_id = cancel.order_id;
    let Some(mut slip) = rows::tickets::of_order(tx, order_id)? else {
        let now = tx.now();
        rows::tickets::cancel_ahead(tx, order_id, now)?;
        return Ok(CancelledTicket { order_id, ticket_id: None });
    };
    match slip.ticket.status {
        // It is over already, which is what the caller wants.
        TicketStatus::Declined | TicketStatus::Expired | TicketStatus::Cancelled => {}
        _ => happen(tx, &mut slip, if cancel.force { Action::ForceCancel } else { Action::Cancel })?,
    }
    Ok(CancelledTicket { order_id, ticket_id: Some(slip.ticket.id) })
}

/// The driver has the food of an order, so the kitchen has handed it over.
pub(crate) fn picked_up(tx: &mut Tx, order: OrderId) -> Outcome<(), TicketError> {
    match rows::tickets::of_order(tx, order)? {
        Some(mut slip) if slip.ticket.status == TicketStatus::Ready => {
            happen(tx, &mut slip, Action::HandOver)
        }
        _ => Ok(()),
    }
}

/// Ends a ticket that the kitchen did not answer. One that it did answer stays as it is.
pub(crate) fn expire(tx: &mut Tx, id: TicketId) -> Outcome<(), TicketError> {
    let now = tx.now();
    match rows::tickets::find(tx, id)? {
        Some(mut slip) if slip.is_overdue(now) => happen(tx, &mut slip, Action::Expire),
        _ => Ok(()),
    }
}

/// Lets something happen to a ticket, with all that follows from it.
fn happen(tx: &mut Tx, slip: &mut Slip, action: Action) -> Outcome<(), TicketError> {
    let now = tx.now();
    let was_asked = slip.ticket.status == TicketStatus::AwaitingAcceptance;
    let free = slip.apply(action, now)?;
    give_back(tx, slip, &free)?;
    rows::tickets::update(tx, slip)?;
    if was_asked {
        tx.cancel::<ExpireTicket>(&slip.ticket.id.to_string())?;
    }
    tell(tx, &slip.ticket)?;
    Ok(())
}

/// Says where a ticket stands now. A hand-over is the delivery's to tell.
fn tell(tx: &mut Tx, ticket: &Ticket) -> Result<(), Error> {
    let Ticket { order_id, id: ticket_id, .. } = *ticket;
    match (ticket.status, ticket.ready_by, ticket.ready_at) {
        (TicketStatus::Accepted, Some(ready_by), _) => {
            tx.publish(&TicketAccepted { order_id, ticket_id, ready_by })?;
        }
        (TicketStatus::Preparing, ..) => drop(tx.publish(&TicketPreparing { order_id, ticket_id })?),
        (TicketStatus::Ready, _, Some(ready_at)) => {
            tx.publish(&TicketReady { order_id, ticket_id, ready_at })?;
        }
        (TicketStatus::Declined, ..) => drop(tx.publish(&TicketDeclined { order_id, ticket_id })?),
        (TicketStatus::Expired, ..) => drop(tx.publish(&TicketExpired { order_id, ticket_id })?),
        (TicketStatus::Cancelled, ..) => drop(tx.publish(&TicketCancelled { order_id, ticket_id })?),
        _ => {}
    }
    Ok(())
}

/// Counts portions off, for all lines or for none.
fn take_portions(
    tx: &mut Tx,
    of: &Restaurant,
    lines: &[Line],
    now: Timestamp,
) -> Outcome<Vec<Portions>, TicketError> {
    let mut items: BTreeMap<ItemId, Item> = BTreeMap::new();
    let mut held = Vec::new();
    for line in lines {
        if !items.contains_key(&line.item_id) {
            let found = rows::items::find(tx, of, line.item_id)?.ok_or(TicketError::ItemUnavailable)?;
            items.insert(found.id, found);
        }
        let (item, quantity) = (items.get_mut(&line.item_id), line.quantity.get());
        let item = item.filter(|item| item.is_available(now)).ok_or(TicketError::ItemUnavailable)?;
        if !item.take(quantity, now) {
            return Err(TicketError::ItemUnavailable.into());
        }
        if item.portions.is_some() {
            held.push(Portions { item_id: item.id, quantity });
        }
    }
    for item in items.values().filter(|item| item.portions.is_some()) {
        rows::items::update(tx, item)?;
        if item.portions == Some(0) {
            tx.publish(&ItemUnavailable { restaurant_id: of.id, item_id: item.id })?;
        }
    }
    Ok(held)
}

fn give_back(tx: &mut Tx, slip: &Slip, free: &[Portions]) -> Result<(), Error> {
    if free.is_empty() {
        return Ok(());
    }
    let Some(restaurant) = rows::restaurants::find(tx, slip.ticket.restaurant_id)? else { return Ok(()) };
    for portions in free {
        if let Some(mut item) = rows::items::find(tx, &restaurant, portions.item_id)? {
            item.give_back(portions.quantity);
            rows::items::update(tx, &item)?;
        }
    }
    Ok(())
}
