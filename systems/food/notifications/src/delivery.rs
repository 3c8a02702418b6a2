//! The way out: the job that hands a notification to the provider.

use food_contracts::NotificationId;
use food_contracts::notifications::{Notification, NotificationDead, NotificationFailed, NotificationSent};
use partie::contract::{Abort, Call};
use partie::messaging::{AfterCrash, Ended, Job, JobError, Publish as _};
use partie::store::{Error, Tx};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::desk::NotificationDesk;
use crate::notification::{NO_RESULT, Record};
use crate::provider::{Message, Provider, ProviderError};
use crate::rows;

/// Delivers a notification, in as many attempts as it takes or as there are.
///
/// The notification is the record of how that goes, and it is the dead letter, so a job whose provider said no is done.
/// What is left to the platform's dead letters are the service's own failures.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Deliver {
    pub(crate) notification: NotificationId,
    /// Which time it is put in the queue.
    pub(crate) round: u32,
}

impl Job for Deliver {
    const KIND: &'static str = "deliver-notification";
    // Told twice is better than never. It happens only when the process dies between the provider's acceptance and our
    // commit, and a provider that keeps the ids it was given, drops the second one.
    const AFTER_CRASH: AfterCrash = AfterCrash::Retry;
}

/// What the provider said.
#[derive(Debug)]
pub(crate) enum Reply {
    Taken,
    /// No, and there will be no other attempt.
    Refused(String),
}

impl<P: Provider> NotificationDesk<P> {
    /// An attempt begins, if there is anything left to do.
    pub(crate) fn begin(&self, tx: &mut Tx, job: &Deliver, attempt: u32) -> Result<Option<Message>, Abort> {
        let found = rows::find(tx, job.notification)?.filter(|record| record.is_due(job.round));
        let Some(mut record) = found else { return Ok(None) };
        let message = if attempt > self.attempts {
            let reason = record.notification.last_error.clone();
            failed(tx, &mut record, reason.as_deref().unwrap_or(NO_RESULT), true)?;
            None
        } else {
            Some(record.begin())
        };
        rows::update(tx, &record)?;
        Ok(message)
    }

    /// One attempt.
    pub(crate) async fn deliver(&self, cx: &Call, message: &Message) -> Result<Reply, JobError> {
        match self.provider.deliver(message).await {
            Ok(()) => Ok(Reply::Taken),
            Err(ProviderError::Transient(reason)) if cx.attempt() < self.attempts => {
                Err(JobError::retry(reason))
            }
            Err(error) => Ok(Reply::Refused(error.to_string())),
        }
    }

    /// An attempt has ended.
    pub(crate) fn record(&self, tx: &mut Tx, job: &Deliver, ended: &Ended<Reply>) -> Result<(), Abort> {
        let Some(mut record) = rows::find(tx, job.notification)?.filter(Record::is_sending) else {
            return Ok(());
        };
        match ended {
            Ended::Done(Reply::Taken) => sent(tx, &mut record)?,
            Ended::Again(reason) => failed(tx, &mut record, reason, false)?,
            Ended::Done(Reply::Refused(reason)) | Ended::Dead(reason) => {
                failed(tx, &mut record, reason, true)?;
            }
        }
        rows::update(tx, &record)?;
        Ok(())
    }
}

fn sent(tx: &mut Tx, record: &mut Record) -> Result<(), Error> {
    record.sent(tx.now());
    tx.publish(&NotificationSent { notification_id: record.notification.id })?;
    Ok(())
}

fn failed(tx: &mut Tx, record: &mut Record, reason: &str, is_last: bool) -> Result<(), Error> {
    record.failed(reason.to_owned(), is_last);
    let Notification { id: notification_id, attempts, .. } = record.notification;
    if is_last {
        tx.publish(&NotificationDead { notification_id })?;
        let reason = reason.to_owned();
        tx.after_commit(move || warn!(id = %notification_id, attempts, reason, "a notification is dead"));
    } else {
        tx.publish(&NotificationFailed { notification_id })?;
    }
    Ok(())
}
