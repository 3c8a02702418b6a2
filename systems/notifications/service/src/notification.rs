//! A notification: what it is, and what may happen to it.

use notifications_contracts::{
    Notification, NotificationError, NotificationId, NotificationStatus as Status, Words,
};
use partie::contract::Timestamp;

use crate::provider::Message;
use crate::queue::New;

/// What is said of an attempt whose process died, or that took too long.
pub(crate) const NO_RESULT: &str = "nobody knows the result of the last attempt";

/// What is said of one whose time was over.
const EXPIRED: &str = "it was not sent in time";

/// A notification as this service knows it: what others see, and which round it is in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) notification: Notification,
    /// How often it was put back in the queue.
    pub(crate) round: u32,
    /// What the recipient reads, where that is more than what is shown. Forgotten when it is sent.
    pub(crate) said: Option<Words>,
}

// === impl Record ===

impl Record {
    pub(crate) fn new(id: NotificationId, new: New, now: Timestamp) -> Self {
        let notification = Notification {
            id,
            channel: new.channel,
            recipient: new.recipient,
            template: new.template.to_owned(),
            subject: new.shown.subject,
            text: new.shown.text,
            status: Status::Queued,
            attempts: 0,
            last_error: None,
            created_at: now,
            sent_at: None,
            until: new.until,
            expired_at: None,
            version: 1,
        };
        Self { notification, round: 0, said: new.said }
    }

    /// Whether it waits for an attempt of that round. One that is being sent does too: whoever tried it before has
    /// left no result.
    pub(crate) fn is_due(&self, round: u32) -> bool {
        let status = self.notification.status;
        self.round == round && matches!(status, Status::Queued | Status::Sending | Status::Retrying)
    }

    /// Whether it is not worth sending any more.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.notification.until.is_some_and(|until| now >= until)
    }

    /// Whether an attempt is under way.
    pub(crate) fn is_sending(&self) -> bool {
        self.notification.status == Status::Sending
    }

    /// An attempt begins.
    pub(crate) fn begin(&mut self) -> Message {
        if self.is_sending() {
            self.notification.last_error = Some(NO_RESULT.to_owned());
        }
        self.notification.attempts += 1;
        self.turn(Status::Sending);
        let Notification { id, channel, recipient, subject, text, created_at, .. } =
            self.notification.clone();
        let shown = || Words { subject, text, html: None };
        let Words { subject, text, html } = self.said.clone().unwrap_or_else(shown);
        Message { id, channel, recipient, subject, text, html, created_at }
    }

    /// The recipient does not want it.
    pub(crate) fn suppress(&mut self) {
        self.notification.status = Status::Suppressed;
        self.said = None;
    }

    /// The provider took it.
    pub(crate) fn sent(&mut self, now: Timestamp) {
        self.notification.last_error = None;
        self.notification.sent_at = Some(now);
        self.said = None;
        self.turn(Status::Sent);
    }

    /// The attempt failed. After the last one it is dead.
    pub(crate) fn failed(&mut self, reason: String, is_last: bool) {
        self.notification.last_error = Some(reason);
        self.turn(if is_last { Status::Dead } else { Status::Retrying });
    }

    /// Nobody is helped by it any more.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        self.notification.expired_at = Some(now);
        self.notification.last_error.get_or_insert_with(|| EXPIRED.to_owned());
        self.said = None;
        self.turn(Status::Dead);
    }

    /// An administrator wants it tried again.
    pub(crate) fn requeue(&mut self) -> Result<(), NotificationError> {
        if self.notification.status != Status::Dead || self.notification.expired_at.is_some() {
            let current_state = self.notification.status;
            return Err(NotificationError::InvalidTransition { current_state, allowed: vec![] });
        }
        self.round += 1;
        self.turn(Status::Queued);
        Ok(())
    }

    fn turn(&mut self, status: Status) {
        self.notification.status = status;
        self.notification.version += 1;
    }
}

#[cfg(test)]
mod tests {
    use notifications_contracts::Channel;
    use partie::contract::Id;

    use super::*;

    fn queued() -> Record {
        let new = New {
            channel: Channel::Sms,
            recipient: "+4930123456".to_owned(),
            template: "message",
            shown: Words { subject: None, text: "***".to_owned(), html: None },
            said: Some(Words { subject: None, text: "soup".to_owned(), html: None }),
            dedupe_key: "one".to_owned(),
            until: Some(Timestamp::from_millis(1_000)),
        };
        let id = Id::from_uuid("01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a".parse().unwrap());
        Record::new(id, new, Timestamp::EPOCH)
    }

    /// Status, attempts, last error, version.
    fn look(record: &Record) -> (Status, u32, Option<&str>, i64) {
        let Notification { status, attempts, last_error, version, .. } = &record.notification;
        (*status, *attempts, last_error.as_deref(), *version)
    }

    #[test]
    fn a_notification_is_retried_until_it_is_sent() {
        let mut record = queued();
        assert_eq!(look(&record), (Status::Queued, 0, None, 1));
        let message = record.begin();
        assert_eq!((message.recipient.as_str(), message.text.as_str()), ("+4930123456", "soup"));
        assert_eq!(look(&record), (Status::Sending, 1, None, 2));
        record.failed("busy".to_owned(), false);
        assert_eq!(look(&record), (Status::Retrying, 1, Some("busy"), 3));
        assert!(record.is_due(0));
        record.begin();
        record.sent(Timestamp::from_millis(5));
        assert_eq!(look(&record), (Status::Sent, 2, None, 5));
        assert_eq!(record.notification.sent_at, Some(Timestamp::from_millis(5)));
        assert!(!record.is_due(0));
        // What only the recipient reads is forgotten.
        assert_eq!((record.said, record.notification.text.as_str()), (None, "***"));
    }

    #[test]
    fn an_attempt_without_a_result_is_followed_by_another_one() {
        let mut record = queued();
        record.begin();
        assert!(record.is_due(0));
        record.begin();
        assert_eq!(look(&record), (Status::Sending, 2, Some(NO_RESULT), 3));
        record.failed(NO_RESULT.to_owned(), true);
        assert_eq!(look(&record), (Status::Dead, 2, Some(NO_RESULT), 4));
    }

    #[test]
    fn one_that_was_not_sent_in_time_is_forgotten() {
        let mut record = queued();
        let at = Timestamp::from_millis;
        assert_eq!((record.is_over(at(999)), record.is_over(at(1_000))), (false, true));
        record.expire(at(1_001));
        assert_eq!(look(&record), (Status::Dead, 0, Some(EXPIRED), 2));
        assert_eq!((record.notification.expired_at, record.said.as_ref()), (Some(at(1_001)), None));
        assert!(!record.is_due(0) && record.requeue().is_err());
    }

    #[test]
    fn only_a_dead_one_is_put_back_and_earlier_jobs_leave_it_alone() {
        let mut record = queued();
        let refused =
            |current_state| Err(NotificationError::InvalidTransition { current_state, allowed: vec![] });
        assert_eq!(record.requeue(), refused(Status::Queued));
        record.begin();
        assert_eq!(record.requeue(), refused(Status::Sending));
        record.failed("no such number".to_owned(), true);
        assert!(!record.is_due(0));
        record.requeue().unwrap();
        assert_eq!(look(&record), (Status::Queued, 1, Some("no such number"), 4));
        assert_eq!((record.is_due(0), record.is_due(1)), (false, true));
    }
}
