//! The outbox: events as rows, written in the transaction of the state they tell of.

use std::time::Duration;

use partie_contract::{CloudEvent, Event, Id, Timestamp};
use partie_store::{Error, Json, Row, Tx};
use uuid::Uuid;

use crate::broker::Message;
use crate::cause::Cause;
use crate::ids::RawId;
use crate::wake::Hub;

/// Publishing events. Implemented by the transaction.
///
/// ```
/// # use partie_contract::{Abort, Event};
/// # use partie_messaging::Publish;
/// # use partie_store::Tx;
/// fn placed<E: Event>(tx: &mut Tx, order_placed: &E) -> Result<(), Abort> {
///     tx.publish(order_placed)?;
///     Ok(())
/// }
/// ```
pub trait Publish {
    /// Writes an event into the outbox. It is sent once the transaction has committed, and only then; it is delivered
    /// at least once, and to each group in the order of the subject's commits.
    ///
    /// # Errors
    /// As [`Tx::execute`]; the transaction then cannot commit as intended, so pass it on.
    fn publish<E: Event>(&mut self, event: &E) -> Result<Published, Error>;
}

/// What an event became by being published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its id, the same however often it is sent.
    pub id: Uuid,
    /// Which of the subject's events it is, from 1, without gaps.
    pub sequence: i64,
    /// Its time: the transaction's, but not before that of its cause.
    pub time: Timestamp,
}

impl Publish for Tx {
    fn publish<E: Event>(&mut self, event: &E) -> Result<Published, Error> {
        let (id, time, subject) = (self.new_id::<RawId>().as_uuid(), self.now(), event.subject());
        // Two statements: SQLite makes a table for what `RETURNING` gives back.
        let last =
            self.query_opt("SELECT last FROM partie_sequences WHERE subject = $1", &[&subject], |row| {
                row.get::<i64>(0)
            })?;
        let sequence = last.unwrap_or(0) + 1;
        self.execute(
            "INSERT INTO partie_sequences (subject, last) VALUES ($1, $2)
             ON CONFLICT (subject) DO UPDATE SET last = excluded.last",
            &[&subject, &sequence],
        )?;
        let cause = Cause::of(self);
        let envelope = CloudEvent {
            specversion: "1.0".to_owned(),
            id,
            source: self.store_name().to_owned(),
            type_name: E::TYPE.to_owned(),
            dataversion: E::VERSION,
            subject: subject.clone(),
            time,
            sequence,
            correlationid: cause.correlation.clone(),
            causationid: cause.causation.clone(),
            traceparent: cause.trace.clone(),
            data: event,
        };
        self.execute(
            "INSERT INTO partie_outbox (id, type, subject, body) VALUES ($1, $2, $3, $4)",
            &[&id, &E::TYPE, &subject, &Json(&envelope)],
        )?;
        Hub::ring_after_commit(self, |hub| &hub.relay);
        Ok(Published { id, sequence, time })
    }
}

/// A row on its way to the broker.
pub(crate) struct Unsent {
    pub(crate) position: i64,
    /// Wall clock, in seconds.
    pub(crate) queued_at: i64,
    pub(crate) message: Message,
}

/// The oldest unsent rows after a position.
pub(crate) fn unsent(tx: &mut Tx, after: i64, limit: usize) -> Result<Vec<Unsent>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let source = tx.store_name().to_owned();
    tx.query(
        "SELECT position, queued_at, id, type, subject, body FROM partie_outbox
         WHERE sent_at IS NULL AND position > $1 ORDER BY position LIMIT $2",
        &[&after, &limit],
        |row| read(row, &source),
    )
}

/// The oldest unsent rows of a subject, up to a position.
pub(crate) fn unsent_of(tx: &mut Tx, subject: &str, to: i64, limit: usize) -> Result<Vec<Unsent>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let source = tx.store_name().to_owned();
    tx.query(
        "SELECT position, queued_at, id, type, subject, body FROM partie_outbox
         WHERE sent_at IS NULL AND position <= $1 AND subject = $2 ORDER BY position LIMIT $3",
        &[&to, &subject, &limit],
        |row| read(row, &source),
    )
}

fn read(row: &Row<'_>, source: &str) -> Result<Unsent, Error> {
    let message = Message {
        id: row.get(2)?,
        type_name: row.get(3)?,
        key: format!("{source}/{}", row.get::<String>(4)?).into(),
        body: row.get(5)?,
    };
    Ok(Unsent { position: row.get(0)?, queued_at: row.get(1)?, message })
}

/// Marks rows the broker has on disk. The positions are in ascending order; runs of them are one statement each.
pub(crate) fn mark_sent(tx: &mut Tx, positions: &[i64]) -> Result<(), Error> {
    let now = tx.now();
    for run in positions.chunk_by(|a, b| a + 1 == *b) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        tx.execute(
            "UPDATE partie_outbox SET sent_at = $1 WHERE position BETWEEN $2 AND $3",
            &[&now, first, last],
        )?;
    }
    Ok(())
}

/// Removes some rows that were sent long ago, and says how many.
pub(crate) fn prune(tx: &mut Tx, keep: Duration, limit: i64) -> Result<usize, Error> {
    let before = tx.now() - keep;
    tx.execute(
        "DELETE FROM partie_outbox WHERE position IN (
             SELECT position FROM partie_outbox WHERE sent_at IS NOT NULL AND sent_at < $1 ORDER BY position LIMIT $2)",
        &[&before, &limit],
    )
}
