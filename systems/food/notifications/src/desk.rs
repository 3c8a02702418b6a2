//! The desk: implements the contracts and hears of orders, each in one transaction.

mod notifications;
mod seed;

use partie::Start;
use partie::contract::{Abort, BoxError};
use partie::store::{Store, Tx};

use crate::orders::{self, News};
use crate::provider::Provider;
use crate::queue;
use crate::settings::Settings;

/// The state of the service.
#[derive(Debug)]
pub(crate) struct NotificationDesk<P> {
    pub(crate) store: Store,
    pub(crate) provider: P,
    /// After so many attempts a notification is dead.
    pub(crate) attempts: u32,
}

impl<P: Provider> NotificationDesk<P> {
    /// Opens for business.
    pub(crate) fn start(s: &Start, provider: P) -> Result<Self, BoxError> {
        let settings: Settings = s.settings()?;
        Ok(Self { store: s.store(), provider, attempts: settings.checked()?.attempts })
    }

    /// Tells a customer what happened to an order.
    pub(crate) fn tell<E: News>(&self, tx: &mut Tx, event: &E) -> Result<(), Abort> {
        if let Some(new) = orders::notification(event, tx.now())? {
            queue::tell(tx, &new)?;
        }
        Ok(())
    }
}
