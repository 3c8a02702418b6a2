//! Keeps orders and their history.

use food_contracts::OrderId;
use food_contracts::orders::{Order, OrderStatus, TimelineEntry, Tracking};
use partie::contract::{Limit, StreamItem};
use partie::store::{Error, Json, Row, Tx};

use crate::order::Record;

/// The columns of an order, in the order `read` takes them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, customer, status, stage, reason, restaurant_id, restaurant_name, lines, total, pick_up, \
             drop_off, contact, assignment, ready_by, driver, eta, placed_at, version FROM orders ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<Record, Error> {
    let id = row.get(0)?;
    Ok(Record {
        customer: row.get(1)?,
        stage: row.get(3)?,
        pick_up: row.get::<Json<_>>(9)?.0,
        contact: row.get::<Json<_>>(11)?.0,
        assignment: row.get(12)?,
        order: Order {
            id,
            status: row.get(2)?,
            reason: row.get(4)?,
            restaurant_id: row.get(5)?,
            restaurant_name: row.get(6)?,
            lines: row.get::<Json<_>>(7)?.0,
            total: row.get::<Json<_>>(8)?.0,
            drop_off: row.get::<Json<_>>(10)?.0,
            tracking_id: id,
            ready_by: row.get(13)?,
            driver: row.get::<Option<Json<_>>>(14)?.map(|Json(driver)| driver),
            eta: row.get(15)?,
            placed_at: row.get(16)?,
            version: row.get(17)?,
        },
    })
}

pub(crate) fn insert(tx: &mut Tx, record: &Record) -> Result<(), Error> {
    let Record { order, stage, customer, contact, pick_up, assignment } = record;
    tx.execute(
        "INSERT INTO orders (id, customer, status, stage, reason, restaurant_id, restaurant_name, lines, total, \
         pick_up, drop_off, contact, assignment, placed_at, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        &[
            &order.id,
            customer,
            &order.status,
            stage,
            &order.reason,
            &order.restaurant_id,
            &order.restaurant_name,
            &Json(&order.lines),
            &Json(order.total),
            &Json(pick_up),
            &Json(order.drop_off),
            &Json(contact),
            assignment,
            &order.placed_at,
            &order.version,
        ],
    )?;
    Ok(())
}

/// Writes what may change.
pub(crate) fn update(tx: &mut Tx, record: &Record) -> Result<(), Error> {
    let Record { order, stage, .. } = record;
    tx.execute(
        "UPDATE orders SET status = $2, stage = $3, reason = $4, ready_by = $5, driver = $6, eta = $7, version = $8 \
         WHERE id = $1",
        &[
            &order.id,
            &order.status,
            stage,
            &order.reason,
            &order.ready_by,
            &order.driver.as_ref().map(Json),
            &order.eta,
            &order.version,
        ],
    )?;
    Ok(())
}

pub(crate) fn find(tx: &mut Tx, id: OrderId) -> Result<Option<Record>, Error> {
    tx.query_opt(select!("WHERE id = $1"), &[&id], read)
}

/// A page of a customer's orders, newest first, and one more.
pub(crate) fn of_customer(
    tx: &mut Tx,
    customer: &String,
    status: Option<OrderStatus>,
    after: Option<OrderId>,
    limit: Limit,
) -> Result<Vec<Order>, Error> {
    tx.query(
        select!(
            "WHERE customer = $1 AND (status = $2 OR $2 IS NULL) AND (id < $3 OR $3 IS NULL) \
             ORDER BY id DESC LIMIT $4"
        ),
        &[customer, &status, &after, &(i64::from(limit.get()) + 1)],
        |row| Ok(read(row)?.order),
    )
}

fn entry(row: &Row<'_>) -> Result<TimelineEntry, Error> {
    Ok(TimelineEntry { sequence: row.get(0)?, event: row.get(1)?, at: row.get(2)?, status: row.get(3)? })
}

pub(crate) fn append(tx: &mut Tx, id: OrderId, entry: &TimelineEntry, data: Tracking) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO order_history (order_id, sequence, event, at, status, data) VALUES ($1, $2, $3, $4, $5, $6)",
        &[&id, &entry.sequence, &entry.event, &entry.at, &entry.status, &Json(data)],
    )?;
    Ok(())
}

pub(crate) fn history(tx: &mut Tx, id: OrderId) -> Result<Vec<TimelineEntry>, Error> {
    tx.query(
        "SELECT sequence, event, at, status FROM order_history WHERE order_id = $1 ORDER BY sequence",
        &[&id],
        entry,
    )
}

pub(crate) fn last_entry(tx: &mut Tx, id: OrderId) -> Result<Option<TimelineEntry>, Error> {
    tx.query_opt(
        "SELECT sequence, event, at, status FROM order_history WHERE order_id = $1 ORDER BY sequence DESC LIMIT 1",
        &[&id],
        entry,
    )
}

/// What happened after that event, for streams.
pub(crate) fn stream(tx: &mut Tx, id: OrderId, after: i64) -> Result<Vec<StreamItem<Tracking>>, Error> {
    tx.query(
        "SELECT sequence, event, data FROM order_history WHERE order_id = $1 AND sequence > $2 ORDER BY sequence",
        &[&id, &after],
        |row| {
            Ok(StreamItem {
                id: Some(row.get(0)?),
                event: row.get::<String>(1)?.into(),
                data: row.get::<Json<Tracking>>(2)?.0,
            })
        },
    )
}
