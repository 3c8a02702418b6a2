//! The tables `drivers` and `driver_places`.

use food_contracts::DriverId;
use food_contracts::delivery::{Driver, DriverStatus};
use partie::contract::Timestamp;
use partie::store::{Error, Json, Row, Tx};

use crate::driver::Record;
use crate::track::Kept;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, subject, name, status, available_until, load, capacity, heard_at, place, place_seq, place_at, ",
            "kept_at, version FROM drivers ",
            $tail
        )
    };
}

pub(crate) fn find(tx: &mut Tx, id: DriverId) -> Result<Option<Record>, Error> {
    tx.query_opt(select!("WHERE id = $1"), &[&id], read)
}

pub(crate) fn of_subject(tx: &mut Tx, subject: &str) -> Result<Option<Record>, Error> {
    tx.query_opt(select!("WHERE subject = $1"), &[&subject], read)
}

/// Everybody a round of dispatch may plan with.
pub(crate) fn on_duty(tx: &mut Tx) -> Result<Vec<Record>, Error> {
    tx.query(
        select!("WHERE status IN ('available', 'offered', 'busy') AND place IS NOT NULL ORDER BY id"),
        &[],
        read,
    )
}

/// Whether somebody could be asked.
pub(crate) fn any_available(tx: &mut Tx) -> Result<bool, Error> {
    let found = tx.query_opt(
        "SELECT 1 FROM drivers WHERE status = 'available' AND place IS NOT NULL LIMIT 1",
        &[],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Those on duty who were not heard since, the longest silent first.
pub(crate) fn silent(tx: &mut Tx, since: Timestamp, most: i64) -> Result<Vec<Record>, Error> {
    tx.query(
        select!("WHERE status IN ('available', 'offered', 'busy') AND heard_at <= $1 ORDER BY heard_at, id LIMIT $2"),
        &[&since, &most],
        read,
    )
}

/// Those stale who were not heard since, the longest silent first.
pub(crate) fn lost(tx: &mut Tx, since: Timestamp, most: i64) -> Result<Vec<Record>, Error> {
    tx.query(
        select!("WHERE status = 'stale' AND heard_at <= $1 ORDER BY heard_at, id LIMIT $2"),
        &[&since, &most],
        read,
    )
}

/// When the longest silent of those on duty, and of those stale, was heard.
pub(crate) fn longest_silent(tx: &mut Tx) -> Result<[Option<Timestamp>; 2], Error> {
    let duty = "SELECT MIN(heard_at) FROM drivers WHERE status IN ('available', 'offered', 'busy')";
    let stale = "SELECT MIN(heard_at) FROM drivers WHERE status = 'stale'";
    Ok([tx.query_one(duty, &[], |row| row.get(0))?, tx.query_one(stale, &[], |row| row.get(0))?])
}

pub(crate) fn insert(tx: &mut Tx, record: &Record) -> Result<(), Error> {
    let Driver { id, name, status, available_until, location, load, version } = &record.driver;
    tx.execute(
        "INSERT INTO drivers (id, subject, name, status, available_until, load, capacity, heard_at, place, place_seq,
            place_at, kept_at, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        &[
            id,
            &record.subject,
            name,
            status,
            available_until,
            load,
            &record.capacity,
            &record.heard_at,
            &location.map(Json),
            &record.place_seq,
            &record.place_at,
            &record.kept_at,
            version,
        ],
    )?;
    Ok(())
}

/// Writes what can change. The table itself refuses a load above the capacity.
pub(crate) fn update(tx: &mut Tx, record: &Record) -> Result<usize, Error> {
    let Driver { id, name, status, available_until, location, load, version } = &record.driver;
    tx.execute(
        "UPDATE drivers SET name = $2, status = $3, available_until = $4, load = $5, heard_at = $6, place = $7,
            place_seq = $8, place_at = $9, kept_at = $10, version = $11
        WHERE id = $1 AND version <= $11",
        &[
            id,
            name,
            status,
            available_until,
            load,
            &record.heard_at,
            &location.map(Json),
            &record.place_seq,
            &record.place_at,
            &record.kept_at,
            version,
        ],
    )
}

pub(crate) fn keep_place(tx: &mut Tx, driver: DriverId, kept: &Kept) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO driver_places (driver_id, seq, at, place, suspect) VALUES ($1, $2, $3, $4, $5)",
        &[&driver, &kept.seq, &kept.at, &Json(kept.place), &kept.suspect],
    )?;
    Ok(())
}

/// Removes some old places, and says how many.
pub(crate) fn forget_places(tx: &mut Tx, before: Timestamp, most: i64) -> Result<usize, Error> {
    tx.execute(
        "DELETE FROM driver_places WHERE (driver_id, seq) IN (
            SELECT driver_id, seq FROM driver_places WHERE at < $1 ORDER BY at LIMIT $2)",
        &[&before, &most],
    )
}

fn read(row: &Row<'_>) -> Result<Record, Error> {
    let status: DriverStatus = row.get(3)?;
    Ok(Record {
        driver: Driver {
            id: row.get(0)?,
            name: row.get(2)?,
            status,
            available_until: row.get(4)?,
            location: row.get::<Option<Json<_>>>(8)?.map(|place| place.0),
            load: row.get(5)?,
            version: row.get(12)?,
        },
        subject: row.get(1)?,
        capacity: row.get(6)?,
        heard_at: row.get(7)?,
        place_seq: row.get(9)?,
        place_at: row.get(10)?,
        kept_at: row.get(11)?,
    })
}
