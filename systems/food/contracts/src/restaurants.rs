//! Restaurants: menus, opening hours, availability.

use partie_contract::{
    Call, Created, Cursor, Entity, Event, EventSpec, Limit, Money, Outcome, Page, Problem, Timestamp,
    Versioned, contract,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ItemId, Place, Quantity, RestaurantId};

/// Restaurants: menus, opening hours, availability.
#[contract(service = "restaurants", version = 1)]
pub trait Restaurants {
    /// List restaurants, by name or nearest first.
    #[get("/restaurants", public)]
    async fn list(&self, cx: &Call, query: ListRestaurants) -> Outcome<Page<Restaurant>, RestaurantError>;

    /// Open a restaurant. The caller owns it.
    #[post("/restaurants", role = "owner", keyed)]
    async fn open(
        &self,
        cx: &Call,
        restaurant: NewRestaurant,
    ) -> Outcome<Created<Restaurant>, RestaurantError>;

    /// Read a restaurant.
    #[get("/restaurants/{id}", public)]
    async fn restaurant(
        &self,
        cx: &Call,
        id: RestaurantId,
    ) -> Outcome<Versioned<Restaurant>, RestaurantError>;

    /// Read its menu.
    #[get("/restaurants/{id}/menu", public)]
    async fn menu(&self, cx: &Call, id: RestaurantId) -> Outcome<Versioned<Menu>, RestaurantError>;

    /// Whether it takes orders now, and when it opens or closes next.
    #[get("/restaurants/{id}/availability", public)]
    async fn availability(&self, cx: &Call, id: RestaurantId) -> Outcome<Availability, RestaurantError>;

    /// Price a basket by the current menu and check every rule an order must meet. Reserves nothing.
    #[post("/restaurants/{id}/quote", authenticated)]
    async fn quote(&self, cx: &Call, id: RestaurantId, basket: Basket) -> Outcome<Quote, RestaurantError>;

    /// Replace the weekly opening hours.
    #[put("/restaurants/{id}/hours", roles = ["owner", "admin"], precondition)]
    async fn set_hours(
        &self,
        cx: &Call,
        id: RestaurantId,
        hours: Hours,
    ) -> Outcome<Versioned<Restaurant>, RestaurantError>;

    /// Stop taking orders, until a time or until resumed.
    #[post("/restaurants/{id}/pause", roles = ["owner", "admin"])]
    async fn pause(
        &self,
        cx: &Call,
        id: RestaurantId,
        pause: Pause,
    ) -> Outcome<Versioned<Restaurant>, RestaurantError>;

    /// Take orders again.
    #[post("/restaurants/{id}/resume", roles = ["owner", "admin"])]
    async fn resume(&self, cx: &Call, id: RestaurantId) -> Outcome<Versioned<Restaurant>, RestaurantError>;

    /// Change an item: its price, its portions, or mark it sold out until a time.
    #[patch("/restaurants/{id}/items/{item_id}", roles = ["owner", "admin"], precondition)]
    async fn change_item(
        &self,
        cx: &Call,
        id: RestaurantId,
        item_id: ItemId,
        change: ItemChange,
    ) -> Outcome<Versioned<Menu>, RestaurantError>;
}

/// What can go wrong with a restaurant.
#[derive(Debug, PartialEq, Problem)]
pub enum RestaurantError {
    /// There is no such restaurant.
    #[problem(404, "restaurant-not-found")]
    NotFound,
    /// There is no such item on the menu.
    #[problem(404, "item-not-found")]
    ItemNotFound,
    /// The restaurant takes no orders now.
    #[problem(409, "restaurant-closed")]
    Closed {
        /// When it opens next, if that is known.
        next_open: Option<Timestamp>,
    },
    /// The kitchen has all the orders it can cook.
    #[problem(409, "restaurant-busy")]
    Busy,
    /// Items are not on the menu.
    #[problem(422, "item-invalid")]
    ItemInvalid {
        /// JSON Pointers to them.
        pointers: Vec<String>,
    },
    /// Items are sold out.
    #[problem(409, "item-unavailable")]
    ItemUnavailable {
        /// JSON Pointers to them.
        pointers: Vec<String>,
    },
    /// The order is below the restaurant's minimum.
    #[problem(422, "below-minimum")]
    BelowMinimum {
        /// The minimum.
        minimum: Money,
    },
    /// The drop-off is outside the restaurant's zone.
    #[problem(422, "out-of-zone")]
    OutOfZone,
    /// The total is more than money can be counted in.
    #[problem(422, "total-too-large")]
    TotalTooLarge,
}

/// A restaurant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Restaurant {
    /// Its id.
    pub id: RestaurantId,
    /// Its name.
    pub name: String,
    /// What it cooks.
    pub cuisine: String,
    /// A small picture.
    pub emoji: String,
    /// Whether it takes orders now.
    pub open: bool,
    /// Where it is.
    pub location: Place,
    /// The weekly hours.
    pub hours: Hours,
    /// Delivers within this many metres; without limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_metres: Option<u32>,
    /// The smallest order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Money>,
    /// How long food usually takes, in minutes.
    pub prep_minutes: u32,
    /// The row version.
    pub version: i64,
}

/// A restaurant to open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NewRestaurant {
    /// Its name.
    #[schemars(length(min = 1, max = 120))]
    pub name: String,
    /// What it cooks.
    #[serde(default)]
    #[schemars(length(max = 60))]
    pub cuisine: String,
    /// A small picture.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub emoji: String,
    /// Where it is.
    pub location: Place,
    /// The weekly hours; always open if absent.
    #[serde(default)]
    pub hours: Option<Hours>,
    /// Delivers within this many metres; without limit if absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100_000))]
    pub zone_metres: Option<u32>,
    /// The smallest order.
    #[serde(default)]
    pub minimum: Option<Money>,
    /// How many orders the kitchen takes at once; without limit if absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub capacity: Option<u32>,
    /// How long food usually takes, in minutes.
    #[serde(default = "fifteen")]
    #[schemars(range(min = 0, max = 240))]
    pub prep_minutes: u32,
    /// The menu.
    #[schemars(length(min = 1, max = 500))]
    pub items: Vec<NewItem>,
}

fn fifteen() -> u32 {
    15
}

/// An item of a new menu.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NewItem {
    /// Its name.
    #[schemars(length(min = 1, max = 120))]
    pub name: String,
    /// Its price.
    pub price: Money,
    /// A small picture.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub emoji: String,
    /// How many portions there are; without limit if absent.
    #[serde(default)]
    pub portions: Option<u32>,
}

/// A menu.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Menu {
    /// The restaurant.
    pub restaurant_id: RestaurantId,
    /// Its name.
    pub name: String,
    /// The menu's version.
    pub version: i64,
    /// What there is.
    pub items: Vec<Item>,
}

/// An item of a menu.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// Its name.
    pub name: String,
    /// Its price.
    pub price: Money,
    /// A small picture.
    #[serde(default)]
    pub emoji: String,
    /// Whether it can be ordered now.
    pub available: bool,
    /// When a sold-out item comes back, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_at: Option<Timestamp>,
    /// How many portions are left, if they are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portions: Option<u32>,
}

/// A change to an item. Absent fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ItemChange {
    /// A new price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// False marks it sold out, true brings it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<bool>,
    /// When a sold-out item comes back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_at: Option<Timestamp>,
    /// How many portions there are from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portions: Option<u32>,
}

/// Weekly opening hours in the restaurant's time zone. Days without an entry are closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hours {
    /// An IANA time zone, `Europe/Berlin`.
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: String,
    /// When it is open; a span that ends before it starts runs past midnight.
    #[schemars(length(max = 50))]
    pub open: Vec<OpenSpan>,
}

/// One span of opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenSpan {
    /// The day it starts on.
    pub day: Day,
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`, `24:00` for the end of the day.
    pub to: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the days name themselves")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Stops orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pause {
    /// Until when; until resumed if absent.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// Whether a restaurant takes orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Availability {
    /// The restaurant.
    pub restaurant_id: RestaurantId,
    /// Whether it takes orders now.
    pub open: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// When it opens next, if it is closed and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_open: Option<Timestamp>,
    /// When it closes next, if it is open and ever closes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_close: Option<Timestamp>,
}

/// What to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListRestaurants {
    /// `lat,lon`: nearest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<String>,
    /// At most this many metres from `near`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radius: Option<u32>,
    /// Only this cuisine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cuisine: Option<String>,
    /// Only those that take orders now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_now: Option<bool>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

/// What somebody wants, and where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Basket {
    /// What.
    #[schemars(length(min = 1, max = 100))]
    pub items: Vec<BasketItem>,
    /// Where to.
    pub drop_off: Place,
}

/// One line of a basket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BasketItem {
    /// The item.
    pub item_id: ItemId,
    /// How many.
    pub quantity: Quantity,
}

/// A priced basket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quote {
    /// The restaurant.
    pub restaurant_id: RestaurantId,
    /// Its name.
    pub restaurant_name: String,
    /// Where it is.
    pub pick_up: Place,
    /// By which version of the menu.
    pub menu_version: i64,
    /// The lines.
    pub lines: Vec<Line>,
    /// The sum of the lines.
    pub total: Money,
    /// How long food usually takes, in minutes.
    pub prep_minutes: u32,
}

/// One priced line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// The item.
    pub item_id: ItemId,
    /// Its name when it was ordered.
    pub name: String,
    /// How many.
    pub quantity: Quantity,
    /// The price of one.
    pub price: Money,
}

impl Entity for Restaurant {
    const COLLECTION: &'static str = "/api/v1/restaurants";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl Entity for Menu {
    const COLLECTION: &'static str = "/api/v1/restaurants";

    fn id(&self) -> String {
        self.restaurant_id.to_string()
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

// === Events ===

/// A restaurant takes orders again: it was resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Event)]
#[event("restaurant.opened", version = 1, subject = "restaurant_id")]
pub struct RestaurantOpened {
    /// The restaurant.
    pub restaurant_id: RestaurantId,
}

/// A restaurant takes no orders: it was paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Event)]
#[event("restaurant.paused", version = 1, subject = "restaurant_id")]
pub struct RestaurantPaused {
    /// The restaurant.
    pub restaurant_id: RestaurantId,
    /// Until when, if that is known.
    pub until: Option<Timestamp>,
}

/// A menu or the hours changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Event)]
#[event("restaurant.menu_changed", version = 1, subject = "restaurant_id")]
pub struct MenuChanged {
    /// The restaurant.
    pub restaurant_id: RestaurantId,
    /// The menu's new version.
    pub menu_version: i64,
}

/// An item is sold out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Event)]
#[event("restaurant.item_unavailable", version = 1, subject = "restaurant_id")]
pub struct ItemUnavailable {
    /// The restaurant.
    pub restaurant_id: RestaurantId,
    /// The item.
    pub item_id: ItemId,
}

/// All events of restaurants.
pub const EVENTS: &[EventSpec] = &[
    EventSpec::of::<RestaurantOpened>(),
    EventSpec::of::<RestaurantPaused>(),
    EventSpec::of::<MenuChanged>(),
    EventSpec::of::<ItemUnavailable>(),
];
