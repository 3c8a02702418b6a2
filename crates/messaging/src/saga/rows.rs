//! The tables of sagas.

use std::sync::Arc;
use std::time::Duration;

use partie_contract::Timestamp;
use partie_store::{Error, Json, ToValue, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{EntryState, Failure, Phase};
use crate::cause::Cause;
use crate::timers::Timer;

/// A saga in hand.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) version: u32,
    pub(super) phase: Phase,
    pub(super) step: String,
    pub(super) iteration: u32,
    /// When the step was entered, while nothing has come of it yet.
    pub(super) entered_at: Option<Timestamp>,
    /// The latest error there.
    pub(super) detail: Option<String>,
    /// The place of the furthest step that was entered; before the first one it is -1.
    pub(super) furthest: i64,
    pub(super) revision: i64,
    pub(super) attempts: u32,
    pub(super) past_pivot: bool,
    pub(super) data: String,
    pub(super) failure: Option<Failure>,
    pub(super) is_parked: bool,
    pub(super) next_at: Option<Timestamp>,
    pub(super) cause: Arc<Cause>,
    pub(super) updated_at: Timestamp,
}

/// A step that may have to be undone.
pub(super) struct Entry {
    pub(super) step: String,
    pub(super) iteration: u32,
}

/// What somebody told a saga.
pub(super) struct Signal {
    pub(super) position: i64,
    /// `None` asks for compensation.
    pub(super) step: Option<String>,
    pub(super) body: String,
}

/// The durable timer of a waiting step. Set for one revision; when the saga has moved on it does nothing.
#[derive(Serialize, Deserialize)]
pub(crate) struct WaitTimer {
    pub(super) saga: Uuid,
    pub(super) revision: i64,
}

impl Timer for WaitTimer {
    const KIND: &'static str = "partie.saga";

    fn key(&self) -> String {
        self.saga.to_string()
    }
}

pub(super) fn insert(
    tx: &mut Tx,
    id: Uuid,
    kind: &str,
    version: u32,
    data: &dyn ToValue,
) -> Result<(), Error> {
    let (now, cause) = (tx.now(), Cause::of(tx));
    tx.execute(
        "INSERT INTO partie_sagas (id, kind, version, phase, step, iteration, furthest, revision, attempts, past_pivot, data,
                                   cause, started_at, updated_at)
         VALUES ($1, $2, $3, $4, '', 0, -1, 0, 0, $5, $6, $7, $8, $8)",
        &[&id, &kind, &version, &Phase::Starting, &false, data, &cause.to_column(), &now],
    )?;
    Ok(())
}

/// The sagas that have begun, or were told something, and nobody has seen it yet.
pub(crate) fn with_news(tx: &mut Tx) -> Result<Vec<Uuid>, Error> {
    tx.query(
        "SELECT id FROM partie_sagas WHERE phase = $1 UNION SELECT saga FROM partie_saga_signals",
        &[&Phase::Starting],
        |row| row.get(0),
    )
}

/// Where a saga is, and whether it is past its pivot.
pub(super) fn standing(tx: &mut Tx, id: Uuid) -> Result<Option<(Phase, bool)>, Error> {
    tx.query_opt("SELECT phase, past_pivot FROM partie_sagas WHERE id = $1", &[&id], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
}

pub(super) fn load(tx: &mut Tx, id: Uuid) -> Result<Option<Row>, Error> {
    tx.query_opt(
        "SELECT kind, version, phase, step, iteration, revision, attempts, past_pivot, data, failure,
                parked IS NOT NULL, next_at, cause, updated_at, entered_at, detail, furthest
         FROM partie_sagas WHERE id = $1",
        &[&id],
        |row| {
            Ok(Row {
                id,
                kind: row.get(0)?,
                version: row.get(1)?,
                phase: row.get(2)?,
                step: row.get(3)?,
                iteration: row.get(4)?,
                revision: row.get(5)?,
                attempts: row.get(6)?,
                past_pivot: row.get(7)?,
                data: row.get(8)?,
                failure: row.get::<Option<Json<_>>>(9)?.map(|Json(failure)| failure),
                is_parked: row.get(10)?,
                next_at: row.get(11)?,
                cause: Cause::from_column(row, 12)?,
                updated_at: row.get(13)?,
                entered_at: row.get(14)?,
                detail: row.get(15)?,
                furthest: row.get(16)?,
            })
        },
    )
}

/// Writes everything that changes of a saga.
pub(super) fn save(tx: &mut Tx, saga: &Row) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        "UPDATE partie_sagas SET phase = $2, step = $3, iteration = $4, revision = $5, attempts = $6, past_pivot = $7,
                data = $8, failure = $9, next_at = $10, updated_at = $11, entered_at = $12, detail = $13, furthest = $14
         WHERE id = $1",
        &[
            &saga.id,
            &saga.phase,
            &saga.step,
            &saga.iteration,
            &saga.revision,
            &saga.attempts,
            &saga.past_pivot,
            &saga.data,
            &saga.failure.as_ref().map(Json),
            &saga.next_at,
            &now,
            &saga.entered_at,
            &saga.detail,
            &saga.furthest,
        ],
    )?;
    Ok(())
}

pub(super) fn park(tx: &mut Tx, id: Uuid, reason: &str) -> Result<(), Error> {
    tx.execute("UPDATE partie_sagas SET parked = $2 WHERE id = $1", &[&id, &reason])?;
    Ok(())
}

pub(super) fn unpark(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    tx.execute("UPDATE partie_sagas SET parked = NULL WHERE id = $1", &[&id])?;
    Ok(())
}

/// Records a failed attempt at what the saga is doing.
pub(super) fn note_attempt(tx: &mut Tx, id: Uuid, revision: i64, error: &str) -> Result<(), Error> {
    let now = tx.now();
    let changed = tx.execute(
        "UPDATE partie_sagas SET attempts = attempts + 1, detail = $3, updated_at = $4 WHERE id = $1 AND revision = $2",
        &[&id, &revision, &error, &now],
    )?;
    if changed == 1 {
        // While it turns back, the error is that of the step being undone.
        tx.execute(
            "UPDATE partie_saga_history SET detail = $2, updated_at = $3
             WHERE saga = $1 AND (step, iteration) = (
                 SELECT step, iteration FROM partie_sagas WHERE id = $1 AND entered_at IS NULL)",
            &[&id, &error, &now],
        )?;
    }
    Ok(())
}

/// How often the saga has entered a step and left it.
pub(super) fn times(tx: &mut Tx, saga: Uuid, step: &str) -> Result<u32, Error> {
    let sql = "SELECT COUNT(*) FROM partie_saga_history WHERE saga = $1 AND step = $2";
    tx.query_one(sql, &[&saga, &step], |row| row.get(0))
}

/// Records what came of the step the saga is at.
pub(super) fn leave(tx: &mut Tx, saga: &mut Row, state: EntryState) -> Result<(), Error> {
    let Some(entered_at) = saga.entered_at.take() else { return Ok(()) };
    let (now, detail) = (tx.now(), saga.detail.take());
    tx.execute(
        "INSERT INTO partie_saga_history (saga, entry, step, iteration, state, entered_at, updated_at, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[&saga.id, &saga.revision, &saga.step, &saga.iteration, &state, &entered_at, &now, &detail],
    )?;
    Ok(())
}

/// Records that a step is undone.
pub(super) fn undone(tx: &mut Tx, saga: &Row) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        "UPDATE partie_saga_history SET state = $4, updated_at = $5 WHERE saga = $1 AND step = $2 AND iteration = $3",
        &[&saga.id, &saga.step, &saga.iteration, &EntryState::Undone, &now],
    )?;
    Ok(())
}

/// What may have happened and is not undone, latest first.
pub(super) fn to_undo(tx: &mut Tx, saga: Uuid) -> Result<Vec<Entry>, Error> {
    tx.query(
        "SELECT step, iteration FROM partie_saga_history
         WHERE saga = $1 AND state IN ('done', 'unknown') ORDER BY entry DESC",
        &[&saga],
        |row| Ok(Entry { step: row.get(0)?, iteration: row.get(1)? }),
    )
}

/// The oldest message that concerns a saga at that step.
pub(super) fn signal(tx: &mut Tx, saga: Uuid, step: &str) -> Result<Option<Signal>, Error> {
    tx.query_opt(
        "SELECT position, step, body FROM partie_saga_signals
         WHERE saga = $1 AND (step IS NULL OR step = $2) ORDER BY position LIMIT 1",
        &[&saga, &step],
        |row| Ok(Signal { position: row.get(0)?, step: row.get(1)?, body: row.get(2)? }),
    )
}

pub(super) fn forget_signal(tx: &mut Tx, position: i64) -> Result<(), Error> {
    tx.execute("DELETE FROM partie_saga_signals WHERE position = $1", &[&position])?;
    Ok(())
}

pub(super) fn forget_signals(tx: &mut Tx, saga: Uuid) -> Result<(), Error> {
    tx.execute("DELETE FROM partie_saga_signals WHERE saga = $1", &[&saga])?;
    Ok(())
}

/// Sagas that have something to do without anybody telling them.
pub(super) fn unfinished(tx: &mut Tx) -> Result<Vec<Uuid>, Error> {
    tx.query(
        "SELECT id FROM partie_sagas WHERE phase NOT IN ('done', 'failed') AND (phase <> 'waiting' OR parked IS NOT NULL)
         UNION SELECT saga FROM partie_saga_signals",
        &[],
        |row| row.get(0),
    )
}

/// A saga that stands still until somebody helps.
pub(super) fn parked(tx: &mut Tx) -> Result<Vec<super::ParkedSaga>, Error> {
    tx.query(
        "SELECT id, kind, step, attempts, parked, updated_at FROM partie_sagas
         WHERE parked IS NOT NULL ORDER BY updated_at, id",
        &[],
        |row| {
            Ok(super::ParkedSaga {
                id: row.get(0)?,
                kind: row.get(1)?,
                step: row.get(2)?,
                attempts: row.get(3)?,
                reason: row.get(4)?,
                since: row.get(5)?,
            })
        },
    )
}

/// Has a parked saga go on from where it stands, and says whether it was one.
pub(super) fn release(tx: &mut Tx, id: Uuid) -> Result<bool, Error> {
    let sql = "UPDATE partie_sagas SET parked = NULL, attempts = 0 WHERE id = $1 AND parked IS NOT NULL";
    Ok(tx.execute(sql, &[&id])? == 1)
}

/// Removes some sagas that ended long ago, with their history, and tombstones of commands that came too late or never:
/// whoever sent those has given up long ago. Says how many.
///
/// What was carried out stays on record: the saga that asked for it, however long it takes, may still want it undone.
pub(super) fn prune(tx: &mut Tx, keep: Duration, limit: i64) -> Result<usize, Error> {
    let before = tx.now() - keep;
    tx.execute(
        "DELETE FROM partie_saga_history WHERE saga IN (
             SELECT id FROM partie_sagas WHERE phase IN ('done', 'failed') AND updated_at < $1
             ORDER BY updated_at LIMIT $2)",
        &[&before, &limit],
    )?;
    let sagas = tx.execute(
        "DELETE FROM partie_sagas WHERE id IN (
             SELECT id FROM partie_sagas WHERE phase IN ('done', 'failed') AND updated_at < $1
             ORDER BY updated_at LIMIT $2)",
        &[&before, &limit],
    )?;
    let commands = tx.execute(
        "DELETE FROM partie_commands WHERE id IN (
             SELECT id FROM partie_commands WHERE state = 'compensated' AND updated_at < $1
             ORDER BY updated_at LIMIT $2)",
        &[&before, &limit],
    )?;
    Ok(sagas.max(commands))
}
