//! The way in: a notification and the job that delivers it, in the transaction that wants them.

use food_contracts::NotificationId;
use food_contracts::PhoneNumber;
use food_contracts::notifications::{Channel, Notification, NotificationError};
use partie::contract::Fault;
use partie::messaging::Enqueue as _;
use partie::store::{Error, Tx};

use crate::delivery::Deliver;
use crate::notification::Record;
use crate::rows;
use crate::templates::Template;

/// Somebody is to be told something.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub(crate) channel: Channel,
    pub(crate) recipient: PhoneNumber,
    pub(crate) template: Template,
    pub(crate) text: String,
    /// The same recipient, template and key are told once.
    pub(crate) dedupe_key: String,
}

/// Tells somebody something, unless that was done before. Gives back the one notification there is of it.
pub(crate) fn tell(tx: &mut Tx, new: &New) -> Result<Notification, Error> {
    if let Some(told) = rows::told(tx, new)? {
        return Ok(told.notification);
    }
    let record = Record::new(tx.new_id(), new, tx.now());
    rows::insert(tx, &record, &new.dedupe_key)?;
    enqueue(tx, &record)?;
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

fn enqueue(tx: &mut Tx, record: &Record) -> Result<(), Error> {
    tx.enqueue(&Deliver { notification: record.notification.id, round: record.round })?;
    Ok(())
}
