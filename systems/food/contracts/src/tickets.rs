//! Tickets: what a kitchen has to cook.

use partie_contract::{
    Call, Created, Cursor, Entity, Event, EventSpec, Limit, Outcome, Page, Problem, Timestamp, Versioned,
    contract,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::restaurants::Line;
use crate::{OrderId, RestaurantId, TicketId};

/// Tickets: what a kitchen has to cook.
#[contract(service = "restaurants", version = 1)]
pub trait Tickets {
    /// List the tickets of one's restaurants, oldest first.
    #[get("/tickets", roles = ["owner", "admin"])]
    async fn list(&self, cx: &Call, query: ListTickets) -> Outcome<Page<Ticket>, TicketError>;

    /// Read a ticket.
    #[get("/tickets/{id}", roles = ["owner", "admin", "service"])]
    async fn ticket(&self, cx: &Call, id: TicketId) -> Outcome<Versioned<Ticket>, TicketError>;

    /// Create the ticket of an order: reserves portions and capacity, and asks the kitchen.
    #[post("/tickets", role = "service", keyed)]
    async fn create(&self, cx: &Call, ticket: NewTicket) -> Outcome<Created<Ticket>, TicketError>;

    /// Take the order and say when it will be ready.
    #[post("/tickets/{id}/accept", roles = ["owner", "admin"], keyed)]
    async fn accept(
        &self,
        cx: &Call,
        id: TicketId,
        accept: AcceptTicket,
    ) -> Outcome<Versioned<Ticket>, TicketError>;

    /// Refuse the order, or give it up before the food is ready.
    #[post("/tickets/{id}/decline", roles = ["owner", "admin"], keyed)]
    async fn decline(&self, cx: &Call, id: TicketId) -> Outcome<Versioned<Ticket>, TicketError>;

    /// Start cooking.
    #[post("/tickets/{id}/start", roles = ["owner", "admin"], keyed)]
    async fn start(&self, cx: &Call, id: TicketId) -> Outcome<Versioned<Ticket>, TicketError>;

    /// The food is ready.
    #[post("/tickets/{id}/ready", roles = ["owner", "admin"], keyed)]
    async fn ready(&self, cx: &Call, id: TicketId) -> Outcome<Versioned<Ticket>, TicketError>;

    /// The food was handed to the driver. The driver's word does as well, so that may have happened already.
    #[post("/tickets/{id}/hand-over", roles = ["owner", "admin"], keyed)]
    async fn hand_over(&self, cx: &Call, id: TicketId) -> Outcome<Versioned<Ticket>, TicketError>;

    /// Cancel an order's ticket. A kitchen that is cooking refuses unless told to `force`. An order that has no
    /// ticket yet will not get one any more.
    #[post("/tickets/cancel", role = "service", keyed)]
    async fn cancel(&self, cx: &Call, cancel: CancelTicket) -> Outcome<CancelledTicket, TicketError>;
}

/// What can go wrong with a ticket.
#[derive(Debug, PartialEq, Problem)]
pub enum TicketError {
    /// There is no such ticket.
    #[problem(404, "ticket-not-found")]
    NotFound,
    /// The ticket cannot do that from the state it is in.
    #[problem(409, "invalid-transition")]
    InvalidTransition {
        /// The state it is in.
        current_state: TicketStatus,
        /// What it can do from there.
        allowed: Vec<String>,
    },
    /// The food cannot be ready in the past.
    #[problem(422, "ready-by-invalid")]
    ReadyByInvalid,
    /// The restaurant takes no orders now.
    #[problem(409, "restaurant-closed")]
    Closed,
    /// The kitchen has all the orders it can cook.
    #[problem(409, "restaurant-busy")]
    Busy,
    /// Items are sold out.
    #[problem(409, "item-unavailable")]
    ItemUnavailable,
    /// The order was cancelled before its ticket arrived.
    #[problem(409, "compensated")]
    Compensated,
}

/// The ticket of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NewTicket {
    /// The order.
    pub order_id: OrderId,
    /// The restaurant.
    pub restaurant_id: RestaurantId,
    /// What to cook.
    pub lines: Vec<Line>,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// The order.
    pub order_id: OrderId,
    /// The restaurant.
    pub restaurant_id: RestaurantId,
    /// Where it stands.
    pub status: TicketStatus,
    /// What to cook.
    pub lines: Vec<Line>,
    /// When the kitchen must have answered.
    pub accept_by: Timestamp,
    /// When the food is to be ready, once accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_by: Option<Timestamp>,
    /// When the food was ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// The row version.
    pub version: i64,
}

/// Where a ticket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketStatus {
    /// The kitchen was asked.
    AwaitingAcceptance,
    /// The kitchen took it.
    Accepted,
    /// The kitchen is cooking.
    Preparing,
    /// The food is ready.
    Ready,
    /// The driver has the food.
    HandedOver,
    /// The kitchen refused.
    Declined,
    /// The kitchen did not answer in time.
    Expired,
    /// The order was cancelled.
    Cancelled,
}

/// Takes an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptTicket {
    /// When the food will be ready.
    pub ready_by: Timestamp,
}

/// Cancels an order's ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelTicket {
    /// The order.
    pub order_id: OrderId,
    /// Whether the kitchen may not refuse.
    #[serde(default)]
    pub force: bool,
}

/// A ticket that is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelledTicket {
    /// The order.
    pub order_id: OrderId,
    /// The ticket; absent if it had never arrived.
    #[serde(default)]
    pub ticket_id: Option<TicketId>,
}

/// Which tickets to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct ListTickets {
    /// Only this restaurant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restaurant_id: Option<RestaurantId>,
    /// Only those that stand here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<TicketStatus>,
    /// How many.
    #[serde(default)]
    pub limit: Limit,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

impl Entity for Ticket {
    const COLLECTION: &'static str = "/api/v1/tickets";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

partie_contract::stored_by_name!(TicketStatus);

// === Events ===

macro_rules! ticket_events {
    ($($(#[$meta:meta])* $name:ident = $type_name:literal { $($(#[$field_meta:meta])* $field:ident: $type:ty),* };)+) => {
    $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Event)]
        #[event($type_name, version = 1, subject = "order_id")]
        pub struct $name {
            /// The order; tickets are followed by it.
            pub order_id: OrderId,
            /// The ticket.
            pub ticket_id: TicketId,
            $($(#[$field_meta])* pub $field: $type,)*
        }
    )+

        /// All of them.
        pub const EVENTS: &[EventSpec] = &[$(EventSpec::of::<$name>()),+];
    };
}

ticket_events! {
    /// The kitchen was asked.
    TicketCreated = "ticket.created" { /** The restaurant. */ restaurant_id: RestaurantId };
    /// The kitchen took the order.
    TicketAccepted = "ticket.accepted" { /** When the food is to be ready. */ ready_by: Timestamp };
    /// The kitchen refused.
    TicketDeclined = "ticket.declined" {};
    /// The kitchen did not answer in time.
    TicketExpired = "ticket.expired" {};
    /// The kitchen is cooking.
    TicketPreparing = "ticket.preparing" {};
    /// The food is ready.
    TicketReady = "ticket.ready" { /** Since when. */ ready_at: Timestamp };
    /// The ticket was cancelled.
    TicketCancelled = "ticket.cancelled" {};
}
