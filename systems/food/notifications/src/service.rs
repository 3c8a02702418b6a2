//! The service, declared.

use food_contracts::notifications::{self, Notifications};
use food_contracts::orders::{
    OrderCancelled, OrderConfirmed, OrderDelivered, OrderPickedUp, OrderPlaced, OrderRejected,
};
use food_contracts::seed::SeedNotify;
use partie::contract::BoxError;
use partie::store::migrations;
use partie::{Service, Start};

use crate::desk::NotificationDesk;
use crate::provider::{DeliveryLog, Provider};
use crate::settings::Settings;

/// Notifications, delivered to the [`DeliveryLog`] in the system's data directory.
pub fn service() -> impl Into<Service> {
    service_with(|s| Ok(DeliveryLog::open(s.data(), s.clock().clone())?))
}

/// Notifications, delivered by that provider.
pub fn service_with<P: Provider>(
    provider: impl FnOnce(&Start) -> Result<P, BoxError> + 'static,
) -> impl Into<Service> {
    Service::new("notifications")
        .store(migrations!["0001_notifications.sql"])
        .settings(&Settings::default())
        .publishes(notifications::EVENTS)
        .start(async |s| NotificationDesk::start(&s, provider(&s)?))
        .serve(Notifications::routes())
        .serve(SeedNotify::routes())
        .on(NotificationDesk::<P>::tell::<OrderPlaced>)
        .on(NotificationDesk::<P>::tell::<OrderConfirmed>)
        .on(NotificationDesk::<P>::tell::<OrderRejected>)
        .on(NotificationDesk::<P>::tell::<OrderPickedUp>)
        .on(NotificationDesk::<P>::tell::<OrderDelivered>)
        .on(NotificationDesk::<P>::tell::<OrderCancelled>)
        .job_on_record(
            NotificationDesk::<P>::begin,
            NotificationDesk::<P>::deliver,
            NotificationDesk::<P>::record,
        )
}
