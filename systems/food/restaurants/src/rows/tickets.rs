//! The tables `tickets` and `cancelled_orders`.

use food_contracts::tickets::{Ticket, TicketStatus};
use food_contracts::{OrderId, RestaurantId, TicketId};
use partie::contract::{InvalidValue, Timestamp};
use partie::store::{Error, Json, Row, Tx};

use crate::ticket::{Slip, name, named};

/// The condition of the indices of tickets that are under way. SQLite takes one only for a query that repeats it.
macro_rules! under_way {
    () => {
        "(status = 'awaiting_acceptance' OR status = 'accepted' OR status = 'preparing' OR status = 'ready')"
    };
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, order_id, restaurant_id, owner, status, lines, held, accept_by, ready_by, ready_at, ",
            "created_at, version FROM tickets ",
            $tail
        )
    };
    ($where:literal under_way $rest:literal) => {
        concat!(select!($where), under_way!(), $rest)
    };
}

/// The states of that condition.
const UNDER_WAY: [TicketStatus; 4] =
    [TicketStatus::AwaitingAcceptance, TicketStatus::Accepted, TicketStatus::Preparing, TicketStatus::Ready];

/// The place after which a page by age starts.
pub(crate) type ByAge = (Timestamp, TicketId);

/// Which tickets to list.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Everybody's if absent.
    pub(crate) owner: Option<String>,
    pub(crate) restaurant: Option<RestaurantId>,
    pub(crate) status: Option<TicketStatus>,
}

pub(crate) fn find(tx: &mut Tx, id: TicketId) -> Result<Option<Slip>, Error> {
    tx.query_opt(select!("WHERE id = $1"), &[&id], slip)
}

pub(crate) fn of_order(tx: &mut Tx, order: OrderId) -> Result<Option<Slip>, Error> {
    tx.query_opt(select!("WHERE order_id = $1"), &[&order], slip)
}

/// How many count against the kitchen's capacity.
pub(crate) fn under_way(tx: &mut Tx, restaurant: RestaurantId) -> Result<u32, Error> {
    tx.query_one(
        concat!("SELECT COUNT(*) FROM tickets WHERE restaurant_id = $1 AND ", under_way!()),
        &[&restaurant],
        |row| row.get(0),
    )
}

/// The next ones by age.
pub(crate) fn by_age(tx: &mut Tx, wanted: &Wanted, after: ByAge, most: usize) -> Result<Vec<Slip>, Error> {
    let (created_at, id) = after;
    let status = wanted.status.map(name);
    let is_under_way = wanted.status.is_some_and(|status| UNDER_WAY.contains(&status));
    // One statement for each index, so that every page is one walk along it.
    match (wanted.restaurant, &wanted.owner) {
        (Some(restaurant), owner) => tx.query(
            if is_under_way {
                select!(
                    "WHERE restaurant_id = $1 AND (created_at, id) > ($2, $3) AND status = $4 AND "
                    under_way
                    " AND (owner = $5 OR $5 IS NULL) ORDER BY created_at, id LIMIT $6"
                )
            } else {
                select!(
                    "WHERE restaurant_id = $1 AND (created_at, id) > ($2, $3) AND (status = $4 OR $4 IS NULL)
                        AND (owner = $5 OR $5 IS NULL)
                    ORDER BY created_at, id LIMIT $6"
                )
            },
            &[&restaurant, &created_at, &id, &status, owner, &most],
            slip,
        ),
        (None, Some(owner)) => tx.query(
            if is_under_way {
                select!(
                    "WHERE owner = $1 AND (created_at, id) > ($2, $3) AND status = $4 AND "
                    under_way
                    " ORDER BY created_at, id LIMIT $5"
                )
            } else {
                select!(
                    "WHERE owner = $1 AND (created_at, id) > ($2, $3) AND (status = $4 OR $4 IS NULL)
                    ORDER BY created_at, id LIMIT $5"
                )
            },
            &[owner, &created_at, &id, &status, &most],
            slip,
        ),
        (None, None) => tx.query(
            select!(
                "WHERE (created_at, id) > ($1, $2) AND (status = $3 OR $3 IS NULL)
                ORDER BY created_at, id LIMIT $4"
            ),
            &[&created_at, &id, &status, &most],
            slip,
        ),
    }
}

pub(crate) fn insert(tx: &mut Tx, new: &Slip) -> Result<(), Error> {
    let ticket = &new.ticket;
    tx.execute(
        "INSERT INTO tickets (id, order_id, restaurant_id, owner, status, lines, held, accept_by, ready_by,
            ready_at, created_at, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &[
            &ticket.id,
            &ticket.order_id,
            &ticket.restaurant_id,
            &new.owner,
            &name(ticket.status),
            &Json(&ticket.lines),
            &Json(&new.held),
            &ticket.accept_by,
            &ticket.ready_by,
            &ticket.ready_at,
            &ticket.created_at,
            &ticket.version,
        ],
    )?;
    Ok(())
}

/// Writes what can change.
pub(crate) fn update(tx: &mut Tx, changed: &Slip) -> Result<(), Error> {
    let ticket = &changed.ticket;
    tx.execute(
        "UPDATE tickets SET status = $2, held = $3, ready_by = $4, ready_at = $5, version = $6 WHERE id = $1",
        &[
            &ticket.id,
            &name(ticket.status),
            &Json(&changed.held),
            &ticket.ready_by,
            &ticket.ready_at,
            &ticket.version,
        ],
    )?;
    Ok(())
}

/// Whether the order was cancelled before its ticket came.
pub(crate) fn is_cancelled(tx: &mut Tx, order: OrderId) -> Result<bool, Error> {
    let found = tx.query_opt("SELECT 1 FROM cancelled_orders WHERE order_id = $1", &[&order], |_| Ok(()))?;
    Ok(found.is_some())
}

/// Remembers that the order is cancelled although it has no ticket.
pub(crate) fn cancel_ahead(tx: &mut Tx, order: OrderId, now: Timestamp) -> Result<(), Error> {
    let sql = "INSERT INTO cancelled_orders (order_id, cancelled_at) VALUES ($1, $2)
        ON CONFLICT (order_id) DO NOTHING";
    tx.execute(sql, &[&order, &now])?;
    Ok(())
}

fn slip(row: &Row<'_>) -> Result<Slip, Error> {
    let status: String = row.get(4)?;
    let ticket = Ticket {
        id: row.get(0)?,
        order_id: row.get(1)?,
        restaurant_id: row.get(2)?,
        status: named(&status)
            .ok_or_else(|| InvalidValue::new(format!("`{status}` is no state of a ticket")))?,
        lines: row.get::<Json<_>>(5)?.0,
        accept_by: row.get(7)?,
        ready_by: row.get(8)?,
        ready_at: row.get(9)?,
        created_at: row.get(10)?,
        version: row.get(11)?,
    };
    Ok(Slip { ticket, owner: row.get(3)?, held: row.get::<Json<_>>(6)?.0 })
}
