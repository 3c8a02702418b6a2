//! The inbox: which events a group has handled, noted in the transaction of their effect.

use std::time::Duration;

use partie_store::{Error, Tx};
use uuid::Uuid;

/// Notes that the group handles the event, and says whether it does so for the first time.
pub(crate) fn first_time(tx: &mut Tx, group: &str, event: Uuid) -> Result<bool, Error> {
    let now = tx.now();
    let added = tx.execute(
        "INSERT INTO partie_inbox (group_name, event, handled_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[&group, &event, &now],
    )?;
    Ok(added == 1)
}

/// Forgets some events that were handled long ago, and says how many.
pub(crate) fn prune(tx: &mut Tx, remember: Duration, limit: i64) -> Result<usize, Error> {
    let before = tx.now() - remember;
    tx.execute(
        "DELETE FROM partie_inbox WHERE (group_name, event) IN (
             SELECT group_name, event FROM partie_inbox WHERE handled_at < $1 ORDER BY handled_at LIMIT $2)",
        &[&before, &limit],
    )
}
