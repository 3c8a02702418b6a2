//! The service, declared.

use food_contracts::restaurants::{self, Restaurants};
use food_contracts::seed::SeedRestaurants;
use food_contracts::tickets::{self, Tickets};
use partie::Service;
use partie::store::migrations;

use crate::desk::RestaurantDesk;
use crate::settings::Settings;

/// The restaurants and their kitchens.
pub fn service() -> impl Into<Service> {
    Service::new("restaurants")
        .store(migrations!["0001_restaurants.sql"])
        .settings(&Settings::default())
        .publishes(restaurants::EVENTS)
        .publishes(tickets::EVENTS)
        .start(RestaurantDesk::start)
        .serve(Restaurants::routes())
        .serve(Tickets::routes())
        .serve(SeedRestaurants::routes())
        .on(RestaurantDesk::picked_up)
        .timer(RestaurantDesk::expire)
}
