//! Rows that the tables of every broker give back alike.

use std::sync::Arc;

use partie_store::{Error, Row};

use super::{Message, Parked};

/// Messages with their positions.
pub(super) type Rows = Vec<(i64, Arc<Message>)>;

/// `position, id, key, type, body`
pub(super) fn message(row: &Row<'_>) -> Result<(i64, Arc<Message>), Error> {
    let message = Message { id: row.get(1)?, key: row.get(2)?, type_name: row.get(3)?, body: row.get(4)? };
    Ok((row.get(0)?, Arc::new(message)))
}

/// Those of a [`message`], and `attempts, error, parked_at` and how many wait.
pub(super) fn parked(row: &Row<'_>) -> Result<Parked, Error> {
    let (_, message) = message(row)?;
    Ok(Parked {
        key: message.key.to_string(),
        message: Arc::unwrap_or_clone(message),
        attempts: row.get(5)?,
        error: row.get(6)?,
        since: row.get(7)?,
        waiting: row.get(8)?,
    })
}
