//! The service, declared.

use food_contracts::delivery::{DELIVERY_EVENTS, DRIVER_EVENTS, Deliveries, Drivers};
use food_contracts::seed::SeedDelivery;
use partie::Service;
use partie::store::migrations;

use crate::desk::DeliveryDesk;
use crate::settings::Settings;

/// Drivers, deliveries, and the dispatch between them.
pub fn service() -> impl Into<Service> {
    Service::new("delivery")
        .store(migrations!["0001_delivery.sql"])
        .settings(&Settings::default())
        .publishes(DELIVERY_EVENTS)
        .publishes(DRIVER_EVENTS)
        .start(DeliveryDesk::start)
        .serve(Drivers::routes())
        .serve(Deliveries::routes())
        .serve(SeedDelivery::routes())
        .on(DeliveryDesk::ticket_accepted)
        .on(DeliveryDesk::ticket_ready)
}
