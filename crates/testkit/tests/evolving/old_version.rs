//! What is of the old version.

use partie::contract::Event;
use partie::store::{Error, Migration, Tx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) const STOCK_TABLES: &[Migration] =
    &[Migration::new("0001_items.sql", include_str!("0001_items.sql"))];

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) left: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct View {
    pub(crate) by: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event("order.placed", version = 1, subject = "name")]
pub(crate) struct OrderPlaced {
    pub(crate) name: String,
}

impl Item {
    pub(crate) fn find(tx: &mut Tx, name: &str) -> Result<Self, Error> {
        tx.query_one("SELECT name, left_over FROM items WHERE name = $1", &[&name], |row| {
            Ok(Self { name: row.get(0)?, left: row.get(1)? })
        })
    }
}

impl View {
    pub(crate) fn by(who: &str) -> Self {
        Self { by: who.to_owned() }
    }
}

impl OrderPlaced {
    pub(crate) fn of(name: &str) -> Self {
        Self { name: name.to_owned() }
    }
}
