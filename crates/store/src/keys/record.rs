//! The table of keys and stored answers.

use std::time::Duration;

use bytes::Bytes;
use partie_contract::{
    FaultKind, IdempotencyKey, Platform, Problem, ProblemDetails, Rendered, Timestamp, ToValue,
};

use crate::error::{Error, ErrorKind};
use crate::tx::Tx;

/// How many keys one transaction prunes.
pub(crate) const PRUNED_AT_ONCE: usize = 500;

/// A stored answer, and what it was the answer to.
pub(super) struct Stored {
    fingerprint: [u8; 32],
    answer: Rendered,
}

impl Stored {
    /// The answer, if the key is used for the same request again.
    pub(super) fn answer(self, key: &IdempotencyKey) -> Result<Rendered, Platform> {
        if self.fingerprint == key.fingerprint {
            Ok(self.answer)
        } else {
            Err(Platform::new(FaultKind::IdempotencyKeyReused))
        }
    }
}

pub(super) fn find(tx: &mut Tx, key: &IdempotencyKey) -> Result<Option<Stored>, Error> {
    tx.run_query_opt(
        "SELECT fingerprint, status, location, etag, link, body FROM partie_keys WHERE scope = $1 AND key = $2",
        &[&key.scope, &key.key],
        |row| {
            Ok(Stored {
                fingerprint: row.get(0)?,
                answer: Rendered {
                    status: row.get(1)?,
                    location: row.get(2)?,
                    etag: row.get(3)?,
                    link: row.get(4)?,
                    body: row.get::<Bytes>(5)?,
                },
            })
        },
    )
}

/// Records an answer. A key whose time is over may still be there, waiting to be pruned: it gives way.
pub(super) fn insert(
    tx: &mut Tx,
    key: &IdempotencyKey,
    answer: &Rendered,
    retention: Duration,
) -> Result<(), Error> {
    let params: &[&dyn ToValue] = &[
        &key.scope,
        &key.key,
        &tx.now(),
        &key.fingerprint,
        &answer.status,
        &answer.location,
        &answer.etag,
        &answer.link,
        &answer.body,
        &(tx.now() - retention),
    ];
    let rows = tx.run_execute(
        "INSERT INTO partie_keys (scope, key, created_at, fingerprint, status, location, etag, link, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (scope, key) DO UPDATE SET
             created_at = excluded.created_at, fingerprint = excluded.fingerprint, status = excluded.status,
             location = excluded.location, etag = excluded.etag, link = excluded.link, body = excluded.body
         WHERE partie_keys.created_at < $10",
        params,
    )?;
    if rows == 1 { Ok(()) } else { Err(Error::new(ErrorKind::UniqueViolation)) }
}

/// Removes keys that are older than `retention`, the oldest first, at most [`PRUNED_AT_ONCE`].
///
/// Row ids grow with time, so the oldest rows come first without an index that every write would have to pay for. Keys
/// from a far future are another clock's, and go too: they would stand before the others for years.
pub(super) fn prune(tx: &mut Tx, retention: Duration) -> Result<usize, Error> {
    let now = tx.now();
    tx.run_execute(
        "DELETE FROM partie_keys
         WHERE id IN (SELECT id FROM partie_keys ORDER BY id LIMIT $1) AND (created_at < $2 OR created_at > $3)",
        &[&PRUNED_AT_ONCE, &(now - retention), &(now + retention)],
    )
}

/// All keys, for the filter.
pub(super) fn each(tx: &mut Tx, mut key: impl FnMut(&str, &str, Timestamp)) -> Result<(), Error> {
    tx.each("SELECT scope, key, created_at FROM partie_keys", &[], |row| {
        key(&row.get::<String>(0)?, &row.get::<String>(1)?, row.get(2)?);
        Ok(())
    })
}

// === problems as answers ===

pub(super) fn problem<E: Problem>(problem: &E) -> Result<Rendered, Platform> {
    let kind = problem.kind();
    Rendered::json(kind.status, &kind.details(problem.members()))
}

pub(super) fn decode_problem<E: Problem>(stored: &Rendered) -> Option<E> {
    let details: ProblemDetails = serde_json::from_slice(&stored.body).ok()?;
    E::decode(&details.code, details.members)
}
