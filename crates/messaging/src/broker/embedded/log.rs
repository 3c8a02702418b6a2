//! The broker's tables.

use std::sync::Arc;
use std::time::Duration;

use partie_store::{Error, Tx};
use uuid::Uuid;

use crate::broker::group::{Changes, Remembered};
use crate::broker::lane::{Op, Stall};
use crate::broker::rows::{self, Rows, message};
use crate::broker::{Message, Parked, Skip, Skipped};

/// Appends what is not there yet.
pub(super) fn append(tx: &mut Tx, batch: &[Arc<Message>]) -> Result<Rows, Error> {
    let now = tx.now();
    let mut rows = Vec::with_capacity(batch.len());
    // Positions are counted here: SQLite makes a table for what `RETURNING` gives back, each time.
    let mut position = end(tx)? + 1;
    for message in batch {
        let Message { id, type_name, key, body } = &**message;
        let added = tx.execute(
            "INSERT INTO partie_log (position, id, key, type, body, logged_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO NOTHING",
            &[&position, id, key, type_name, body, &now],
        )?;
        if added == 1 {
            rows.push((position, Arc::clone(message)));
            position += 1;
        }
    }
    Ok(rows)
}

/// Where the log ends.
pub(super) fn end(tx: &mut Tx) -> Result<i64, Error> {
    // The last row is never pruned.
    tx.query_one("SELECT COALESCE(MAX(position), 0) FROM partie_log", &[], |row| row.get(0))
}

/// The messages of some types after a position, and up to where that is everything.
pub(super) fn after(
    tx: &mut Tx,
    (group, types): (&str, &str),
    position: i64,
    limit: usize,
) -> Result<(Rows, i64), Error> {
    let end = end(tx)?;
    // What was skipped stays so when a group begins again.
    let rows = tx.query(
        "SELECT position, id, key, type, body FROM partie_log l
         WHERE position > $1 AND type IN (SELECT value FROM json_each($2))
           AND NOT EXISTS (SELECT 1 FROM partie_skips s WHERE s.group_name = $4 AND s.event = l.id)
         ORDER BY position LIMIT $3",
        &[&position, &types, &count(limit), &group],
        message,
    )?;
    let to = match rows.last() {
        Some((last, _)) if rows.len() >= limit => *last,
        _ => end,
    };
    Ok((rows, to))
}

/// The first messages held for a key.
pub(super) fn held(tx: &mut Tx, group: &str, key: &str, limit: usize) -> Result<Rows, Error> {
    tx.query(
        "SELECT l.position, l.id, l.key, l.type, l.body FROM partie_held h JOIN partie_log l ON l.position = h.position
         WHERE h.group_name = $1 AND h.key = $2 ORDER BY h.position LIMIT $3",
        &[&group, &key, &count(limit)],
        message,
    )
}

/// What is known of a group; a new one is noted.
pub(super) fn remember(tx: &mut Tx, group: &str) -> Result<Remembered, Error> {
    begin_epoch(tx)?;
    tx.execute("INSERT INTO partie_groups (name, settled) VALUES ($1, 0) ON CONFLICT DO NOTHING", &[&group])?;
    let settled =
        tx.query_one("SELECT settled FROM partie_groups WHERE name = $1", &[&group], |row| row.get(0))?;
    let stalls = tx.query(
        "SELECT s.key, s.attempts, s.error, s.parked_at IS NOT NULL,
                (SELECT COALESCE(MAX(position), 0) FROM partie_held h WHERE h.group_name = s.group_name AND h.key = s.key)
         FROM partie_stalls s WHERE s.group_name = $1",
        &[&group],
        |row| {
            let stall = Stall { attempts: row.get(1)?, error: row.get(2)? };
            Ok((row.get(0)?, stall, row.get(3)?, row.get(4)?))
        },
    )?;
    Ok(Remembered { settled, stalls })
}

/// Writes what changed in a group.
pub(super) fn note(tx: &mut Tx, group: &str, changes: &Changes) -> Result<(), Error> {
    let now = tx.now();
    for op in &changes.ops {
        match op {
            Op::Hold { position, message } => tx.execute(
                "INSERT INTO partie_held (group_name, position, key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                &[&group, position, &message.key],
            )?,
            Op::Release { position } => tx.execute(
                "DELETE FROM partie_held WHERE group_name = $1 AND position = $2",
                &[&group, position],
            )?,
            Op::Stall { key, stall, parked } => tx.execute(
                "INSERT INTO partie_stalls (group_name, key, attempts, error, parked_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (group_name, key)
                 DO UPDATE SET attempts = excluded.attempts, error = excluded.error, parked_at = excluded.parked_at",
                &[&group, key, &stall.attempts, &stall.error, &parked.then_some(now)],
            )?,
            Op::Unstall { key } => {
                tx.execute("DELETE FROM partie_stalls WHERE group_name = $1 AND key = $2", &[&group, key])?
            }
        };
    }
    tx.execute("UPDATE partie_groups SET settled = $1 WHERE name = $2", &[&changes.settled, &group])?;
    Ok(())
}

/// The parked keys of a group.
pub(super) fn parked(tx: &mut Tx, group: &str) -> Result<Vec<Parked>, Error> {
    tx.query(
        "SELECT l.position, l.id, l.key, l.type, l.body, s.attempts, s.error, s.parked_at,
                (SELECT COUNT(*) FROM partie_held h WHERE h.group_name = s.group_name AND h.key = s.key)
         FROM partie_stalls s JOIN partie_log l ON l.position =
                (SELECT MIN(position) FROM partie_held h WHERE h.group_name = s.group_name AND h.key = s.key)
         WHERE s.group_name = $1 AND s.parked_at IS NOT NULL ORDER BY s.parked_at, s.key",
        &[&group],
        rows::parked,
    )
}

/// Lets a key go on, if it is parked.
pub(super) fn unpark(tx: &mut Tx, group: &str, key: &str) -> Result<bool, Error> {
    let changed = tx.execute(
        "UPDATE partie_stalls SET parked_at = NULL, attempts = 0
         WHERE group_name = $1 AND key = $2 AND parked_at IS NOT NULL",
        &[&group, &key],
    )?;
    Ok(changed == 1)
}

/// Gives up the message that parked a key, if it is that one.
pub(super) fn skip(tx: &mut Tx, group: &str, skip: &Skip) -> Result<bool, Error> {
    let first: Option<(i64, Uuid)> = tx.query_opt(
        "SELECT l.position, l.id FROM partie_held h JOIN partie_log l ON l.position = h.position
         WHERE h.group_name = $1 AND h.key = $2 ORDER BY h.position LIMIT 1",
        &[&group, &skip.key],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some((position, _)) = first.filter(|(_, event)| *event == skip.event) else { return Ok(false) };
    if !unpark(tx, group, &skip.key)? {
        return Ok(false);
    }
    tx.execute("DELETE FROM partie_held WHERE group_name = $1 AND position = $2", &[&group, &position])?;
    let now = tx.now();
    tx.execute(
        "INSERT INTO partie_skips (group_name, event, key, actor, reason, skipped_at) VALUES ($1, $2, $3, $4, $5, $6)",
        &[&group, &skip.event, &skip.key, &skip.actor, &skip.reason, &now],
    )?;
    Ok(true)
}

/// What was given up in a group.
pub(super) fn skipped(tx: &mut Tx, group: &str) -> Result<Vec<Skipped>, Error> {
    tx.query(
        "SELECT event, key, actor, reason, skipped_at FROM partie_skips WHERE group_name = $1 ORDER BY skipped_at, event",
        &[&group],
        |row| {
            let skip = Skip { event: row.get(0)?, key: row.get(1)?, actor: row.get(2)?, reason: row.get(3)? };
            Ok(Skipped { skip, at: row.get(4)? })
        },
    )
}

/// Lets a group begin again with the messages of the retention, in a new epoch of its service. Gives back where that is,
/// or nothing if it has done so already.
///
/// Not with older ones, though the log may have some: the service remembers what it has handled for twice as long, and is
/// to know each message that comes again.
pub(super) fn rewind(
    tx: &mut Tx,
    group: &str,
    epoch: i64,
    retention: Duration,
) -> Result<Option<i64>, Error> {
    let known: Option<(i64, i64)> =
        tx.query_opt("SELECT settled, epoch FROM partie_groups WHERE name = $1", &[&group], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    // A new group begins at the beginning anyway.
    let (settled, in_epoch) = known.unwrap_or((0, 0));
    if in_epoch >= epoch {
        return Ok(None);
    }
    let since = tx.now() - retention;
    let first: Option<i64> =
        tx.query_one("SELECT MIN(position) FROM partie_log WHERE logged_at >= $1", &[&since], |row| {
            row.get(0)
        })?;
    let to = first.map_or(settled, |first| settled.min(first - 1));
    tx.execute(
        "INSERT INTO partie_groups (name, settled, epoch) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET settled = excluded.settled, epoch = excluded.epoch",
        &[&group, &to, &epoch],
    )?;
    // What failed before fails again by itself, or does not.
    tx.execute("DELETE FROM partie_held WHERE group_name = $1 AND position > $2", &[&group, &to])?;
    tx.execute(
        "DELETE FROM partie_stalls WHERE group_name = $1
           AND NOT EXISTS (SELECT 1 FROM partie_held h WHERE h.group_name = partie_stalls.group_name AND h.key = partie_stalls.key)",
        &[&group],
    )?;
    Ok(Some(to))
}

/// In a new epoch of the log no key is parked: what parked it may have been requeued and handled since the backup. Before
/// any group has looked.
fn begin_epoch(tx: &mut Tx) -> Result<(), Error> {
    let epoch = tx.epoch();
    // Nearly no log was ever restored.
    if epoch > 0 && tx.execute("UPDATE partie_epoch SET epoch = $1 WHERE epoch < $1", &[&epoch])? == 1 {
        tx.execute("UPDATE partie_stalls SET parked_at = NULL, attempts = 0", &[])?;
    }
    Ok(())
}

/// Forgets a group.
pub(super) fn forget(tx: &mut Tx, group: &str) -> Result<bool, Error> {
    tx.execute("DELETE FROM partie_held WHERE group_name = $1", &[&group])?;
    tx.execute("DELETE FROM partie_stalls WHERE group_name = $1", &[&group])?;
    Ok(tx.execute("DELETE FROM partie_groups WHERE name = $1", &[&group])? == 1)
}

/// Removes some old messages that every group has settled, and says how many.
pub(super) fn prune(tx: &mut Tx, retention: Duration, limit: usize) -> Result<usize, Error> {
    let before = tx.now() - retention;
    tx.execute(
        "DELETE FROM partie_log WHERE position IN (
             SELECT position FROM partie_log l
             WHERE logged_at < $1
               AND position <= (SELECT COALESCE(MIN(settled), 0) FROM partie_groups)
               AND position < (SELECT MAX(position) FROM partie_log)
               AND NOT EXISTS (SELECT 1 FROM partie_held h WHERE h.position = l.position)
             ORDER BY position LIMIT $2)",
        &[&before, &count(limit)],
    )
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
