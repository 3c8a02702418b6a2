//! The way out: the job that hands a notification to the provider.

use std::time::Duration;

use food_contracts::NotificationId;
use food_contracts::notifications::{Notification, NotificationDead, NotificationFailed, NotificationSent};
use partie::contract::{Call, Outcome};
use partie::messaging::{AfterCrash, Job, JobError, Publish as _};
use partie::store::{Error, Tx};
use partie::{OutcomeExt as _, Platform};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::desk::NotificationDesk;
use crate::notification::{NO_RESULT, Record};
use crate::provider::{Message, Provider, ProviderError};
use crate::rows;

/// Between attempts to write, when the store is busy.
const WRITE_AGAIN: Duration = Duration::from_millis(100);

/// Delivers a notification, in as many attempts as it takes or as there are.
///
/// The notification is the record of how that goes, and it is the dead letter, so a job that was given up is done. What
/// is left to the platform's dead letters are the service's own failures.
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

impl<P: Provider> NotificationDesk<P> {
    /// One attempt.
    pub(crate) async fn deliver(&self, cx: &Call, job: &Deliver) -> Result<(), JobError> {
        let Some(message) = self.begin(job, cx.attempt()).await? else { return Ok(()) };
        match self.provider.deliver(&message).await {
            Ok(()) => self.record(message.id, sent).await,
            Err(error) => {
                let is_last = matches!(error, ProviderError::Permanent(_)) || cx.attempt() >= self.attempts;
                let reason = error.to_string();
                self.record(message.id, move |tx, record| failed(tx, record, &reason, is_last)).await?;
                if is_last { Ok(()) } else { Err(JobError::retry(error)) }
            }
        }
    }

    /// Records the attempt before it is made, and says what to deliver, if there is anything left to do.
    async fn begin(&self, job: &Deliver, attempt: u32) -> Result<Option<Message>, JobError> {
        let (id, round, attempts) = (job.notification, job.round, self.attempts);
        self.insist(id, move |tx| {
            let found = rows::find(tx, id)?.filter(|record| record.is_due(round));
            let Some(mut record) = found else { return Ok(None) };
            let message = if attempt > attempts && record.is_sending() {
                failed(tx, &mut record, NO_RESULT, true)?;
                None
            } else {
                Some(record.begin())
            };
            rows::update(tx, &record)?;
            Ok(message)
        })
        .await
    }

    /// Records the result of an attempt.
    async fn record(
        &self,
        id: NotificationId,
        result: impl Fn(&mut Tx, &mut Record) -> Result<(), Error> + Clone + Send + 'static,
    ) -> Result<(), JobError> {
        self.insist(id, move |tx| {
            if let Some(mut record) = rows::find(tx, id)?.filter(Record::is_sending) {
                result(tx, &mut record)?;
                rows::update(tx, &record)?;
            }
            Ok(())
        })
        .await
    }

    /// Writes, again and again while the store takes nothing: an attempt that is not on record is not made, and one
    /// whose result is not on record is made again. That ends with the time of the attempt.
    async fn insist<T: Send + 'static>(
        &self,
        id: NotificationId,
        write: impl Fn(&mut Tx) -> Result<T, Error> + Clone + Send + 'static,
    ) -> Result<T, JobError> {
        loop {
            let write = write.clone();
            let written: Outcome<T> = self.store.write(move |tx| Ok(write(tx)?)).await;
            let fault: Platform = match written.unexpected() {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            if !fault.kind().is_transient() {
                return Err(JobError::unknown(fault));
            }
            warn!(%id, error = %fault, "the state of a notification cannot be recorded");
            tokio::time::sleep(WRITE_AGAIN).await;
        }
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
