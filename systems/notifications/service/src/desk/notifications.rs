//! The contract `Notifications`.

use notifications_contracts::{
    ListNotifications, NewNotification, Notification, NotificationError, NotificationId, Notifications,
    Templates,
};
use partie::contract::{Call, Created, Id, Outcome, Page, Versioned};

use super::Desk;
use crate::provider::Provider;
use crate::rows::{self, Wanted};
use crate::{queue, request};

impl<P: Provider> Notifications for Desk<P> {
    async fn send(
        &self,
        cx: &Call,
        notification: NewNotification,
    ) -> Outcome<Created<Notification>, NotificationError> {
        let new = request::checked(&self.templates, notification, self.clock.now())?;
        self.store.once(cx, move |tx| Ok(Created(queue::tell(tx, new.clone())?))).await
    }

    async fn list(
        &self,
        _: &Call,
        query: ListNotifications,
    ) -> Outcome<Page<Notification>, NotificationError> {
        let ListNotifications { recipient, status, limit, after } = query;
        let newest = || NotificationId::from_uuid(uuid::Uuid::max());
        let before = after.map_or_else(|| Ok(newest()), |after| after.key())?;
        let wanted = Wanted { recipient, status, before, most: limit.get() as usize + 1 };
        self.store
            .read(move |tx| {
                let found = rows::list(tx, &wanted)?;
                Ok(Page::from_rows(found, limit, |notification| notification.id)?)
            })
            .await
    }

    async fn notification(
        &self,
        _: &Call,
        id: NotificationId,
    ) -> Outcome<Versioned<Notification>, NotificationError> {
        self.store
            .read(move |tx| {
                let found = rows::find(tx, id)?.ok_or(NotificationError::NotFound)?;
                Ok(Versioned(found.notification))
            })
            .await
    }

    async fn requeue(
        &self,
        cx: &Call,
        id: NotificationId,
    ) -> Outcome<Versioned<Notification>, NotificationError> {
        self.store.once(cx, move |tx| Ok(Versioned(queue::requeue(tx, id)?))).await
    }

    async fn templates(&self, _: &Call) -> Outcome<Templates, NotificationError> {
        Ok(self.templates.all())
    }
}
