//! What is of the new version: a column, and a member more in an answer, in a request and in an event.

use partie::contract::Event;
use partie::store::{Error, Migration, Tx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) const STOCK_TABLES: &[Migration] = &[
    Migration::new("0001_items.sql", include_str!("0001_items.sql")),
    Migration::new("0002_shelf.sql", include_str!("0002_shelf.sql")),
];

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) left: i64,
    #[serde(default)]
    pub(crate) shelf: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct View {
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) why: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Event)]
#[event("order.placed", version = 1, subject = "name")]
pub(crate) struct OrderPlaced {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) as_present: bool,
}

impl Item {
    pub(crate) fn find(tx: &mut Tx, name: &str) -> Result<Self, Error> {
        tx.query_one("SELECT name, left_over, shelf FROM items WHERE name = $1", &[&name], |row| {
            Ok(Self { name: row.get(0)?, left: row.get(1)?, shelf: Some(row.get(2)?) })
        })
    }
}

impl View {
    pub(crate) fn by(who: &str) -> Self {
        Self { by: who.to_owned(), why: Some("to order it".to_owned()) }
    }
}

impl OrderPlaced {
    pub(crate) fn of(name: &str) -> Self {
        Self { name: name.to_owned(), as_present: true }
    }
}
