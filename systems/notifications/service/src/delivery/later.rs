//! What follows when all attempts of a round have failed: another round later, as long as somebody waits for it.

use std::time::Duration;

use notifications_contracts::{Channel, NotificationId};
use partie::contract::{Abort, Timestamp};
use partie::messaging::{Schedule as _, Timer};
use partie::store::{Error, Tx};
use serde::{Deserialize, Serialize};

use super::failed;
use crate::desk::Desk;
use crate::notification::Record;
use crate::provider::Provider;
use crate::{queue, rows};

/// The least and the longest pause between two rounds.
const PAUSE: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));

/// Another round of attempts begins.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TryAgain {
    notification: NotificationId,
    round: u32,
}

impl Timer for TryAgain {
    const KIND: &'static str = "try-notification-again";

    fn key(&self) -> String {
        self.notification.to_string()
    }
}

impl<P: Provider> Desk<P> {
    /// All attempts of a round have failed. Mail servers say no for minutes to strangers, and programs are repaired in hours;
    /// a text message is of no use by then.
    pub(super) fn failed_again(&self, tx: &mut Tx, record: &mut Record, reason: &str) -> Result<(), Error> {
        let patience = match record.notification.channel {
            Channel::Sms => Duration::ZERO,
            Channel::Email | Channel::Webhook => self.patience,
        };
        let Some(when) = next_round(record.notification.created_at, tx.now(), patience) else {
            return failed(tx, record, reason, true);
        };
        failed(tx, record, reason, false)?;
        record.round += 1;
        let timer = TryAgain { notification: record.notification.id, round: record.round };
        // Not later than it is over, which is noted then.
        tx.at(record.notification.until.map_or(when, |until| until.min(when)), &timer)?;
        Ok(())
    }

    /// Another round begins, unless somebody was quicker.
    pub(crate) fn try_again(&self, tx: &mut Tx, timer: &TryAgain) -> Result<(), Abort> {
        if let Some(record) = rows::find(tx, timer.notification)?.filter(|record| record.is_due(timer.round))
        {
            queue::enqueue(tx, &record)?;
        }
        Ok(())
    }
}

/// When the next round begins, if anybody waits that long: after as long as it has been tried already.
fn next_round(since: Timestamp, now: Timestamp, patience: Duration) -> Option<Timestamp> {
    let when = now + now.since(since).clamp(PAUSE.0, PAUSE.1);
    (when <= since + patience).then_some(when)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_follow_in_longer_and_longer_pauses_until_nobody_waits() {
        let minutes = |minutes: i64| Timestamp::from_millis(minutes * 60_000);
        let day = Duration::from_hours(24);
        let next = |now| next_round(Timestamp::EPOCH, minutes(now), day);
        assert_eq!(next(0), Some(minutes(1)));
        assert_eq!(next(10), Some(minutes(20)));
        assert_eq!(next(90), Some(minutes(150)));
        assert_eq!(next(23 * 60), Some(minutes(24 * 60)));
        assert_eq!(next(23 * 60 + 1), None);
        assert_eq!(next_round(Timestamp::EPOCH, minutes(0), Duration::ZERO), None);
    }
}
