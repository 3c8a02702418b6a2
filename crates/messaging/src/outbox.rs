//! The outbox: events as rows, written in the transaction of the state they tell of.

use std::sync::Arc;

use partie_contract::{CloudEvent, Event, Id, Timestamp};
use partie_store::{Error, Horizon, Json, Row, Tx};
use uuid::Uuid;

use crate::broker::Message;
use crate::cause::Cause;
use crate::ids::RawId;
use crate::wake::{Hub, Topic};

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
            epoch: self.epoch(),
            correlationid: cause.correlation.clone(),
            causationid: cause.causation.clone(),
            traceparent: cause.trace.clone(),
            data: event,
        };
        self.execute(
            "INSERT INTO partie_outbox (id, type, subject, body) VALUES ($1, $2, $3, $4)",
            &[&id, &E::TYPE, &subject, &Json(&envelope)],
        )?;
        Hub::ring_after_commit(self, Topic::Relay);
        Ok(Published { id, sequence, time })
    }
}

/// A row on its way to the broker.
pub(crate) struct Unsent {
    pub(crate) position: i64,
    pub(crate) subject: Arc<str>,
    /// Wall clock, in seconds.
    pub(crate) queued_at: i64,
    pub(crate) message: Message,
}

// === impl Unsent ===

impl Unsent {
    /// Its subject and position.
    pub(crate) fn place(&self) -> (Arc<str>, i64) {
        (Arc::clone(&self.subject), self.position)
    }
}

/// How far the relay is, and in which epoch of the broker.
pub(crate) fn sent_to(tx: &mut Tx) -> Result<(i64, i64), Error> {
    tx.query_one("SELECT sent_to, broker_epoch FROM partie_relay", &[], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Notes that the broker is in another epoch: it may lack what it had on disk before, so everything that is still there is
/// sent once more.
pub(crate) fn send_again(tx: &mut Tx, epoch: i64) -> Result<(), Error> {
    tx.execute("UPDATE partie_relay SET sent_to = 0, broker_epoch = $1", &[&epoch])?;
    Ok(())
}

/// The subjects that were refused, each with the time its oldest event was queued.
pub(crate) fn waiting(tx: &mut Tx) -> Result<Vec<(Arc<str>, i64)>, Error> {
    tx.query(
        "SELECT r.subject, MIN(o.queued_at) FROM partie_refused r JOIN partie_outbox o ON o.position = r.position
         GROUP BY r.subject",
        &[],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// When the oldest event that has not left was queued; wall clock, in seconds.
pub(crate) fn oldest(tx: &mut Tx) -> Result<Option<i64>, Error> {
    tx.query_one(
        "SELECT MIN(queued_at) FROM partie_outbox
         WHERE position > (SELECT sent_to FROM partie_relay) OR position IN (SELECT position FROM partie_refused)",
        &[],
        |row| row.get(0),
    )
}

/// The oldest rows after a position, as far as no other can appear among them any more; and whether there are others
/// that are not settled yet.
pub(crate) fn after(
    tx: &mut Tx,
    horizon: &Horizon,
    after: i64,
    limit: usize,
) -> Result<(Vec<Unsent>, bool), Error> {
    let source = tx.store_name().to_owned();
    // `publish` writes the sequence before the event, as the horizon asks for.
    let settled = horizon.settled(tx, |tx| {
        tx.query_one("SELECT COALESCE(MAX(position), 0) FROM partie_outbox", &[], |row| row.get(0))
    })?;
    let rows = tx.query(
        "SELECT position, queued_at, id, type, subject, body FROM partie_outbox
         WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3",
        &[&after, &settled.to, &limit],
        |row| read(row, &source),
    )?;
    Ok((rows, settled.is_more))
}

/// The oldest rows of a subject that was refused.
pub(crate) fn refused(tx: &mut Tx, subject: &str, limit: usize) -> Result<Vec<Unsent>, Error> {
    let source = tx.store_name().to_owned();
    tx.query(
        "SELECT o.position, o.queued_at, o.id, o.type, o.subject, o.body
         FROM partie_refused r JOIN partie_outbox o ON o.position = r.position
         WHERE r.subject = $1 ORDER BY r.position LIMIT $2",
        &[&subject, &limit],
        |row| read(row, &source),
    )
}

fn read(row: &Row<'_>, source: &str) -> Result<Unsent, Error> {
    let subject: Arc<str> = row.get(4)?;
    let message = Message {
        id: row.get(2)?,
        type_name: row.get(3)?,
        key: format!("{source}/{subject}").into(),
        body: row.get(5)?,
    };
    Ok(Unsent { position: row.get(0)?, subject, queued_at: row.get(1)?, message })
}

/// Notes that the broker has everything up to a position on disk, except for some rows.
pub(crate) fn note_sent(tx: &mut Tx, to: i64, except: &[(Arc<str>, i64)]) -> Result<(), Error> {
    tx.execute("UPDATE partie_relay SET sent_to = $1", &[&to])?;
    for (subject, position) in except {
        tx.execute(
            "INSERT INTO partie_refused (subject, position) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            &[subject, position],
        )?;
    }
    Ok(())
}

/// Notes that the broker has on disk what it had refused.
pub(crate) fn note_taken(tx: &mut Tx, taken: &[(Arc<str>, i64)]) -> Result<(), Error> {
    for (subject, position) in taken {
        let sql = "DELETE FROM partie_refused WHERE subject = $1 AND position = $2";
        tx.execute(sql, &[subject, position])?;
    }
    Ok(())
}

/// Removes rows that were sent and are that old, by the wall clock in seconds, and says how many. It looks at so many of
/// the oldest.
pub(crate) fn prune(tx: &mut Tx, before: i64, limit: i64) -> Result<usize, Error> {
    tx.execute(
        "DELETE FROM partie_outbox WHERE position IN (
             SELECT position FROM partie_outbox WHERE position NOT IN (SELECT position FROM partie_refused)
             ORDER BY position LIMIT $2)
         AND queued_at < $1 AND position < (SELECT sent_to FROM partie_relay)",
        &[&before, &limit],
    )
}
