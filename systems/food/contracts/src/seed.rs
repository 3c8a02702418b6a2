//! The tutorial's own requests, unversioned, answered with at least the tutorial's fields.
//!
//! A token is accepted with and without `Bearer `; in development an anonymous write acts as the demo customer. No
//! idempotency key is needed, one is honoured. Problems carry the tutorial's text in `error`.

use partie_contract::{Call, Id, Outcome, Problem, Settled, contract};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ItemId, OrderId, PhoneNumber, RestaurantId};

/// The ids of demo data are the same everywhere: this, and the tutorial's small numbers.
const IDS: u128 = 0x0193_4000_0000_7000_8000_0000_0000_0000;

/// The id of the restaurant with the tutorial's small number.
pub fn restaurant_id(number: u32) -> RestaurantId {
    RestaurantId::from_uuid(Uuid::from_u128(IDS | u128::from(number) << 16))
}

/// The id of an item, by the small numbers of its restaurant and its own.
pub fn item_id(restaurant: u32, item: u32) -> ItemId {
    ItemId::from_uuid(Uuid::from_u128(IDS | u128::from(restaurant) << 16 | u128::from(item)))
}

/// The tutorial's restaurant service.
#[contract(service = "restaurants", prefix = "/api", compat)]
pub trait SeedRestaurants {
    /// Read the menu of a restaurant, by the tutorial's small number or by id.
    #[get("/restaurants/{id}/menu", public)]
    async fn menu(&self, cx: &Call, id: String) -> Outcome<SeedMenu, SeedError>;
}

/// The tutorial's order service.
#[contract(service = "orders", prefix = "/api", compat)]
pub trait SeedOrders {
    /// Order the first available item, once, delivered at the restaurant's own place; wait up to 10 s for a driver, then
    /// answer 202 with what is known.
    #[post("/orders/create", role = "customer", keyed, timeout = "15s")]
    async fn create(&self, cx: &Call, order: SeedOrder) -> Outcome<Settled<SeedOrderPlaced>, SeedError>;
}

/// The tutorial's delivery service.
#[contract(service = "delivery", prefix = "/api", compat)]
pub trait SeedDelivery {
    /// Assign a driver, at once.
    #[post("/delivery/assign", roles = ["customer", "service"], keyed)]
    async fn assign(&self, cx: &Call, order: SeedAssign) -> Outcome<SeedAssigned, SeedError>;
}

/// The tutorial's notification service.
#[contract(service = "notifications", prefix = "/api", compat)]
pub trait SeedNotify {
    /// Send a text. Never open to the outside: services, or the demo identity in development.
    #[post("/notify", roles = ["service", "demo"], keyed)]
    async fn notify(&self, cx: &Call, message: SeedMessage) -> Outcome<SeedSent, SeedError>;
}

/// What can go wrong, in the tutorial's words.
#[derive(Debug, PartialEq, Problem)]
pub enum SeedError {
    /// The restaurant is closed or unknown.
    #[problem(404, "restaurant-closed")]
    RestaurantClosed {
        /// `Restaurant closed`.
        error: String,
    },
    /// The restaurant cannot be ordered from.
    #[problem(400, "restaurant-unavailable")]
    RestaurantUnavailable {
        /// `Restaurant unavailable`.
        error: String,
    },
    /// No driver is free.
    #[problem(503, "no-drivers-available")]
    NoDriversAvailable {
        /// `No drivers available`.
        error: String,
    },
    /// The recipient is not an address of that kind.
    #[problem(422, "recipient-invalid")]
    RecipientInvalid {
        /// `Invalid recipient`.
        error: String,
    },
}

/// A menu, as the tutorial prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeedMenu {
    /// The restaurant's name.
    pub restaurant: String,
    /// What there is.
    pub menu: Vec<SeedItem>,
    /// A small picture.
    pub emoji: String,
}

/// An item, as the tutorial prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeedItem {
    /// The tutorial's small number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// In units of the currency, for display only.
    pub price: f64,
    /// A small picture.
    pub emoji: String,
}

/// The tutorial's order. Other fields of the tutorial's clients are not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeedOrder {
    /// The tutorial's small number.
    pub restaurant_id: u32,
    /// Whom to tell.
    pub customer_phone: PhoneNumber,
}

/// The tutorial's answer to an order. `status` is `pending` when 10 s were not enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeedOrderPlaced {
    /// The order.
    pub order_id: OrderId,
    /// `confirmed`, or `pending`.
    pub status: String,
    /// The driver's name, once known.
    #[serde(default)]
    pub driver: Option<String>,
    /// Minutes until it arrives, once known.
    #[serde(default)]
    pub eta: Option<i64>,
    /// To follow it by.
    pub tracking_id: String,
    /// A small picture.
    pub emoji: String,
}

/// What to assign a driver to; without an order it is a delivery of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeedAssign {
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The tutorial's small number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restaurant_id: Option<u32>,
    /// Whom to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_phone: Option<PhoneNumber>,
}

/// An assigned driver, as the tutorial prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeedAssigned {
    /// The driver's name.
    pub driver: String,
    /// Minutes until the food arrives.
    pub eta_minutes: i64,
    /// To follow it by.
    pub tracking_id: String,
    /// A small picture.
    pub emoji: String,
}

/// A text to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeedMessage {
    /// By which way.
    #[serde(rename = "type")]
    pub kind: SeedKind,
    /// To whom.
    #[schemars(length(min = 1, max = 254))]
    pub recipient: String,
    /// What.
    #[schemars(length(min = 1, max = 1600))]
    pub message: String,
}

/// The ways of the tutorial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeedKind {
    /// Text message.
    Sms,
}

/// A text that was taken for sending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeedSent {
    /// True.
    pub sent: bool,
    /// By which way.
    #[serde(rename = "type")]
    pub kind: SeedKind,
    /// A small picture.
    pub emoji: String,
}
