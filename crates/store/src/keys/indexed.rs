//! The table of keys where several processes write: a unique index decides who is first.
//!
//! The key is claimed before the closure runs, by inserting its row. Whoever else has the key waits in that statement
//! for the first one's commit, is then run again by the store, and finds the answer. Were the row inserted last, the
//! loser of the race would run the closure beside the winner, find the winner's rows in its way, and answer a problem
//! to what is only a retry.

use std::time::Duration;

use partie_contract::{IdempotencyKey, Rendered};

use super::record::{PRUNED_AT_ONCE, Stored};
use crate::error::{Error, ErrorKind};
use crate::tx::Tx;

/// Claims the key for this transaction, or gives back what was answered under it.
pub(super) fn claim(tx: &mut Tx, key: &IdempotencyKey) -> Result<Option<Stored>, Error> {
    let now = tx.now();
    let claimed = tx.run_execute(
        "INSERT INTO partie_keys (scope, key, fingerprint, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (scope, key) DO NOTHING",
        &[&key.scope, &key.key, &key.fingerprint, &now],
    )?;
    if claimed == 1 {
        return Ok(None);
    }
    find(tx, key)?.map(Some).ok_or_else(|| Error::new(ErrorKind::Conflict))
}

pub(super) fn find(tx: &mut Tx, key: &IdempotencyKey) -> Result<Option<Stored>, Error> {
    tx.run_query_opt(
        "SELECT fingerprint, status, location, etag, link, body FROM partie_keys WHERE scope = $1 AND key = $2",
        &[&key.scope, &key.key],
        Stored::read,
    )
}

/// Records the answer of the key that this transaction has claimed.
pub(super) fn answer(tx: &mut Tx, key: &IdempotencyKey, answer: &Rendered) -> Result<(), Error> {
    tx.run_execute(
        "UPDATE partie_keys SET status = $3, location = $4, etag = $5, link = $6, body = $7
         WHERE scope = $1 AND key = $2",
        &[&key.scope, &key.key, &answer.status, &answer.location, &answer.etag, &answer.link, &answer.body],
    )?;
    Ok(())
}

/// Removes keys that are older than `retention`, the oldest first, and those from a far future, which are another
/// clock's.
pub(super) fn prune(tx: &mut Tx, retention: Duration) -> Result<usize, Error> {
    let now = tx.now();
    tx.run_execute(
        "DELETE FROM partie_keys WHERE (scope, key) IN (
             (SELECT scope, key FROM partie_keys WHERE created_at < $1 ORDER BY created_at LIMIT $3)
             UNION ALL
             (SELECT scope, key FROM partie_keys WHERE created_at > $2 ORDER BY created_at DESC LIMIT 10))",
        &[&(now - retention), &(now + retention), &PRUNED_AT_ONCE],
    )
}
