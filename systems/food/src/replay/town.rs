//! The town a day takes place in: its restaurants, opened through the public API before the day begins.

use food_contracts::restaurants::{NewItem, NewRestaurant, RestaurantsClient};
use food_contracts::{ItemId, RestaurantId};
use partie::contract::{Currency, Money};

use super::day::Day;
use super::stage::{Player, Stage};
use super::{Failure, chart, failed};

/// What everything costs, in cents.
const PRICE: i64 = 1_200;

/// Where all players are: the day, the system it is played on, and what can be ordered there.
#[derive(Debug)]
pub(crate) struct Town<'p> {
    pub(crate) day: &'p Day,
    pub(crate) stage: &'p Stage,
    dishes: Vec<Dish>,
}

/// The one dish of a restaurant.
#[derive(Debug)]
pub(crate) struct Dish {
    pub(crate) restaurant: RestaurantId,
    pub(crate) item: ItemId,
    /// Who cooks it.
    pub(crate) owner: Player,
}

impl<'p> Town<'p> {
    /// Opens the restaurants: always open, for any number of orders to anywhere.
    pub(crate) async fn open(stage: &'p Stage, day: &'p Day) -> Result<Self, Failure> {
        let restaurants: RestaurantsClient = stage.http.client();
        let mut dishes = Vec::with_capacity(day.restaurants.len());
        for (number, given) in (1..).zip(&day.restaurants) {
            let owner = stage.player(&format!("kitchen-{number}"), "owner")?;
            let opened = restaurants.open(&owner.keyed("open"), restaurant(number, given)?).await;
            let opened = opened.map_err(|fault| failed("opening", &given.name, &fault))?.0;
            let menu = restaurants.menu(&owner.call(), opened.id).await;
            let menu = menu.map_err(|fault| failed("the menu of", &given.name, &fault))?.0;
            let item = menu.items.first().ok_or("a menu is empty")?.id;
            dishes.push(Dish { restaurant: opened.id, item, owner });
        }
        Ok(Self { day, stage, dishes })
    }

    /// What can be ordered at a restaurant of the day.
    pub(crate) fn dish(&self, restaurant: usize) -> &Dish {
        &self.dishes[restaurant]
    }

    /// Who cooks an order of the day.
    pub(crate) fn owner(&self, order: usize) -> &Player {
        &self.dishes[self.day.orders[order].restaurant].owner
    }
}

fn restaurant(number: usize, given: &super::day::Restaurant) -> Result<NewRestaurant, Failure> {
    let item = NewItem {
        name: "Dish of the day".to_owned(),
        price: Money::new(PRICE, Currency::USD)?,
        emoji: String::new(),
        portions: None,
    };
    Ok(NewRestaurant {
        name: format!("Restaurant {number}"),
        cuisine: String::new(),
        emoji: String::new(),
        location: chart::place(given.place),
        hours: None,
        zone_metres: None,
        minimum: None,
        capacity: None,
        prep_minutes: 15,
        items: vec![item],
    })
}
