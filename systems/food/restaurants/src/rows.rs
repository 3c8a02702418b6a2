//! The tables: everything here is SQL and its conversion, nothing decides.

pub(crate) mod items;
pub(crate) mod restaurants;
pub(crate) mod tickets;

use partie::contract::{Currency, InvalidValue, Money};
use partie::store::Error;

/// A stored price.
fn money(amount: i64, currency: Currency) -> Result<Money, Error> {
    Money::new(amount, currency).map_err(|error| InvalidValue::new(error.to_string()).into())
}
