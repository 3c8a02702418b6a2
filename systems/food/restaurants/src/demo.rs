//! What a new database holds in development: the tutorial's restaurant and two more.

use food_contracts::Place;
use food_contracts::restaurants::{NewItem, NewRestaurant};
use food_contracts::seed::{item_id, restaurant_id};
use partie::contract::{Currency, Money, Platform};
use partie::store::Tx;

use crate::menu::Item;
use crate::restaurant::Restaurant;
use crate::rows;

/// Who owns them.
const OWNER: &str = "demo-kitchen";
/// How far they deliver, in metres.
const ZONE: u32 = 10_000;

struct Demo {
    name: &'static str,
    cuisine: &'static str,
    emoji: &'static str,
    location: Place,
    prep_minutes: u32,
    /// Name, emoji, cents.
    items: &'static [(&'static str, &'static str, i64)],
}

/// By their small numbers, from 1.
const RESTAURANTS: [Demo; 3] = [
    Demo {
        name: "Pizza Paradise",
        cuisine: "Pizza",
        emoji: "🍕",
        location: Place { lat: 52.5200, lon: 13.4050 },
        prep_minutes: 15,
        items: &[("Margherita", "🍕", 12_99), ("Pepperoni", "🍕", 14_99)],
    },
    Demo {
        name: "Sushi Station",
        cuisine: "Japanese",
        emoji: "🍣",
        location: Place { lat: 52.5304, lon: 13.3847 },
        prep_minutes: 20,
        items: &[("Salmon Nigiri", "🍣", 9_50), ("Miso Soup", "🍲", 4_20), ("Maki Mix", "🍱", 13_80)],
    },
    Demo {
        name: "Burger Barn",
        cuisine: "American",
        emoji: "🍔",
        location: Place { lat: 52.4986, lon: 13.4037 },
        prep_minutes: 10,
        items: &[("Cheeseburger", "🍔", 10_90), ("Fries", "🍟", 3_90), ("Milkshake", "🥤", 5_50)],
    },
];

/// Fills a database that holds no restaurant yet.
pub(crate) fn fill(tx: &mut Tx) -> Result<(), Platform> {
    if rows::restaurants::exist(tx)? {
        return Ok(());
    }
    for (number, demo) in (1..).zip(&RESTAURANTS) {
        let new = demo.new_restaurant()?;
        let mut restaurant =
            Restaurant::open(restaurant_id(number), OWNER.to_owned(), &new).map_err(Platform::invalid)?;
        restaurant.number = Some(number);
        rows::restaurants::insert(tx, &restaurant)?;
        for (place, item) in (1..).zip(&new.items) {
            rows::items::insert(tx, restaurant.id, &Item::new(item_id(number, place), place, item))?;
        }
    }
    Ok(())
}

// === impl Demo ===

impl Demo {
    fn new_restaurant(&self) -> Result<NewRestaurant, Platform> {
        let item = |(name, emoji, cents): &(&str, &str, i64)| {
            let price = Money::new(*cents, Currency::USD).map_err(Platform::internal)?;
            Ok(NewItem { name: (*name).to_owned(), price, emoji: (*emoji).to_owned(), portions: None })
        };
        Ok(NewRestaurant {
            name: self.name.to_owned(),
            cuisine: self.cuisine.to_owned(),
            emoji: self.emoji.to_owned(),
            location: self.location,
            hours: None,
            zone_metres: Some(ZONE),
            minimum: None,
            capacity: None,
            prep_minutes: self.prep_minutes,
            items: self.items.iter().map(item).collect::<Result<_, Platform>>()?,
        })
    }
}
