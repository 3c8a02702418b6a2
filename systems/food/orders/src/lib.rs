//! The orders service: it prices and takes orders, and remembers what happened to them.
//!
//! Layout: `order` is the domain, without SQL; `desk` answers the contract; `rows` keeps orders and their history.
#![forbid(unsafe_code)]

mod desk;
mod order;
mod rows;

use food_contracts::orders::Orders;
use food_contracts::restaurants::RestaurantsClient;
use partie::store::migrations;
use partie::{Live, Service};

use crate::desk::OrderDesk;

/// The service.
pub fn service() -> impl Into<Service> {
    Service::new("orders")
        .store(migrations!["0001_orders.sql"])
        .calls::<RestaurantsClient>()
        .start(async |s| Ok(OrderDesk { store: s.store(), restaurants: s.client(), live: Live::new() }))
        .serve(Orders::routes())
}
