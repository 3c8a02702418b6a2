//! The tables `deliveries`, `exclusions`, `ready_orders` and `cancelled_orders`.

use food_contracts::delivery::Delivery;
use food_contracts::{DeliveryId, DriverId, OfferId, OrderId, Place};
use partie::contract::Timestamp;
use partie::store::{Error, Json, Row, Tx};

use crate::delivery::Record;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT d.id, d.order_id, d.restaurant_id, d.status, d.driver_id, d.offer_id, d.pick_up, d.drop_off, ",
            "d.placed_at, d.ready_at, d.search_until, d.assigned_at, d.picked_up_at, d.delivered_at, d.eta, ",
            "d.failure, d.version, d.is_promise FROM deliveries d ",
            $tail
        )
    };
}

pub(crate) fn find(tx: &mut Tx, id: DeliveryId) -> Result<Option<Record>, Error> {
    tx.query_opt(select!("WHERE d.id = $1"), &[&id], read)
}

pub(crate) fn of_order(tx: &mut Tx, order: OrderId) -> Result<Option<Record>, Error> {
    tx.query_opt(select!("WHERE d.order_id = $1"), &[&order], read)
}

/// Those whose driver is searched, the oldest first.
pub(crate) fn searching(tx: &mut Tx, most: i64) -> Result<Vec<Record>, Error> {
    tx.query(select!("WHERE d.status = 'searching' ORDER BY d.placed_at, d.id LIMIT $1"), &[&most], read)
}

pub(crate) fn any_searching(tx: &mut Tx) -> Result<bool, Error> {
    let found =
        tx.query_opt("SELECT 1 FROM deliveries WHERE status = 'searching' LIMIT 1", &[], |_| Ok(()))?;
    Ok(found.is_some())
}

/// Those whose search is over, the longest first.
pub(crate) fn unfound(tx: &mut Tx, now: Timestamp, most: i64) -> Result<Vec<Record>, Error> {
    tx.query(
        select!(
            "WHERE d.status = 'searching' AND d.search_until <= $1 ORDER BY d.search_until, d.id LIMIT $2"
        ),
        &[&now, &most],
        read,
    )
}

/// When the next search is over.
pub(crate) fn next_search_end(tx: &mut Tx) -> Result<Option<Timestamp>, Error> {
    tx.query_one("SELECT MIN(search_until) FROM deliveries WHERE status = 'searching'", &[], |row| row.get(0))
}

/// Those of an offer that are offered, in sequence or not.
pub(crate) fn offered(tx: &mut Tx, offer: OfferId, ids: &[DeliveryId]) -> Result<Vec<Record>, Error> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(tx.query_opt(
            select!("WHERE d.id = $1 AND d.status = 'offered' AND d.offer_id = $2"),
            &[id, &offer],
            read,
        )?);
    }
    Ok(found)
}

/// What a driver carries, in sequence.
pub(crate) fn carried(tx: &mut Tx, driver: DriverId) -> Result<Vec<Record>, Error> {
    tx.query(
        select!(
            "JOIN assignments a ON a.delivery_id = d.id AND a.ended_at IS NULL
            WHERE a.driver_id = $1 ORDER BY a.assigned_at, a.position"
        ),
        &[&driver],
        read,
    )
}

/// Where the orders placed since then came from, the latest ones.
pub(crate) fn demand(tx: &mut Tx, since: Timestamp, most: i64) -> Result<Vec<Place>, Error> {
    tx.query(
        "SELECT pick_up FROM deliveries WHERE placed_at >= $1 ORDER BY placed_at DESC, id LIMIT $2",
        &[&since, &most],
        |row| Ok(row.get::<Json<Place>>(0)?.0),
    )
}

/// When drivers dropped something off, after that time.
pub(crate) fn dropped_off(tx: &mut Tx, after: Timestamp) -> Result<Vec<(DriverId, Timestamp)>, Error> {
    tx.query(
        "SELECT driver_id, MAX(delivered_at) FROM deliveries WHERE delivered_at > $1 GROUP BY driver_id",
        &[&after],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

pub(crate) fn insert(tx: &mut Tx, record: &Record) -> Result<(), Error> {
    let delivery = &record.delivery;
    tx.execute(
        "INSERT INTO deliveries (id, order_id, restaurant_id, status, pick_up, drop_off, placed_at, ready_at,
            is_promise, search_until, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &[
            &delivery.id,
            &delivery.order_id,
            &record.restaurant_id,
            &delivery.status,
            &Json(delivery.pick_up),
            &Json(delivery.drop_off),
            &record.placed_at,
            &delivery.ready_at,
            &record.is_promise,
            &record.search_until,
            &delivery.version,
        ],
    )?;
    Ok(())
}

/// Writes what can change, if nobody else has written meanwhile.
pub(crate) fn update(tx: &mut Tx, record: &Record) -> Result<usize, Error> {
    let delivery = &record.delivery;
    tx.execute(
        "UPDATE deliveries SET status = $2, driver_id = $3, offer_id = $4, ready_at = $5, search_until = $6,
            assigned_at = $7, picked_up_at = $8, delivered_at = $9, eta = $10, failure = $11, version = $12
        WHERE id = $1 AND version < $12",
        &[
            &delivery.id,
            &delivery.status,
            &delivery.driver_id,
            &record.offer_id,
            &delivery.ready_at,
            &record.search_until,
            &delivery.assigned_at,
            &delivery.picked_up_at,
            &delivery.delivered_at,
            &delivery.eta,
            &record.failure.map(Json),
            &delivery.version,
        ],
    )
}

/// The driver is not asked for this delivery again.
pub(crate) fn exclude(tx: &mut Tx, delivery: DeliveryId, driver: DriverId) -> Result<(), Error> {
    let sql = "INSERT INTO exclusions (delivery_id, driver_id) VALUES ($1, $2)
        ON CONFLICT (delivery_id, driver_id) DO NOTHING";
    tx.execute(sql, &[&delivery, &driver])?;
    Ok(())
}

/// Who is not asked for those whose driver is searched.
pub(crate) fn exclusions(tx: &mut Tx) -> Result<Vec<(DeliveryId, DriverId)>, Error> {
    tx.query(
        "SELECT e.delivery_id, e.driver_id FROM deliveries d JOIN exclusions e ON e.delivery_id = d.id
        WHERE d.status = 'searching' ORDER BY e.delivery_id, e.driver_id",
        &[],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Remembers that the food of an order is ready.
pub(crate) fn note_ready(tx: &mut Tx, order: OrderId, at: Timestamp) -> Result<(), Error> {
    let sql =
        "INSERT INTO ready_orders (order_id, ready_at) VALUES ($1, $2) ON CONFLICT (order_id) DO NOTHING";
    tx.execute(sql, &[&order, &at])?;
    Ok(())
}

/// Since when the food of an order is ready, if the kitchen has said so.
pub(crate) fn ready_since(tx: &mut Tx, order: OrderId) -> Result<Option<Timestamp>, Error> {
    tx.query_opt("SELECT ready_at FROM ready_orders WHERE order_id = $1", &[&order], |row| row.get(0))
}

/// Whether the order was cancelled before its delivery was asked for.
pub(crate) fn is_cancelled(tx: &mut Tx, order: OrderId) -> Result<bool, Error> {
    let found = tx.query_opt("SELECT 1 FROM cancelled_orders WHERE order_id = $1", &[&order], |_| Ok(()))?;
    Ok(found.is_some())
}

/// Remembers that the order is cancelled although it has no delivery.
pub(crate) fn cancel_ahead(tx: &mut Tx, order: OrderId, now: Timestamp) -> Result<(), Error> {
    let sql = "INSERT INTO cancelled_orders (order_id, cancelled_at) VALUES ($1, $2)
        ON CONFLICT (order_id) DO NOTHING";
    tx.execute(sql, &[&order, &now])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Record, Error> {
    Ok(Record {
        delivery: Delivery {
            id: row.get(0)?,
            order_id: row.get(1)?,
            status: row.get(3)?,
            driver_id: row.get(4)?,
            pick_up: row.get::<Json<_>>(6)?.0,
            drop_off: row.get::<Json<_>>(7)?.0,
            ready_at: row.get(9)?,
            assigned_at: row.get(11)?,
            picked_up_at: row.get(12)?,
            delivered_at: row.get(13)?,
            eta: row.get(14)?,
            version: row.get(16)?,
        },
        restaurant_id: row.get(2)?,
        placed_at: row.get(8)?,
        search_until: row.get(10)?,
        is_promise: row.get(17)?,
        offer_id: row.get(5)?,
        failure: row.get::<Option<Json<_>>>(15)?.map(|failure| failure.0),
    })
}
