//! The way in: a notification and the job that delivers it, in the transaction that wants them.

use notifications_contracts::{Channel, Notification, NotificationError, NotificationId, Words};
use partie::contract::{Fault, Timestamp};
use partie::messaging::Enqueue as _;
use partie::store::{Error, Tx};

use crate::delivery::Deliver;
use crate::notification::Record;
use crate::rows;
use crate::rows::webhooks;

/// Somebody is to be told something.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub(crate) channel: Channel,
    pub(crate) recipient: String,
    /// Its name.
    pub(crate) template: &'static str,
    /// What everybody may see of it.
    pub(crate) shown: Words,
    /// What the recipient reads, where that is more.
    pub(crate) said: Option<Words>,
    /// The same recipient, template and key are told once.
    pub(crate) dedupe_key: String,
    /// From then on it is not sent.
    pub(crate) until: Option<Timestamp>,
}

/// Tells somebody something, unless that was done before. Gives back the one notification there is of it.
pub(crate) fn tell(tx: &mut Tx, new: New) -> Result<Notification, Fault<NotificationError>> {
    if let Some(told) = rows::told(tx, &new)? {
        return Ok(told.notification);
    }
    let wants_it = match new.channel {
        Channel::Webhook => {
            let endpoint = webhooks::at(tx, &new.recipient)?.ok_or(NotificationError::WebhookUnknown)?;
            endpoint.is_enabled()
        }
        Channel::Sms | Channel::Email => true,
    };
    let dedupe_key = new.dedupe_key.clone();
    let mut record = Record::new(tx.new_id(), new, tx.now());
    if wants_it {
        enqueue(tx, &record)?;
    } else {
        record.suppress();
    }
    rows::insert(tx, &record, &dedupe_key)?;
    Ok(record.notification)
}

/// Has a dead notification tried again.
pub(crate) fn requeue(tx: &mut Tx, id: NotificationId) -> Result<Notification, Fault<NotificationError>> {
    let mut record = rows::find(tx, id)?.ok_or(NotificationError::NotFound)?;
    record.requeue()?;
    rows::update(tx, &record)?;
    enqueue(tx, &record)?;
    Ok(record.notification)
}

/// Has the attempts of its round made.
pub(crate) fn enqueue(tx: &mut Tx, record: &Record) -> Result<(), Error> {
    tx.enqueue(&Deliver { notification: record.notification.id, round: record.round })?;
    Ok(())
}
