//! Durable timers: something to do at a moment of business time, kept in the service's store.

mod runner;

use std::sync::Arc;

use partie_contract::{Abort, Timestamp};
use partie_store::{Error, Json, Row, Tx};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cause::Cause;
use crate::ids::TimerId;
use crate::wake::Hub;

pub(crate) use runner::TimerRunner;

/// What is to be done later. Its data is small: ids, not objects.
///
/// ```
/// # use partie_contract::id;
/// # use partie_messaging::Timer;
/// # use serde::{Deserialize, Serialize};
/// # id! { pub struct OrderId; }
/// #[derive(Serialize, Deserialize)]
/// pub struct ExpireOrder(pub OrderId);
///
/// impl Timer for ExpireOrder {
///     const KIND: &'static str = "expire-order";
///     fn key(&self) -> String {
///         self.0.to_string()
///     }
/// }
/// ```
pub trait Timer: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name among the service's timers. It is stored: it never changes.
    const KIND: &'static str;

    /// What tells it from others of its kind. There is at most one timer of a kind and key.
    fn key(&self) -> String;
}

/// Setting timers. Implemented by the transaction: timers commit with the state, and a rollback sets none.
pub trait Schedule {
    /// Fires a timer at a moment of business time, or at once if that has passed; several in the order of their moments.
    /// An earlier timer of the same kind and key is replaced.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    fn at<T: Timer>(&mut self, when: Timestamp, timer: &T) -> Result<TimerId, Error>;

    /// Takes a timer back, and says whether it was still there: `tx.cancel::<ExpireOrder>(&order.id.to_string())`.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    fn cancel<T: Timer>(&mut self, key: &str) -> Result<bool, Error>;
}

impl Schedule for Tx {
    fn at<T: Timer>(&mut self, when: Timestamp, timer: &T) -> Result<TimerId, Error> {
        let (id, cause) = (self.new_id::<TimerId>(), Cause::of(self));
        self.execute(
            "INSERT INTO partie_timers (id, kind, key, due_at, data, cause) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (kind, key) DO UPDATE SET id = excluded.id, due_at = excluded.due_at, data = excluded.data,
                 cause = excluded.cause, attempts = 0, error = NULL, parked_at = NULL",
            &[&id, &T::KIND, &timer.key(), &when, &Json(timer), &cause.to_column()],
        )?;
        Hub::want_timer_after_commit(self, when);
        Ok(id)
    }

    fn cancel<T: Timer>(&mut self, key: &str) -> Result<bool, Error> {
        let deleted =
            self.execute("DELETE FROM partie_timers WHERE kind = $1 AND key = $2", &[&T::KIND, &key])?;
        Ok(deleted == 1)
    }
}

/// A timer that kept failing and is no longer tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedTimer {
    /// Its id.
    pub id: TimerId,
    /// Its kind.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// When it was due.
    pub due_at: Timestamp,
    /// How often it failed.
    pub attempts: u32,
    /// Why, the last time.
    pub error: String,
    /// Since when it is parked.
    pub since: Timestamp,
}

/// What a timer does, given its data. Runs in the transaction that deletes it.
pub(crate) type Fire = Arc<dyn Fn(&mut Tx, &str) -> Result<(), Abort> + Send + Sync>;

/// A timer whose time has come.
#[derive(Clone)]
pub(crate) struct Due {
    pub(crate) kind: Arc<str>,
    pub(crate) key: Arc<str>,
    /// Changes when the timer is set again.
    pub(crate) id: TimerId,
    pub(crate) attempts: u32,
}

/// The timers that are due and have not failed yet, in order, and when the next one after now is.
pub(crate) fn due(tx: &mut Tx, limit: usize) -> Result<(Vec<Due>, Option<Timestamp>), Error> {
    let now = tx.now();
    let due = tx.query(
        "SELECT kind, key, id, attempts FROM partie_timers WHERE attempts = 0 AND due_at <= $1 ORDER BY due_at, id LIMIT $2",
        &[&now, &limit],
        read,
    )?;
    let next = tx.query_one(
        "SELECT MIN(due_at) FROM partie_timers WHERE attempts = 0 AND due_at > $1",
        &[&now],
        |row| row.get(0),
    )?;
    Ok((due, next))
}

/// The timers that failed and are still tried.
pub(crate) fn failed(tx: &mut Tx) -> Result<Vec<Due>, Error> {
    tx.query(
        "SELECT kind, key, id, attempts FROM partie_timers WHERE attempts > 0 AND parked_at IS NULL ORDER BY due_at, id",
        &[],
        read,
    )
}

/// Takes a timer out and does what it is for. One that was replaced or cancelled meanwhile does nothing.
pub(crate) fn fire(tx: &mut Tx, due: &Due, fire: &Fire) -> Result<(), Abort> {
    let timer = tx.query_opt(
        "DELETE FROM partie_timers WHERE kind = $1 AND key = $2 AND id = $3 RETURNING data, cause, due_at",
        &[&due.kind, &due.key, &due.id],
        |row| Ok((row.get::<String>(0)?, Cause::from_column(row, 1)?, row.get(2)?)),
    )?;
    let Some((data, cause, due_at)) = timer else { return Ok(()) };
    Arc::new(cause.through(due.id)).govern(tx, due_at);
    fire(tx, &data)
}

/// Notes a failure. Says how many there are, unless the timer is gone.
pub(crate) fn note_failure(tx: &mut Tx, due: &Due, error: &str, park: bool) -> Result<Option<u32>, Error> {
    let now = tx.now();
    tx.query_opt(
        "UPDATE partie_timers SET attempts = attempts + 1, error = $4, parked_at = $5
         WHERE kind = $1 AND key = $2 AND id = $3 RETURNING attempts",
        &[&due.kind, &due.key, &due.id, &error, &park.then_some(now)],
        |row| row.get(0),
    )
}

/// The parked timers, oldest first.
pub(crate) fn parked(tx: &mut Tx) -> Result<Vec<ParkedTimer>, Error> {
    tx.query(
        "SELECT id, kind, key, due_at, attempts, error, parked_at FROM partie_timers
         WHERE attempts > 0 AND parked_at IS NOT NULL ORDER BY parked_at, id",
        &[],
        |row| {
            Ok(ParkedTimer {
                id: row.get(0)?,
                kind: row.get(1)?,
                key: row.get(2)?,
                due_at: row.get(3)?,
                attempts: row.get(4)?,
                error: row.get::<Option<_>>(5)?.unwrap_or_default(),
                since: row.get(6)?,
            })
        },
    )
}

/// Lets a parked timer fire again.
pub(crate) fn requeue(tx: &mut Tx, id: TimerId) -> Result<bool, Error> {
    let requeued = tx.query_opt(
        "UPDATE partie_timers SET attempts = 0, error = NULL, parked_at = NULL
         WHERE id = $1 AND attempts > 0 AND parked_at IS NOT NULL RETURNING due_at",
        &[&id],
        |row| row.get(0),
    )?;
    requeued.into_iter().for_each(|due| Hub::want_timer_after_commit(tx, due));
    Ok(requeued.is_some())
}

fn read(row: &Row<'_>) -> Result<Due, Error> {
    Ok(Due { kind: row.get(0)?, key: row.get(1)?, id: row.get(2)?, attempts: row.get(3)? })
}
