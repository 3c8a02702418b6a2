//! The desk: implements the contracts, each operation in one transaction.

mod notifications;
mod webhooks;

use std::fmt;
use std::time::Duration;

use notifications_contracts::{NewNotification, Notification, NotificationError};
use partie::Start;
use partie::contract::{BoxError, Fault};
use partie::runtime::Clock;
use partie::store::{Store, Tx};

use crate::mail::Mail;
use crate::provider::Provider;
use crate::settings::Settings;
use crate::templates::Templates;
use crate::webhook::Courier;
use crate::{queue, request};

/// The state of the service: what a system's own handlers and contracts work on.
pub struct Desk<P> {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) templates: Templates,
    /// The way of text messages.
    pub(crate) provider: P,
    pub(crate) mail: Mail,
    pub(crate) courier: Courier,
    /// So many attempts are one round.
    pub(crate) attempts: u32,
    /// How long there are rounds, where somebody waits for that.
    pub(crate) patience: Duration,
}

// === impl Desk ===

impl<P: Provider> Desk<P> {
    /// Opens for business.
    pub(crate) fn start(s: &Start, templates: Templates, provider: P) -> Result<Self, BoxError> {
        let settings: Settings = s.settings()?;
        let settings = settings.checked()?;
        Ok(Self {
            store: s.store(),
            clock: s.clock().clone(),
            templates,
            provider,
            mail: Mail::open(&settings.mail, s.data())?,
            courier: Courier::new(&settings.webhooks)?,
            attempts: settings.attempts,
            patience: settings.patience,
        })
    }

    /// The service's store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Tells somebody something, in a transaction of the service, unless that was done before. Gives back the one
    /// notification there is of it.
    ///
    /// # Errors
    /// What is wrong with it, as of [`Notifications::send`](notifications_contracts::Notifications::send).
    pub fn tell(&self, tx: &mut Tx, new: NewNotification) -> Result<Notification, Fault<NotificationError>> {
        let new = request::checked(&self.templates, new, tx.now())?;
        queue::tell(tx, new)
    }
}

impl<P> fmt::Debug for Desk<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("store", &self.store.name()).finish_non_exhaustive()
    }
}
