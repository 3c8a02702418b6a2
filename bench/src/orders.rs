//! The endpoint that `contract` measures: it prices an order from a menu in memory and remembers the newest orders.

pub mod by_hand;
pub mod by_partie;

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use partie::contract::{Call, Created, Entity, Outcome, Problem, Timestamp, contract, id};
use partie::runtime::{Clock, Ids};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where orders are posted.
pub const PATH: &str = "/api/v1/orders";
/// An order as an app sends it: three lines, an address, a contact.
pub const ORDER: &str = r#"{"restaurant_id":"01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a","items":[{"item_id":"01931f0e-7f2a-7c3e-9a51-000000000001","quantity":2},{"item_id":"01931f0e-7f2a-7c3e-9a51-000000000002","quantity":1},{"item_id":"01931f0e-7f2a-7c3e-9a51-000000000003","quantity":4}],"drop_off":{"lat":48.137154,"lon":11.576124},"contact":{"phone":"+4915112345678","email":"ada@example.org"},"note":"Second floor, please ring twice"}"#;
/// Orders that are remembered.
const NEWEST: usize = 1_024;
/// Menu prices, in cents.
const PRICES: [u64; 8] = [1_290, 450, 380, 990, 1_150, 250, 700, 1_800];

id! {
    /// Names an order.
    pub struct OrderId;
    /// Names a restaurant.
    pub struct RestaurantId;
    /// Names an item of the menu.
    pub struct ItemId;
}

/// Orders in memory.
#[contract(service = "orders", version = 1)]
pub trait Orders {
    /// Place an order.
    #[post("/orders", public)]
    async fn place(&self, cx: &Call, order: NewOrder) -> Outcome<Created<Order>, OrderError>;
}

/// What can go wrong with an order.
#[derive(Debug, PartialEq, Problem)]
pub enum OrderError {
    /// An item is not on the menu.
    #[problem(422, "item-unknown")]
    ItemUnknown,
}

/// An order to place. The bounds of its fields are the schema's here, and written out in [`by_hand`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// From where.
    pub restaurant_id: RestaurantId,
    /// What.
    #[schemars(length(min = 1, max = 100))]
    pub items: Vec<Item>,
    /// Where to.
    pub drop_off: Place,
    /// Whom to tell.
    pub contact: Contact,
    /// For the driver.
    #[schemars(length(max = 200))]
    #[serde(default)]
    pub note: String,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The item.
    pub item_id: ItemId,
    /// How many.
    #[schemars(range(min = 1, max = 99))]
    pub quantity: u32,
}

/// A place on Earth, in degrees of WGS 84.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Degrees north.
    #[schemars(range(min = -90, max = 90))]
    pub lat: f64,
    /// Degrees east.
    #[schemars(range(min = -180, max = 180))]
    pub lon: f64,
}

/// How to reach a customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// For text messages.
    #[schemars(length(min = 7, max = 16))]
    pub phone: String,
    /// For e-mail.
    #[schemars(length(min = 3, max = 254))]
    pub email: String,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Where it stands.
    pub status: Status,
    /// From where.
    pub restaurant_id: RestaurantId,
    /// What.
    pub items: Vec<Item>,
    /// What it costs, in cents.
    pub total: u64,
    /// Where to.
    pub drop_off: Place,
    /// When it was placed.
    pub placed_at: Timestamp,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The kitchen was not asked yet.
    Pending,
}

/// The state, the same for both servers.
#[derive(Debug)]
pub struct Book {
    menu: HashMap<ItemId, u64>,
    newest: Mutex<VecDeque<Order>>,
    clock: Clock,
    ids: Ids,
}

// === impl Book ===

impl Book {
    /// Prices the order and remembers it.
    ///
    /// # Errors
    /// [`OrderError::ItemUnknown`].
    pub fn place(&self, new: NewOrder) -> Result<Order, OrderError> {
        let mut total = 0;
        for item in &new.items {
            total += self.menu.get(&item.item_id).ok_or(OrderError::ItemUnknown)? * u64::from(item.quantity);
        }
        let now = self.clock.now();
        let NewOrder { restaurant_id, items, drop_off, .. } = new;
        let id = self.ids.fresh(now);
        let order =
            Order { id, status: Status::Pending, restaurant_id, items, total, drop_off, placed_at: now };
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.len() == NEWEST {
            newest.pop_front();
        }
        newest.push_back(order.clone());
        Ok(order)
    }
}

impl Default for Book {
    fn default() -> Self {
        let item = |number: usize| format!("01931f0e-7f2a-7c3e-9a51-{:012}", number + 1).parse().ok();
        let menu = PRICES.iter().enumerate().filter_map(|(number, price)| Some((item(number)?, *price)));
        Self {
            menu: menu.collect(),
            newest: Mutex::new(VecDeque::with_capacity(NEWEST)),
            clock: Clock::wall(),
            ids: Ids::from_entropy(),
        }
    }
}

impl Entity for Order {
    const COLLECTION: &'static str = PATH;

    fn id(&self) -> String {
        self.id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_benchmark_is_taken_and_its_memory_is_bounded() {
        let book = Book::default();
        let new: NewOrder = serde_json::from_str(ORDER).unwrap();
        assert_eq!(by_hand::violation(&new), None);
        for _ in 0..=NEWEST {
            assert_eq!(book.place(new.clone()).unwrap().total, 2 * 1_290 + 450 + 4 * 380);
        }
        assert_eq!(book.newest.lock().unwrap().len(), NEWEST);
    }
}
