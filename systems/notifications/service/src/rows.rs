//! The table of notifications: SQL and its conversion, nothing here decides.

pub(crate) mod webhooks;

use notifications_contracts::{Notification, NotificationId, NotificationStatus, Words};
use partie::store::{Error, Json, Row, Tx};

use crate::notification::Record;
use crate::queue::New;

/// The columns in the order `record` takes them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, channel, recipient, template, text, status, attempts, round, last_error, created_at, \
             sent_at, version, subject, said, send_until, expired_at FROM notifications ",
            $rest
        )
    };
}

/// Which notifications to list, newest first.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) recipient: Option<String>,
    pub(crate) status: Option<NotificationStatus>,
    pub(crate) before: NotificationId,
    pub(crate) most: usize,
}

pub(crate) fn find(tx: &mut Tx, id: NotificationId) -> Result<Option<Record>, Error> {
    tx.query_opt(select!("WHERE id = $1"), &[&id], record)
}

/// What was told before, as far as it is the same.
pub(crate) fn told(tx: &mut Tx, new: &New) -> Result<Option<Record>, Error> {
    tx.query_opt(
        select!("WHERE recipient = $1 AND template = $2 AND dedupe_key = $3"),
        &[&new.recipient, &new.template, &new.dedupe_key],
        record,
    )
}

pub(crate) fn list(tx: &mut Tx, wanted: &Wanted) -> Result<Vec<Notification>, Error> {
    let Wanted { recipient, status, before, most } = wanted;
    let view = |row: &Row<'_>| Ok(record(row)?.notification);
    // One statement for each index, so that every page is one walk along it.
    match (recipient, status) {
        (Some(recipient), status) => tx.query(
            select!(
                "WHERE recipient = $1 AND id < $2 AND (status = $3 OR $3 IS NULL) ORDER BY id DESC LIMIT $4"
            ),
            &[recipient, before, status, most],
            view,
        ),
        (None, Some(status)) => tx.query(
            select!("WHERE status = $1 AND id < $2 ORDER BY id DESC LIMIT $3"),
            &[status, before, most],
            view,
        ),
        (None, None) => tx.query(select!("WHERE id < $1 ORDER BY id DESC LIMIT $2"), &[before, most], view),
    }
}

pub(crate) fn insert(tx: &mut Tx, record: &Record, dedupe_key: &str) -> Result<(), Error> {
    let Record { notification, round, said } = record;
    tx.execute(
        "INSERT INTO notifications (id, channel, recipient, template, dedupe_key, text, status, attempts, round, \
         last_error, created_at, sent_at, version, subject, said, send_until, expired_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        &[
            &notification.id,
            &notification.channel,
            &notification.recipient,
            &notification.template,
            &dedupe_key,
            &notification.text,
            &notification.status,
            &notification.attempts,
            round,
            &notification.last_error,
            &notification.created_at,
            &notification.sent_at,
            &notification.version,
            &notification.subject,
            &said.as_ref().map(Json),
            &notification.until,
            &notification.expired_at,
        ],
    )?;
    Ok(())
}

/// Writes what can change.
pub(crate) fn update(tx: &mut Tx, changed: &Record) -> Result<(), Error> {
    let Record { notification, round, said } = changed;
    tx.execute(
        "UPDATE notifications SET status = $2, attempts = $3, round = $4, last_error = $5, sent_at = $6, \
         version = $7, said = $8, expired_at = $9 WHERE id = $1",
        &[
            &notification.id,
            &notification.status,
            &notification.attempts,
            round,
            &notification.last_error,
            &notification.sent_at,
            &notification.version,
            &said.as_ref().map(Json),
            &notification.expired_at,
        ],
    )?;
    Ok(())
}

fn record(row: &Row<'_>) -> Result<Record, Error> {
    let notification = Notification {
        id: row.get(0)?,
        channel: row.get(1)?,
        recipient: row.get(2)?,
        template: row.get(3)?,
        subject: row.get(12)?,
        text: row.get(4)?,
        status: row.get(5)?,
        attempts: row.get(6)?,
        last_error: row.get(8)?,
        created_at: row.get(9)?,
        sent_at: row.get(10)?,
        until: row.get(14)?,
        expired_at: row.get(15)?,
        version: row.get(11)?,
    };
    let said: Option<Json<Words>> = row.get(13)?;
    Ok(Record { notification, round: row.get(7)?, said: said.map(|Json(said)| said) })
}
