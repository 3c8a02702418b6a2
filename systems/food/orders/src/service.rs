//! The service, declared.

use food_contracts::delivery::DeliveriesClient;
use food_contracts::orders::{self, Orders};
use food_contracts::restaurants::RestaurantsClient;
use food_contracts::seed::SeedOrders;
use food_contracts::tickets::TicketsClient;
use partie::Service;
use partie::store::migrations;

use crate::desk::OrderDesk;
use crate::saga;

/// Orders, and the saga that takes them to the doorstep.
pub fn service() -> impl Into<Service> {
    Service::new("orders")
        .store(migrations!["0001_orders.sql"])
        .calls::<RestaurantsClient>()
        .calls::<TicketsClient>()
        .calls::<DeliveriesClient>()
        .publishes(orders::EVENTS)
        .start(OrderDesk::start)
        .serve(Orders::routes())
        .serve(SeedOrders::routes())
        // What kitchens say.
        .on(OrderDesk::ticket_accepted)
        .on(OrderDesk::ticket_declined)
        .on(OrderDesk::ticket_expired)
        .on(OrderDesk::ticket_cancelled)
        .on(OrderDesk::ticket_preparing)
        .on(OrderDesk::ticket_ready)
        // What drivers do.
        .on(OrderDesk::driver_assigned)
        .on(OrderDesk::driver_lost)
        .on(OrderDesk::eta_changed)
        .on(OrderDesk::nobody_assigned)
        .on(OrderDesk::picked_up)
        .on(OrderDesk::delivered)
        .on(OrderDesk::delivery_failed)
        .on(OrderDesk::returned)
        // What takes time.
        .job(OrderDesk::ask_kitchen)
        .saga(saga::place_order())
}
