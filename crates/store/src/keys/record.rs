//! The table of keys and stored answers.

use std::time::Duration;

use bytes::Bytes;
use partie_contract::{
    FaultKind, IdempotencyKey, Platform, Problem, ProblemDetails, Rendered, Timestamp, ToValue,
};

use crate::error::Error;
use crate::keys::filter::Range;
use crate::tx::{Row, Tx};

/// How many keys one transaction prunes.
pub(crate) const PRUNED_AT_ONCE: usize = 500;

/// A stored answer, and what it was the answer to.
pub(super) struct Stored {
    fingerprint: [u8; 32],
    answer: Rendered,
}

/// A key's place in the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) hash: u64,
    pub(super) created_at: Timestamp,
}

impl Stored {
    /// Fingerprint, status, location, etag, link, body.
    pub(super) fn read(row: &Row<'_>) -> Result<Self, Error> {
        let answer = Rendered {
            status: row.get(1)?,
            location: row.get(2)?,
            etag: row.get(3)?,
            link: row.get(4)?,
            body: row.get::<Bytes>(5)?,
        };
        Ok(Self { fingerprint: row.get(0)?, answer })
    }

    /// The answer, if the key is used for the same request again.
    pub(super) fn answer(self, key: &IdempotencyKey) -> Result<Rendered, Platform> {
        if self.fingerprint == key.fingerprint {
            Ok(self.answer)
        } else {
            Err(Platform::new(FaultKind::IdempotencyKeyReused))
        }
    }
}

/// One probe of the index for each bucket of 1,024 ids.
const FIND: &str = "WITH RECURSIVE bucket (number) AS (
        SELECT $1 >> 10 UNION ALL SELECT number + 1 FROM bucket WHERE number < $2 >> 10
    )
    SELECT fingerprint, status, location, etag, link, body
    FROM bucket CROSS JOIN partie_keys
    WHERE id >> 10 = number AND hash = $3 AND scope = $4 AND key = $5
    ORDER BY id DESC LIMIT 1";

/// Looks for the key among those ids, bucket by bucket.
pub(super) fn find(
    tx: &mut Tx,
    key: &IdempotencyKey,
    hash: u64,
    ids: Range,
) -> Result<Option<Stored>, Error> {
    tx.run_query_opt(FIND, &[&ids.first, &ids.last, &hash.cast_signed(), &key.scope, &key.key], |row| {
        Stored::read(row)
    })
}

pub(super) fn insert(
    tx: &mut Tx,
    entry: Entry,
    key: &IdempotencyKey,
    answer: &Rendered,
) -> Result<(), Error> {
    let params: &[&dyn ToValue] = &[
        &entry.id,
        &entry.hash.cast_signed(),
        &entry.created_at,
        &key.scope,
        &key.key,
        &key.fingerprint,
        &answer.status,
        &answer.location,
        &answer.etag,
        &answer.link,
        &answer.body,
    ];
    tx.run_execute(
        "INSERT INTO partie_keys (id, hash, created_at, scope, key, fingerprint, status, location, etag, link, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params,
    )?;
    Ok(())
}

/// Removes keys that are older than `retention`, the oldest first, at most [`PRUNED_AT_ONCE`].
///
/// Keys from a far future are another clock's, and go too: they would stand before the others for years.
pub(super) fn prune(tx: &mut Tx, retention: Duration) -> Result<usize, Error> {
    let now = tx.now();
    tx.run_execute(
        "DELETE FROM partie_keys
         WHERE id IN (SELECT id FROM partie_keys ORDER BY id LIMIT $1) AND (created_at < $2 OR created_at > $3)",
        &[&PRUNED_AT_ONCE, &(now - retention), &(now + retention)],
    )
}

/// All keys up to that id, for the filter.
pub(super) fn each(tx: &mut Tx, last: i64, mut entry: impl FnMut(Entry)) -> Result<(), Error> {
    tx.each("SELECT id, hash, created_at FROM partie_keys WHERE id <= $1 ORDER BY id", &[&last], |row| {
        let hash = row.get::<i64>(1)?.cast_unsigned();
        entry(Entry { id: row.get(0)?, hash, created_at: row.get(2)? });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_the_index() {
        let database = rusqlite::Connection::open_in_memory().unwrap();
        database.execute_batch(include_str!("../../migrations/0001_store.sql")).unwrap();
        let mut plan = database.prepare(&format!("EXPLAIN QUERY PLAN {FIND}")).unwrap();
        let steps = plan.query_map([1; 5], |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        let probe = "SEARCH partie_keys USING INDEX partie_keys_lookup (<expr>=? AND hash=?)";
        assert!(steps.iter().any(|step| step == probe), "{steps:#?}");
    }
}
