//! The way out: the job that hands a notification to whoever takes it to the recipient.

mod attempt;
mod later;

use notifications_contracts::{
    Channel, Notification, NotificationDead, NotificationFailed, NotificationId, NotificationSent,
};
use partie::contract::{Abort, Call};
use partie::messaging::{AfterCrash, Ended, Job, JobError, Publish as _};
use partie::store::{Error, Tx};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::desk::Desk;
use crate::notification::{NO_RESULT, Record};
use crate::provider::Provider;
use crate::rows;
use crate::rows::webhooks;
use crate::webhook::Failure;
use attempt::Attempt;

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
    /// No, and no attempt will change that.
    Refused(String),
    /// No again, and this was the last attempt of its round.
    Failed(String),
    /// The endpoint wants nothing any more.
    Gone,
}

impl<P: Provider> Desk<P> {
    /// An attempt begins, if there is anything left to do.
    pub(crate) fn begin(&self, tx: &mut Tx, job: &Deliver, attempt: u32) -> Result<Option<Attempt>, Abort> {
        let found = rows::find(tx, job.notification)?.filter(|record| record.is_due(job.round));
        let Some(mut record) = found else { return Ok(None) };
        let endpoint = match record.notification.channel {
            Channel::Webhook => webhooks::at(tx, &record.notification.recipient)?,
            Channel::Sms | Channel::Email => None,
        };
        let attempt = if record.is_over(tx.now()) {
            expired(tx, &mut record)?;
            None
        } else if attempt > self.attempts {
            let reason = record.notification.last_error.clone();
            self.failed_again(tx, &mut record, reason.as_deref().unwrap_or(NO_RESULT))?;
            None
        } else if let Some(reason) = Attempt::is_pointless(&record, endpoint.as_ref()) {
            failed(tx, &mut record, reason, true)?;
            None
        } else {
            Some(Attempt { message: record.begin(), endpoint })
        };
        rows::update(tx, &record)?;
        Ok(attempt)
    }

    /// One attempt.
    pub(crate) async fn deliver(&self, cx: &Call, attempt: &Attempt) -> Result<Reply, JobError> {
        match self.attempt(attempt).await {
            Ok(()) => Ok(Reply::Taken),
            Err(Failure::Transient(reason)) if cx.attempt() < self.attempts => Err(JobError::retry(reason)),
            Err(Failure::Transient(reason)) => Ok(Reply::Failed(reason.to_string())),
            Err(Failure::Permanent(reason)) => Ok(Reply::Refused(reason.to_string())),
            Err(Failure::Gone) => Ok(Reply::Gone),
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
            Ended::Done(Reply::Failed(reason)) => self.failed_again(tx, &mut record, reason)?,
            Ended::Done(Reply::Refused(reason)) | Ended::Dead(reason) => {
                failed(tx, &mut record, reason, true)?;
            }
            Ended::Done(Reply::Gone) => {
                disable(tx, &record.notification.recipient)?;
                failed(tx, &mut record, "the endpoint answered 410 Gone, and is disabled", true)?;
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

fn expired(tx: &mut Tx, record: &mut Record) -> Result<(), Error> {
    record.expire(tx.now());
    let Notification { id: notification_id, attempts, .. } = record.notification;
    tx.publish(&NotificationDead { notification_id })?;
    tx.after_commit(move || warn!(id = %notification_id, attempts, "a notification was not sent in time"));
    Ok(())
}

fn disable(tx: &mut Tx, url: &str) -> Result<(), Error> {
    if let Some(mut endpoint) = webhooks::at(tx, url)?.filter(|endpoint| endpoint.is_enabled()) {
        endpoint.disable(tx.now());
        webhooks::update(tx, &endpoint)?;
        tx.after_commit(move || warn!(id = %endpoint.id, "an endpoint of webhooks is gone, and disabled"));
    }
    Ok(())
}
