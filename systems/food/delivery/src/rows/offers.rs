//! The table `offers`.

use food_contracts::delivery::Offer;
use food_contracts::{DriverId, OfferId};
use partie::contract::Timestamp;
use partie::store::{Error, Json, Row, Tx};

use crate::offer::Record;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, driver_id, status, token, restaurant_id, pick_up, deliveries, expires_at, ends_at FROM offers ",
            $tail
        )
    };
}

pub(crate) fn find(tx: &mut Tx, id: OfferId) -> Result<Option<Record>, Error> {
    tx.query_opt(select!("WHERE id = $1"), &[&id], read)
}

/// The one that waits for that driver's answer, perhaps past its time.
pub(crate) fn open_of(tx: &mut Tx, driver: DriverId) -> Result<Option<Record>, Error> {
    tx.query_opt(select!("WHERE driver_id = $1 AND status = 'open'"), &[&driver], read)
}

/// Those whose time is over, the longest first.
pub(crate) fn lapsed(tx: &mut Tx, now: Timestamp, most: i64) -> Result<Vec<Record>, Error> {
    let sql = select!("WHERE status = 'open' AND expires_at <= $1 ORDER BY expires_at, token LIMIT $2");
    tx.query(sql, &[&now, &most], read)
}

/// When the next one lapses.
pub(crate) fn next_expiry(tx: &mut Tx) -> Result<Option<Timestamp>, Error> {
    tx.query_one("SELECT MIN(expires_at) FROM offers WHERE status = 'open'", &[], |row| row.get(0))
}

/// A token greater than all there are.
pub(crate) fn next_token(tx: &mut Tx) -> Result<i64, Error> {
    tx.query_one("SELECT COALESCE(MAX(token), 0) + 1 FROM offers", &[], |row| row.get(0))
}

pub(crate) fn insert(tx: &mut Tx, record: &Record) -> Result<(), Error> {
    let Offer { id, status, token, expires_at, restaurant_id, pick_up, deliveries } = &record.offer;
    tx.execute(
        "INSERT INTO offers (id, driver_id, status, token, restaurant_id, pick_up, deliveries, expires_at, ends_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            id,
            &record.driver_id,
            status,
            token,
            restaurant_id,
            &Json(pick_up),
            &Json(deliveries),
            expires_at,
            &record.ends_at,
        ],
    )?;
    Ok(())
}

/// Ends an offer, if it is still open under its token.
pub(crate) fn end(tx: &mut Tx, record: &Record) -> Result<usize, Error> {
    let offer = &record.offer;
    tx.execute(
        "UPDATE offers SET status = $2 WHERE id = $1 AND status = 'open' AND token = $3",
        &[&offer.id, &offer.status, &offer.token],
    )
}

fn read(row: &Row<'_>) -> Result<Record, Error> {
    Ok(Record {
        offer: Offer {
            id: row.get(0)?,
            status: row.get(2)?,
            token: row.get(3)?,
            restaurant_id: row.get(4)?,
            pick_up: row.get::<Json<_>>(5)?.0,
            deliveries: row.get::<Json<_>>(6)?.0,
            expires_at: row.get(7)?,
        },
        driver_id: row.get(1)?,
        ends_at: row.get(8)?,
    })
}
