//! The table `items`.

use food_contracts::{ItemId, RestaurantId};
use partie::contract::{Currency, Money};
use partie::store::{Error, Row, Tx};

use super::money;
use crate::menu::Item;
use crate::restaurant::Restaurant;

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT id, number, name, price, emoji, sold_out, back_at, portions FROM items ", $tail)
    };
}

/// A whole menu, in its order.
pub(crate) fn menu(tx: &mut Tx, of: &Restaurant) -> Result<Vec<Item>, Error> {
    let sql = select!("WHERE restaurant_id = $1 ORDER BY number");
    tx.query(sql, &[&of.id], |row| item(row, of.currency))
}

pub(crate) fn find(tx: &mut Tx, of: &Restaurant, id: ItemId) -> Result<Option<Item>, Error> {
    let sql = select!("WHERE id = $1 AND restaurant_id = $2");
    tx.query_opt(sql, &[&id, &of.id], |row| item(row, of.currency))
}

pub(crate) fn insert(tx: &mut Tx, of: RestaurantId, new: &Item) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO items (id, restaurant_id, number, name, price, emoji, sold_out, back_at, portions)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            &new.id,
            &of,
            &new.number,
            &new.name,
            &Money::amount(new.price),
            &new.emoji,
            &new.sold_out,
            &new.back_at,
            &new.portions,
        ],
    )?;
    Ok(())
}

/// Writes what can change.
pub(crate) fn update(tx: &mut Tx, changed: &Item) -> Result<(), Error> {
    tx.execute(
        "UPDATE items SET price = $2, sold_out = $3, back_at = $4, portions = $5 WHERE id = $1",
        &[&changed.id, &changed.price.amount(), &changed.sold_out, &changed.back_at, &changed.portions],
    )?;
    Ok(())
}

fn item(row: &Row<'_>, currency: Currency) -> Result<Item, Error> {
    Ok(Item {
        id: row.get(0)?,
        number: row.get(1)?,
        name: row.get(2)?,
        price: money(row.get(3)?, currency)?,
        emoji: row.get(4)?,
        sold_out: row.get(5)?,
        back_at: row.get(6)?,
        portions: row.get(7)?,
    })
}
