//! The table of jobs.

use std::sync::Arc;
use std::time::Duration;

use partie_store::{Error, Json, Row, Tx};

use super::{DeadJob, Job};
use crate::cause::Cause;
use crate::ids::JobId;
use crate::wake::{Hub, Topic};

/// A job that somebody works on.
#[derive(Clone)]
pub(super) struct Task {
    pub(super) id: JobId,
    pub(super) kind: Arc<str>,
    pub(super) data: Arc<str>,
    pub(super) cause: Arc<Cause>,
    /// How many have begun.
    pub(super) attempts: u32,
}

// === impl Task ===

impl Task {
    /// Puts a transaction under this job: what it publishes continues the job's story.
    pub(super) fn govern(&self, tx: &mut Tx) {
        tx.set_local(Arc::new(self.cause.through(self.id)));
    }
}

pub(super) fn insert<J: Job>(tx: &mut Tx, job: &J) -> Result<JobId, Error> {
    let (id, now, cause) = (tx.new_id::<JobId>(), tx.now(), Cause::of(tx));
    tx.execute(
        "INSERT INTO partie_jobs (id, kind, data, cause, state, enqueued_at) VALUES ($1, $2, $3, $4, 'queued', $5)",
        &[&id, &J::KIND, &Json(job), &cause.to_column(), &now],
    )?;
    Hub::ring_after_commit(tx, Topic::Jobs);
    Ok(id)
}

/// What an earlier process left: jobs that failed and are still tried, and jobs nobody knows the outcome of.
pub(super) fn left_over(tx: &mut Tx) -> Result<Vec<(Task, bool)>, Error> {
    tx.query(
        "SELECT id, kind, data, cause, attempts, state = 'running' FROM partie_jobs
         WHERE state IN ('queued', 'running') AND attempts > 0 ORDER BY id",
        &[],
        |row| Ok((read(row)?, row.get(5)?)),
    )
}

/// Records the first attempt of jobs that are waiting for it, oldest first, before it is made.
pub(super) fn claim_fresh(tx: &mut Tx, limit: usize) -> Result<Vec<Task>, Error> {
    let mut tasks = tx.query(
        "UPDATE partie_jobs SET state = 'running', attempts = 1 WHERE id IN (
             SELECT id FROM partie_jobs WHERE state = 'queued' AND attempts = 0
             ORDER BY id LIMIT $1)
         RETURNING id, kind, data, cause, attempts",
        &[&limit],
        read,
    )?;
    tasks.sort_by_key(|task| task.id);
    Ok(tasks)
}

/// Records the next attempt of a job before it is made.
pub(super) fn claim(tx: &mut Tx, id: JobId) -> Result<Option<Task>, Error> {
    tx.query_opt(
        "UPDATE partie_jobs SET state = 'running', attempts = attempts + 1
         WHERE id = $1 AND state IN ('queued', 'running') RETURNING id, kind, data, cause, attempts",
        &[&id],
        read,
    )
}

/// Records that the effect happened.
pub(super) fn note_done(tx: &mut Tx, id: JobId) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        "UPDATE partie_jobs SET state = 'done', error = NULL, finished_at = $2 WHERE id = $1",
        &[&id, &now],
    )?;
    Ok(())
}

/// Records that it did not, and that there will be another attempt.
pub(super) fn note_failed(tx: &mut Tx, id: JobId, error: &str) -> Result<(), Error> {
    tx.execute("UPDATE partie_jobs SET state = 'queued', error = $2 WHERE id = $1", &[&id, &error])?;
    Ok(())
}

/// Records that nobody knows, and that somebody will be asked.
pub(super) fn note_unknown(tx: &mut Tx, id: JobId, error: &str) -> Result<(), Error> {
    tx.execute("UPDATE partie_jobs SET error = $2 WHERE id = $1", &[&id, &error])?;
    Ok(())
}

/// Records that there will be no other attempt.
pub(super) fn note_dead(tx: &mut Tx, id: JobId, error: &str) -> Result<(), Error> {
    let now = tx.now();
    tx.execute(
        "UPDATE partie_jobs SET state = 'dead', error = $2, finished_at = $3 WHERE id = $1",
        &[&id, &error, &now],
    )?;
    Ok(())
}

/// The dead letters, oldest first.
pub(crate) fn dead(tx: &mut Tx) -> Result<Vec<DeadJob>, Error> {
    tx.query(
        "SELECT id, kind, data, attempts, error, enqueued_at, finished_at FROM partie_jobs
         WHERE state = 'dead' ORDER BY id",
        &[],
        |row| {
            Ok(DeadJob {
                id: row.get(0)?,
                kind: row.get(1)?,
                data: row.get(2)?,
                attempts: row.get(3)?,
                error: row.get::<Option<_>>(4)?.unwrap_or_default(),
                enqueued_at: row.get(5)?,
                since: row.get(6)?,
            })
        },
    )
}

/// Has a dead letter tried again, under the same id. Says whether it was one.
pub(crate) fn requeue(tx: &mut Tx, id: JobId) -> Result<bool, Error> {
    let changed = tx.execute(
        "UPDATE partie_jobs SET state = 'queued', attempts = 0, finished_at = NULL WHERE id = $1 AND state = 'dead'",
        &[&id],
    )?;
    Hub::ring_after_commit(tx, Topic::Jobs);
    Ok(changed == 1)
}

/// Forgets some jobs that were done long ago, and says how many.
pub(crate) fn prune(tx: &mut Tx, keep: Duration, limit: i64) -> Result<usize, Error> {
    let before = tx.now() - keep;
    tx.execute(
        "DELETE FROM partie_jobs WHERE id IN (
             SELECT id FROM partie_jobs WHERE state = 'done' AND finished_at < $1 ORDER BY finished_at LIMIT $2)",
        &[&before, &limit],
    )
}

fn read(row: &Row<'_>) -> Result<Task, Error> {
    Ok(Task {
        id: row.get(0)?,
        kind: row.get(1)?,
        data: row.get(2)?,
        cause: Cause::from_column(row, 3)?,
        attempts: row.get(4)?,
    })
}
