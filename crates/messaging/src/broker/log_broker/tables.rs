//! What a service keeps of its groups that read a vendor's log.

use std::sync::Arc;

use partie_store::{Error, Tx};
use uuid::Uuid;

use crate::broker::group::{Changes, Remembered};
use crate::broker::lane::{Op, Stall};
use crate::broker::rows::{self, Rows, message};
use crate::broker::{Message, Parked, Skip, Skipped};
use crate::inbox;

/// Who reads for a group, as far as one can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reader {
    pub(super) epoch: i64,
    pub(super) beats: i64,
    pub(super) is_read: bool,
}

/// A part of the log, for one group.
pub(super) struct Part {
    pub(super) remembered: Remembered,
    pub(super) base: i64,
}

/// Who reads for a group, if anybody ever did.
pub(super) fn reader(tx: &mut Tx, group: &str) -> Result<Option<Reader>, Error> {
    tx.query_opt("SELECT epoch, beats, is_read FROM partie_log_groups WHERE name = $1", &[&group], |row| {
        Ok(Reader { epoch: row.get(0)?, beats: row.get(1)?, is_read: row.get(2)? })
    })
}

/// Becomes the reader of a group if nothing has happened since it was looked at. Gives back the new epoch.
pub(super) fn take_over(tx: &mut Tx, group: &str, seen: Option<Reader>) -> Result<Option<i64>, Error> {
    let Some(Reader { epoch, beats, .. }) = seen else {
        let added = tx.execute(
            "INSERT INTO partie_log_groups (name, epoch, beats, is_read) VALUES ($1, 1, 0, TRUE)
             ON CONFLICT (name) DO NOTHING",
            &[&group],
        )?;
        return Ok((added == 1).then_some(1));
    };
    let taken = tx.execute(
        "UPDATE partie_log_groups SET epoch = epoch + 1, beats = 0, is_read = TRUE
         WHERE name = $1 AND epoch = $2 AND beats = $3",
        &[&group, &epoch, &beats],
    )?;
    Ok((taken == 1).then_some(epoch + 1))
}

/// Shows that the reader is alive. Says whether it still is the reader: only then anything else may be written.
pub(super) fn beat(tx: &mut Tx, group: &str, epoch: i64) -> Result<bool, Error> {
    let beaten = tx.execute(
        "UPDATE partie_log_groups SET beats = beats + 1 WHERE name = $1 AND epoch = $2",
        &[&group, &epoch],
    )?;
    Ok(beaten == 1)
}

/// Lets somebody else read.
pub(super) fn leave(tx: &mut Tx, group: &str, epoch: i64) -> Result<(), Error> {
    tx.execute(
        "UPDATE partie_log_groups SET is_read = FALSE WHERE name = $1 AND epoch = $2",
        &[&group, &epoch],
    )?;
    Ok(())
}

/// What is known of a part of the log; a new one is noted.
pub(super) fn remember(tx: &mut Tx, group: &str, part: u32) -> Result<Part, Error> {
    let part = i64::from(part);
    tx.execute(
        "INSERT INTO partie_log_positions (group_name, part, settled, base) VALUES ($1, $2, 0, 0)
         ON CONFLICT (group_name, part) DO NOTHING",
        &[&group, &part],
    )?;
    let (settled, base) = tx.query_one(
        "SELECT settled, base FROM partie_log_positions WHERE group_name = $1 AND part = $2",
        &[&group, &part],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let stalls = tx.query(
        "SELECT s.key, s.attempts, s.error, s.parked_at IS NOT NULL,
                (SELECT COALESCE(MAX(position), 0) FROM partie_log_held h
                 WHERE h.group_name = s.group_name AND h.key = s.key)
         FROM partie_log_stalls s WHERE s.group_name = $1 AND s.part = $2",
        &[&group, &part],
        |row| {
            let stall = Stall { attempts: row.get(1)?, error: row.get(2)? };
            Ok((row.get(0)?, stall, row.get(3)?, row.get(4)?))
        },
    )?;
    Ok(Part { remembered: Remembered { settled, stalls }, base })
}

/// Begins again at the beginning of a log that has lost its memory, behind everything that was read of it before.
pub(super) fn begin_anew(tx: &mut Tx, group: &str, part: u32) -> Result<(), Error> {
    let part = i64::from(part);
    let settled: i64 = tx.query_one(
        "SELECT settled FROM partie_log_positions WHERE group_name = $1 AND part = $2",
        &[&group, &part],
        |row| row.get(0),
    )?;
    let held: i64 = tx.query_one(
        "SELECT COALESCE(MAX(position), 0) FROM partie_log_held WHERE group_name = $1 AND part = $2",
        &[&group, &part],
        |row| row.get(0),
    )?;
    let base = settled.max(held);
    tx.execute(
        "UPDATE partie_log_positions SET settled = $1, base = $1 WHERE group_name = $2 AND part = $3",
        &[&base, &group, &part],
    )?;
    Ok(())
}

/// Writes what changed in a part.
pub(super) fn note(tx: &mut Tx, group: &str, part: u32, changes: &Changes) -> Result<(), Error> {
    let (now, part) = (tx.now(), i64::from(part));
    for op in &changes.ops {
        match op {
            Op::Hold { position, message } => {
                let Message { id, type_name, key, body } = &**message;
                tx.execute(
                    "INSERT INTO partie_log_held (group_name, part, position, id, key, type, body)
                     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (group_name, part, position) DO NOTHING",
                    &[&group, &part, position, id, key, type_name, body],
                )?
            }
            Op::Release { position } => tx.execute(
                "DELETE FROM partie_log_held WHERE group_name = $1 AND part = $2 AND position = $3",
                &[&group, &part, position],
            )?,
            Op::Stall { key, stall, parked } => tx.execute(
                "INSERT INTO partie_log_stalls (group_name, key, part, attempts, error, parked_at)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (group_name, key)
                 DO UPDATE SET attempts = excluded.attempts, error = excluded.error, parked_at = excluded.parked_at",
                &[&group, key, &part, &stall.attempts, &stall.error, &parked.then_some(now)],
            )?,
            Op::Unstall { key } => tx.execute(
                "DELETE FROM partie_log_stalls WHERE group_name = $1 AND key = $2",
                &[&group, key],
            )?,
        };
    }
    tx.execute(
        "UPDATE partie_log_positions SET settled = $1 WHERE group_name = $2 AND part = $3",
        &[&changes.settled, &group, &part],
    )?;
    Ok(())
}

/// The first messages held for a key.
pub(super) fn held(tx: &mut Tx, group: &str, key: &str, limit: usize) -> Result<Rows, Error> {
    tx.query(
        "SELECT position, id, key, type, body FROM partie_log_held
         WHERE group_name = $1 AND key = $2 ORDER BY position LIMIT $3",
        &[&group, &key, &i64::try_from(limit).unwrap_or(i64::MAX)],
        message,
    )
}

/// The keys that failed and are not parked, or not any more.
pub(super) fn going_on(tx: &mut Tx, group: &str) -> Result<Vec<Arc<str>>, Error> {
    tx.query(
        "SELECT key FROM partie_log_stalls WHERE group_name = $1 AND parked_at IS NULL",
        &[&group],
        |row| row.get(0),
    )
}

/// The parked keys of a group.
pub(super) fn parked(tx: &mut Tx, group: &str) -> Result<Vec<Parked>, Error> {
    tx.query(
        "SELECT h.position, h.id, h.key, h.type, h.body, s.attempts, s.error, s.parked_at,
                (SELECT COUNT(*) FROM partie_log_held o WHERE o.group_name = s.group_name AND o.key = s.key)
         FROM partie_log_stalls s JOIN partie_log_held h ON h.group_name = s.group_name AND h.key = s.key
         WHERE s.group_name = $1 AND s.parked_at IS NOT NULL AND h.position =
                (SELECT MIN(o.position) FROM partie_log_held o WHERE o.group_name = s.group_name AND o.key = s.key)
         ORDER BY s.parked_at, s.key",
        &[&group],
        rows::parked,
    )
}

/// Lets a key go on, if it is parked.
pub(super) fn unpark(tx: &mut Tx, group: &str, key: &str) -> Result<bool, Error> {
    let changed = tx.execute(
        "UPDATE partie_log_stalls SET parked_at = NULL, attempts = 0
         WHERE group_name = $1 AND key = $2 AND parked_at IS NOT NULL",
        &[&group, &key],
    )?;
    Ok(changed == 1)
}

/// Gives up the message that parked a key, if it is that one.
pub(super) fn skip(tx: &mut Tx, group: &str, skip: &Skip) -> Result<bool, Error> {
    let first: Option<Uuid> = tx.query_opt(
        "SELECT id FROM partie_log_held WHERE group_name = $1 AND key = $2 ORDER BY position LIMIT 1",
        &[&group, &skip.key],
        |row| row.get(0),
    )?;
    if first != Some(skip.event) || !unpark(tx, group, &skip.key)? {
        return Ok(false);
    }
    // All its copies: a message that was published twice may stand there twice.
    tx.execute(
        "DELETE FROM partie_log_held WHERE group_name = $1 AND key = $2 AND id = $3",
        &[&group, &skip.key, &skip.event],
    )?;
    // The log may bring another one later; the inbox knows it from now on.
    inbox::first_time(tx, group, skip.event)?;
    let now = tx.now();
    tx.execute(
        "INSERT INTO partie_log_skips (group_name, event, key, actor, reason, skipped_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (group_name, event)
         DO UPDATE SET actor = excluded.actor, reason = excluded.reason, skipped_at = excluded.skipped_at",
        &[&group, &skip.event, &skip.key, &skip.actor, &skip.reason, &now],
    )?;
    Ok(true)
}

/// What was given up in a group.
pub(super) fn skipped(tx: &mut Tx, group: &str) -> Result<Vec<Skipped>, Error> {
    tx.query(
        "SELECT event, key, actor, reason, skipped_at FROM partie_log_skips
         WHERE group_name = $1 ORDER BY skipped_at, event",
        &[&group],
        |row| {
            let skip = Skip { event: row.get(0)?, key: row.get(1)?, actor: row.get(2)?, reason: row.get(3)? };
            Ok(Skipped { skip, at: row.get(4)? })
        },
    )
}
