//! The service, declared.

use std::sync::Arc;

use food_contracts::orders::{
    OrderCancelled, OrderConfirmed, OrderDelivered, OrderPickedUp, OrderPlaced, OrderRejected,
};
use food_contracts::seed::SeedNotify;
use notifications::{DeliveryLog, Provider, serving};
use partie::contract::BoxError;
use partie::{Service, Start};
use users_contracts::mails;

use crate::orders::tell;
use crate::seed::Tutorial;
use crate::templates;

/// Notifications, delivered to the [`DeliveryLog`] in the system's data directory.
pub fn service() -> impl Into<Service> {
    service_with(|s| Ok(DeliveryLog::open(s.data(), s.clock().clone())?))
}

/// Notifications, delivered by that provider.
pub fn service_with<P: Provider>(
    provider: impl FnOnce(&Start) -> Result<P, BoxError> + 'static,
) -> impl Into<Service> {
    serving(&[&templates::ALL, &mails::ALL], provider)
        .serve_as(SeedNotify::routes(), |desk| Tutorial(Arc::clone(desk)))
        .on(tell::<P, OrderPlaced>)
        .on(tell::<P, OrderConfirmed>)
        .on(tell::<P, OrderRejected>)
        .on(tell::<P, OrderPickedUp>)
        .on(tell::<P, OrderDelivered>)
        .on(tell::<P, OrderCancelled>)
}
