//! The contract `SeedRestaurants`: the tutorial's route.

use food_contracts::seed::{SeedError, SeedItem, SeedMenu, SeedRestaurants};
use partie::contract::{Call, Money, Outcome};

use super::RestaurantDesk;
use crate::rows;

impl SeedRestaurants for RestaurantDesk {
    async fn menu(&self, _: &Call, id: String) -> Outcome<SeedMenu, SeedError> {
        self.store
            .read(move |tx| {
                let found = match (id.parse(), id.parse()) {
                    (Ok(number), _) => rows::restaurants::find_numbered(tx, number)?,
                    (_, Ok(id)) => rows::restaurants::find(tx, id)?,
                    _ => None,
                };
                let now = tx.now();
                let closed = || SeedError::RestaurantClosed { error: "Restaurant closed".to_owned() };
                let open = found.filter(|restaurant| restaurant.is_open(now)).ok_or_else(closed)?;
                let menu = rows::items::menu(tx, &open)?;
                // The tutorial has no word for sold out.
                let menu = menu.into_iter().filter(|item| item.is_available(now)).map(|item| SeedItem {
                    id: item.number,
                    name: item.name,
                    price: in_units(item.price),
                    emoji: item.emoji,
                });
                Ok(SeedMenu { menu: menu.collect(), restaurant: open.name, emoji: open.emoji })
            })
            .await
    }
}

/// For display: 1299 cents are 12.99.
fn in_units(price: Money) -> f64 {
    price.amount() as f64 / 10_f64.powi(price.currency().exponent().cast_signed())
}
