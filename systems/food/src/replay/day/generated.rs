//! Makes up days of any size, for tests and benchmarks that must not depend on foreign data.

use super::{Courier, Day, Order, Parameters, Place, Restaurant};

/// Minutes from the first to the last placement.
const OPEN: u64 = 600;

impl Day {
    /// A day of ten hours with a rush in the middle; the same seed gives the same day.
    ///
    /// Restaurants gather in the middle of a town of ten kilometres, doors are within four kilometres of
    /// theirs, food takes 5 to 30 minutes. Shifts are two to four hours and follow the rush; six to seven
    /// orders a shift make a busy day, as in the public set.
    pub(crate) fn generated(seed: u64, orders: usize, couriers: usize) -> Self {
        let mut dice = Dice(seed ^ 0x5DEE_CE66_D5A7_1B3F);
        let parameters = Parameters {
            metres_per_minute: 320.0,
            pickup_service: 4,
            dropoff_service: 4,
            target_click_to_door: 40,
            max_click_to_door: 90,
        };
        let restaurants: Vec<Restaurant> = (1..=orders.div_ceil(8).max(1))
            .map(|number| Restaurant {
                name: format!("r{number}"),
                place: Place { x: dice.hump(10_000) as f64, y: dice.hump(10_000) as f64 },
            })
            .collect();
        let orders = (1..=orders)
            .map(|number| {
                let restaurant = dice.below(restaurants.len() as u64) as usize;
                let near = restaurants[restaurant].place;
                let placed = dice.hump(OPEN) as i64;
                Order {
                    name: format!("o{number}"),
                    drop_off: Place {
                        x: near.x + dice.hump(8_000) as f64 - 4_000.0,
                        y: near.y + dice.hump(8_000) as f64 - 4_000.0,
                    },
                    placed,
                    restaurant,
                    ready: placed + 5 + dice.below(26) as i64,
                }
            })
            .collect();
        let couriers = (1..=couriers)
            .map(|number| {
                let length = 120 + dice.below(121) as i64;
                let on = (dice.hump(OPEN) as i64 + 15 - length / 2).max(0);
                Courier {
                    name: format!("c{number}"),
                    place: Place { x: dice.below(10_000) as f64, y: dice.below(10_000) as f64 },
                    on,
                    off: on + length,
                }
            })
            .collect();
        Self { restaurants, orders, couriers, parameters }
    }
}

/// SplitMix64 of Steele, Lea and Flood (2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    /// Like [`below`](Self::below), but the middle is more likely than the ends.
    fn hump(&mut self, bound: u64) -> u64 {
        (self.below(bound) + self.below(bound)) / 2
    }
}
