//! Orders: from a basket to a doorstep.

use partie_contract::{
    Call, Created, Cursor, Entity, Event, EventSpec, EventStream, Limit, Money, Outcome, Page, Problem,
    Timestamp, Versioned, contract,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::restaurants::{Basket, BasketItem, Line, Quote};
use crate::{Contact, DriverId, OrderId, Place, RestaurantId};

/// Orders: from a basket to a doorstep.
#[contract(service = "orders", version = 1)]
pub trait Orders {
    /// Price a basket without ordering it.
    #[post("/orders/quote", role = "customer")]
    async fn quote(&self, cx: &Call, request: QuoteRequest) -> Outcome<Quote, OrderError>;

    /// Place an order. It is on disk when the answer leaves.
    #[post("/orders", role = "customer", keyed)]
    async fn place(&self, cx: &Call, order: NewOrder) -> Outcome<Created<Order>, OrderError>;

    /// List one's orders, newest first.
    #[get("/orders", role = "customer")]
    async fn list(&self, cx: &Call, query: ListOrders) -> Outcome<Page<Order>, OrderError>;

    /// Read an order.
    #[get("/orders/{id}", roles = ["customer", "admin"])]
    async fn order(&self, cx: &Call, id: OrderId) -> Outcome<Versioned<Order>, OrderError>;

    /// What happened to an order, in order.
    #[get("/orders/{id}/timeline", roles = ["customer", "admin"])]
    async fn timeline(&self, cx: &Call, id: OrderId) -> Outcome<Timeline, OrderError>;

    /// Where the order is: its driver's last known place while one is assigned, and when it will arrive.
    #[get("/orders/{id}/tracking", roles = ["customer", "admin"])]
    async fn tracking(&self, cx: &Call, id: OrderId) -> Outcome<OrderTracking, OrderError>;

    /// Follow an order live; resumes after the last event seen.
    #[get("/orders/{id}/stream", roles = ["customer", "admin"])]
    async fn track(&self, cx: &Call, id: OrderId) -> Outcome<EventStream<Tracking>, OrderError>;

    /// Cancel an order. Once the kitchen has accepted it, the kitchen is asked; after pickup it is too late.
    #[post("/orders/{id}/cancel", roles = ["customer", "admin"], keyed)]
    async fn cancel(&self, cx: &Call, id: OrderId) -> Outcome<Versioned<Order>, OrderError>;
}

/// What can go wrong with an order.
#[derive(Debug, PartialEq, Problem)]
pub enum OrderError {
    /// There is no such order.
    #[problem(404, "order-not-found")]
    NotFound,
    /// There is no such restaurant.
    #[problem(422, "restaurant-unknown")]
    RestaurantUnknown,
    /// The restaurant takes no orders now.
    #[problem(409, "restaurant-closed")]
    RestaurantClosed {
        /// When it opens next, if that is known.
        next_open: Option<Timestamp>,
    },
    /// The kitchen has all the orders it can cook.
    #[problem(409, "restaurant-busy")]
    RestaurantBusy,
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
    /// The order cannot do that from the state it is in.
    #[problem(409, "invalid-transition")]
    InvalidTransition {
        /// The state it is in.
        current_state: OrderStatus,
        /// What it can do from there.
        allowed: Vec<String>,
    },
}

/// An order to place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NewOrder {
    /// From where.
    pub restaurant_id: RestaurantId,
    /// What.
    #[schemars(length(min = 1, max = 100))]
    pub items: Vec<BasketItem>,
    /// Where to.
    pub drop_off: Place,
    /// Whom to tell.
    pub contact: Contact,
    /// When a driver is looked for.
    #[serde(default)]
    pub assignment: Assignment,
}

/// When a driver is looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// Once the kitchen has accepted, so that the driver arrives when the food is ready.
    #[default]
    AtReady,
    /// At once; without a driver the order is rejected.
    AtOrder,
}

/// A basket to price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuoteRequest {
    /// From where.
    pub restaurant_id: RestaurantId,
    /// What.
    #[schemars(length(min = 1, max = 100))]
    pub items: Vec<BasketItem>,
    /// Where to.
    pub drop_off: Place,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Where it stands.
    pub status: OrderStatus,
    /// Why it ended early, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<EndReason>,
    /// From where.
    pub restaurant_id: RestaurantId,
    /// The restaurant's name.
    pub restaurant_name: String,
    /// What.
    pub lines: Vec<Line>,
    /// What it costs.
    pub total: Money,
    /// Where to.
    pub drop_off: Place,
    /// To follow it by: the same as the order's id.
    pub tracking_id: OrderId,
    /// When the food is to be ready, once the kitchen has accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_by: Option<Timestamp>,
    /// Who brings it, once assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<AssignedDriver>,
    /// When it is expected, once a driver is assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<Timestamp>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// The row version.
    pub version: i64,
}

/// Who brings an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssignedDriver {
    /// The driver.
    pub id: DriverId,
    /// The driver's name.
    pub name: String,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// The kitchen was not asked yet, or has not answered.
    Pending,
    /// The kitchen took it.
    Confirmed,
    /// The kitchen is cooking.
    Preparing,
    /// The food is ready.
    Ready,
    /// The driver has the food.
    PickedUp,
    /// The customer has the food.
    Delivered,
    /// Delivered, and nothing left to do.
    Completed,
    /// The kitchen is asked whether it can still be cancelled.
    CancelPending,
    /// Ended before it was confirmed.
    Rejected,
    /// Ended after it was confirmed.
    Cancelled,
    /// The driver could not hand it over.
    DeliveryFailed,
    /// The driver brought it back to the restaurant.
    Returned,
}

/// Why an order ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The restaurant closed before it was asked.
    RestaurantClosed,
    /// An item sold out before the kitchen was asked.
    ItemUnavailable,
    /// The kitchen refused.
    RestaurantDeclined,
    /// The kitchen did not answer in time.
    RestaurantTimeout,
    /// The kitchen gave the order up later.
    RestaurantCancelled,
    /// No driver was found.
    NoDriver,
    /// The customer changed their mind.
    CustomerCancelled,
}

/// Which orders to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListOrders {
    /// Only those that stand here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OrderStatus>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

/// What happened to an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// The entries, oldest first.
    pub data: Vec<TimelineEntry>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEntry {
    /// Its place in the order's history, from 1.
    pub sequence: i64,
    /// `order.placed`, `order.confirmed`, ...
    pub event: String,
    /// When. Never before the entry above it.
    pub at: Timestamp,
    /// Where the order stood after it.
    pub status: OrderStatus,
}

/// One event of an order's stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tracking {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands.
    pub status: OrderStatus,
    /// When it happened.
    pub at: Timestamp,
    /// Why it ended early, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<EndReason>,
    /// Who brings it, while assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<AssignedDriver>,
    /// When it is expected, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<Timestamp>,
}

/// Where an order is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderTracking {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands.
    pub status: OrderStatus,
    /// Who brings it, while assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<AssignedDriver>,
    /// The driver's last known place, while assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Place>,
    /// When that place was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_at: Option<Timestamp>,
    /// When the order is expected, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<Timestamp>,
}

impl Entity for Order {
    const COLLECTION: &'static str = "/api/v1/orders";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl From<NewOrder> for Basket {
    fn from(order: NewOrder) -> Self {
        Self { items: order.items, drop_off: order.drop_off }
    }
}

impl OrderStatus {
    /// Whether the order has ended for good.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Rejected | Self::Cancelled | Self::Returned)
    }
}

partie_contract::stored_by_name!(OrderStatus, EndReason, Assignment);

// === Events ===

macro_rules! order_events {
    ($($(#[$meta:meta])* $name:ident = $type_name:literal;)+) => {
    $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Event)]
        #[event($type_name, version = 1, subject = "order_id")]
        pub struct $name {
            /// The order.
            pub order_id: OrderId,
            /// Who ordered: the token's subject.
            pub customer: String,
            /// Whom to tell.
            pub contact: Contact,
            /// From where.
            pub restaurant_id: RestaurantId,
            /// The restaurant's name.
            pub restaurant_name: String,
            /// What it costs.
            pub total: Money,
            /// Why it ended early, if it did.
            #[serde(default)]
            pub reason: Option<EndReason>,
            /// Who brings it, if that is known.
            #[serde(default)]
            pub driver: Option<AssignedDriver>,
            /// When it is expected, if that is known.
            #[serde(default)]
            pub eta: Option<Timestamp>,
        }
    )+

        /// All of them.
        pub const EVENTS: &[EventSpec] = &[$(EventSpec::of::<$name>()),+];
    };
}

order_events! {
    /// An order was placed.
    OrderPlaced = "order.placed";
    /// The kitchen took it.
    OrderConfirmed = "order.confirmed";
    /// It ended before it was confirmed.
    OrderRejected = "order.rejected";
    /// The food is ready.
    OrderReady = "order.ready";
    /// The driver has the food.
    OrderPickedUp = "order.picked_up";
    /// The customer has the food.
    OrderDelivered = "order.delivered";
    /// It ended after it was confirmed.
    OrderCancelled = "order.cancelled";
    /// Delivered, and nothing left to do.
    OrderCompleted = "order.completed";
}
