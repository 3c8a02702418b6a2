//! The table `restaurants`.

use food_contracts::restaurants::{Hours, Pause};
use food_contracts::{Place, RestaurantId};
use partie::contract::{Currency, InvalidValue, Money};
use partie::store::{Error, Json, Row, Tx};

use super::money;
use crate::hours::Week;
use crate::restaurant::Restaurant;
use crate::zone::Bounds;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, number, owner, name, cuisine, emoji, lat, lon, hours, paused, paused_until, zone_metres, ",
            "currency, minimum, capacity, prep_minutes, menu_version, version FROM restaurants ",
            $tail
        )
    };
}

/// The place after which a page by name starts.
pub(crate) type ByName = (String, RestaurantId);

pub(crate) fn find(tx: &mut Tx, id: RestaurantId) -> Result<Option<Restaurant>, Error> {
    tx.query_opt(select!("WHERE id = $1"), &[&id], restaurant)
}

/// By the tutorial's small number.
pub(crate) fn find_numbered(tx: &mut Tx, number: u32) -> Result<Option<Restaurant>, Error> {
    tx.query_opt(select!("WHERE number = $1"), &[&number], restaurant)
}

/// Whether there is any.
pub(crate) fn exist(tx: &mut Tx) -> Result<bool, Error> {
    Ok(tx.query_opt("SELECT 1 FROM restaurants LIMIT 1", &[], |_| Ok(()))?.is_some())
}

/// The next ones by name, of a cuisine or of all.
pub(crate) fn by_name(
    tx: &mut Tx,
    cuisine: Option<&str>,
    after: &ByName,
    most: usize,
) -> Result<Vec<Restaurant>, Error> {
    let (name, id) = after;
    match cuisine {
        Some(cuisine) => tx.query(
            select!("WHERE cuisine_key = $1 AND (name, id) > ($2, $3) ORDER BY name, id LIMIT $4"),
            &[&key(cuisine), name, id, &most],
            restaurant,
        ),
        None => tx.query(
            select!("WHERE (name, id) > ($1, $2) ORDER BY name, id LIMIT $3"),
            &[name, id, &most],
            restaurant,
        ),
    }
}

/// Those in a box, in no order.
pub(crate) fn within(
    tx: &mut Tx,
    cuisine: Option<&str>,
    bounds: &Bounds,
) -> Result<Vec<(RestaurantId, Place)>, Error> {
    let Bounds { lat: (south, north), lon: [one, other] } = bounds;
    tx.query(
        "SELECT id, lat, lon FROM restaurants
        WHERE lat BETWEEN $1 AND $2 AND (lon BETWEEN $3 AND $4 OR lon BETWEEN $5 AND $6)
            AND (cuisine_key = $7 OR $7 IS NULL)",
        &[south, north, &one.0, &one.1, &other.0, &other.1, &cuisine.map(key)],
        |row| Ok((row.get(0)?, place(row, 1)?)),
    )
}

pub(crate) fn insert(tx: &mut Tx, new: &Restaurant) -> Result<(), Error> {
    let (paused, until) = pause_columns(new);
    tx.execute(
        "INSERT INTO restaurants (id, number, owner, name, cuisine, cuisine_key, emoji, lat, lon, hours, paused,
            paused_until, zone_metres, currency, minimum, capacity, prep_minutes, menu_version, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        &[
            &new.id,
            &new.number,
            &new.owner,
            &new.name,
            &new.cuisine,
            &key(&new.cuisine),
            &new.emoji,
            &new.location.lat,
            &new.location.lon,
            &Json(new.week.hours()),
            &paused,
            &until,
            &new.zone_metres,
            &new.currency.code(),
            &new.minimum.map(Money::amount),
            &new.capacity,
            &new.prep_minutes,
            &new.menu_version,
            &new.version,
        ],
    )?;
    Ok(())
}

/// Writes what can change.
pub(crate) fn update(tx: &mut Tx, changed: &Restaurant) -> Result<(), Error> {
    let (paused, until) = pause_columns(changed);
    tx.execute(
        "UPDATE restaurants SET hours = $2, paused = $3, paused_until = $4, menu_version = $5, version = $6
        WHERE id = $1",
        &[&changed.id, &Json(changed.week.hours()), &paused, &until, &changed.menu_version, &changed.version],
    )?;
    Ok(())
}

fn restaurant(row: &Row<'_>) -> Result<Restaurant, Error> {
    let currency: Currency =
        row.get::<String>(12)?.parse().map_err(|_| InvalidValue::new("not a currency"))?;
    let week = Week::new(row.get::<Json<Hours>>(8)?.0)
        .map_err(|wrong| InvalidValue::new(format!("not weekly hours: {wrong:?}")))?;
    let (paused, until) = (row.get::<bool>(9)?, row.get(10)?);
    Ok(Restaurant {
        id: row.get(0)?,
        number: row.get(1)?,
        owner: row.get(2)?,
        name: row.get(3)?,
        cuisine: row.get(4)?,
        emoji: row.get(5)?,
        location: place(row, 6)?,
        week,
        pause: paused.then_some(Pause { until }),
        zone_metres: row.get(11)?,
        currency,
        minimum: row.get::<Option<i64>>(13)?.map(|amount| money(amount, currency)).transpose()?,
        capacity: row.get(14)?,
        prep_minutes: row.get(15)?,
        menu_version: row.get(16)?,
        version: row.get(17)?,
    })
}

fn place(row: &Row<'_>, column: usize) -> Result<Place, Error> {
    let (lat, lon) = (row.get(column)?, row.get(column + 1)?);
    Place::new(lat, lon).map_err(|error| InvalidValue::new(error.to_string()).into())
}

fn pause_columns(of: &Restaurant) -> (bool, Option<partie::contract::Timestamp>) {
    (of.pause.is_some(), of.pause.as_ref().and_then(|pause| pause.until))
}

/// Cuisines are compared without regard to case. Databases differ in what that is beyond ASCII, Rust does not.
fn key(cuisine: &str) -> String {
    cuisine.trim().to_lowercase()
}
