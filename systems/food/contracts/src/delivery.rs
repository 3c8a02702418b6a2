//! Delivery: drivers, offers, and the way from the restaurant to the door.

use partie_contract::{
    Call, Created, Entity, Event, EventSpec, NoContent, Outcome, Problem, Timestamp, Versioned, contract,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DeliveryId, DriverId, OfferId, OrderId, Place, RestaurantId};

/// Drivers: who is there, where, and what is offered to them.
///
/// `{id}` is the driver's id, or `me`. The first status of a token's subject makes the driver.
#[contract(service = "delivery", version = 1)]
pub trait Drivers {
    /// Read a driver.
    #[get("/drivers/{id}", roles = ["driver", "admin"])]
    async fn driver(&self, cx: &Call, id: String) -> Outcome<Versioned<Driver>, DriverError>;

    /// Come online, take a break, or leave. `If-Match` is honoured, not required: the last word of a driver counts.
    #[put("/drivers/{id}/status", role = "driver")]
    async fn set_status(
        &self,
        cx: &Call,
        id: String,
        status: SetStatus,
    ) -> Outcome<Versioned<Driver>, DriverError>;

    /// Report places. Older sequence numbers are ignored, leaps are marked as suspect.
    #[post("/drivers/{id}/location", role = "driver")]
    async fn report(&self, cx: &Call, id: String, points: Points) -> Outcome<PointsTaken, DriverError>;

    /// The offers that wait for this driver; with `Prefer: wait=N` it waits for one.
    #[get("/drivers/{id}/offers", role = "driver")]
    async fn offers(&self, cx: &Call, id: String) -> Outcome<Offers, DriverError>;

    /// The deliveries the driver has taken and not finished, in the sequence to make them.
    #[get("/drivers/{id}/deliveries", role = "driver")]
    async fn deliveries(&self, cx: &Call, id: String) -> Outcome<Tour, DriverError>;

    /// Take an offer, all of it.
    #[post("/offers/{id}/accept", role = "driver", keyed)]
    async fn accept(&self, cx: &Call, id: OfferId, accept: AcceptOffer) -> Outcome<Offer, OfferError>;

    /// Leave an offer to others.
    #[post("/offers/{id}/decline", role = "driver", keyed)]
    async fn decline(&self, cx: &Call, id: OfferId) -> Outcome<Offer, OfferError>;
}

/// Deliveries: one for each order.
#[contract(service = "delivery", version = 1)]
pub trait Deliveries {
    /// Ask for the delivery of an order.
    #[post("/deliveries", role = "service", keyed)]
    async fn request(&self, cx: &Call, delivery: NewDelivery) -> Outcome<Created<Delivery>, DeliveryError>;

    /// Withdraw the delivery of an order that was not picked up. A delivery that was never asked for will not be made.
    #[post("/deliveries/cancel", role = "service", keyed)]
    async fn cancel(&self, cx: &Call, cancel: CancelDelivery) -> Outcome<NoContent, DeliveryError>;

    /// Read a delivery.
    #[get("/deliveries/{id}", roles = ["driver", "admin", "service"])]
    async fn delivery(&self, cx: &Call, id: DeliveryId) -> Outcome<Versioned<Delivery>, DeliveryError>;

    /// Where the driver of an order is, while one is assigned.
    #[get("/deliveries/position/{order_id}", role = "service")]
    async fn position(&self, cx: &Call, order_id: OrderId) -> Outcome<Position, DeliveryError>;

    /// The driver is at the restaurant.
    #[post("/deliveries/{id}/arrived-pickup", role = "driver", keyed)]
    async fn arrived_pickup(&self, cx: &Call, id: DeliveryId) -> Outcome<Versioned<Delivery>, DeliveryError>;

    /// The driver has the food. Not before it is ready.
    #[post("/deliveries/{id}/picked-up", role = "driver", keyed)]
    async fn picked_up(&self, cx: &Call, id: DeliveryId) -> Outcome<Versioned<Delivery>, DeliveryError>;

    /// The driver is at the door.
    #[post("/deliveries/{id}/arrived-dropoff", role = "driver", keyed)]
    async fn arrived_dropoff(&self, cx: &Call, id: DeliveryId)
    -> Outcome<Versioned<Delivery>, DeliveryError>;

    /// The customer has the food.
    #[post("/deliveries/{id}/delivered", role = "driver", keyed)]
    async fn delivered(&self, cx: &Call, id: DeliveryId) -> Outcome<Versioned<Delivery>, DeliveryError>;

    /// Nobody took the food; it goes back. Before the pickup: the driver gives the delivery up, and another is searched.
    #[post("/deliveries/{id}/fail", role = "driver", keyed)]
    async fn fail(
        &self,
        cx: &Call,
        id: DeliveryId,
        failure: Failure,
    ) -> Outcome<Versioned<Delivery>, DeliveryError>;

    /// The food is back at the restaurant: once on arrival, once when it was taken back.
    #[post("/deliveries/{id}/return", role = "driver", keyed)]
    async fn give_back(&self, cx: &Call, id: DeliveryId) -> Outcome<Versioned<Delivery>, DeliveryError>;
}

/// What can go wrong with a driver.
#[derive(Debug, PartialEq, Problem)]
pub enum DriverError {
    /// There is no such driver.
    #[problem(404, "driver-not-found")]
    NotFound,
    /// The driver cannot do that from the state it is in.
    #[problem(409, "invalid-transition")]
    InvalidTransition {
        /// The state it is in.
        current_state: DriverStatus,
        /// What it can do from there.
        allowed: Vec<String>,
    },
    /// A place was reported from the future.
    #[problem(422, "location-from-the-future")]
    FromTheFuture {
        /// JSON Pointers to them.
        pointers: Vec<String>,
    },
}

/// What can go wrong with an offer.
#[derive(Debug, PartialEq, Problem)]
pub enum OfferError {
    /// There is no such offer for this driver.
    #[problem(404, "offer-not-found")]
    NotFound,
    /// The offer's time is over.
    #[problem(410, "offer-expired")]
    Expired,
    /// The offer was already answered, or withdrawn.
    #[problem(409, "offer-taken")]
    Taken,
}

/// What can go wrong with a delivery.
#[derive(Debug, PartialEq, Problem)]
pub enum DeliveryError {
    /// There is no such delivery.
    #[problem(404, "delivery-not-found")]
    NotFound,
    /// The delivery cannot do that from the state it is in.
    #[problem(409, "invalid-transition")]
    InvalidTransition {
        /// The state it is in.
        current_state: DeliveryStatus,
        /// What it can do from there.
        allowed: Vec<String>,
    },
    /// The food is not ready.
    #[problem(409, "food-not-ready")]
    NotReady {
        /// When it is to be.
        ready_at: Timestamp,
    },
    /// An earlier delivery of the bundle is not done.
    #[problem(409, "out-of-sequence")]
    OutOfSequence,
    /// The order was cancelled before its delivery was asked for.
    #[problem(409, "compensated")]
    Compensated,
}

/// A driver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Driver {
    /// The id.
    pub id: DriverId,
    /// The name.
    pub name: String,
    /// Where the driver stands.
    pub status: DriverStatus,
    /// Until when the driver can pick up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_until: Option<Timestamp>,
    /// The last known place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Place>,
    /// How many deliveries the driver has.
    pub load: u32,
    /// The row version.
    pub version: i64,
}

/// Where a driver stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriverStatus {
    /// Not working.
    Offline,
    /// Waiting for an offer.
    Available,
    /// Has an offer to answer.
    Offered,
    /// Has deliveries.
    Busy,
    /// Pausing.
    OnBreak,
    /// Nothing was heard for a while.
    Stale,
    /// May not work.
    Suspended,
}

/// What a driver can say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Ready for offers.
    Available,
    /// Pausing.
    OnBreak,
    /// Not working.
    Offline,
}

/// A driver's word on itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetStatus {
    /// Ready, pausing or leaving.
    pub status: Presence,
    /// Until when the driver can pick up; without end if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_until: Option<Timestamp>,
    /// Where the driver is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Place>,
    /// What to call the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80))]
    pub name: Option<String>,
}

/// Places a driver was at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Points {
    /// Oldest first.
    #[schemars(length(min = 1, max = 100))]
    pub points: Vec<Point>,
}

/// A place and a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// Counts the driver's reports.
    pub seq: i64,
    /// Degrees north.
    #[schemars(range(min = -90.0, max = 90.0))]
    pub lat: f64,
    /// Degrees east.
    #[schemars(range(min = -180.0, max = 180.0))]
    pub lon: f64,
    /// When; now if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What became of reported places, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PointsTaken {
    /// One for each point.
    pub points: Vec<PointTaken>,
}

/// What became of a reported place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PointTaken {
    /// Which.
    pub seq: i64,
    /// It was older than what is known, and dropped.
    #[serde(default)]
    pub ignored: bool,
    /// It is too far from the one before (over 60 m/s), and kept.
    #[serde(default)]
    pub suspect: bool,
}

/// Offers that wait for an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Offers {
    /// At most one at a time.
    pub data: Vec<Offer>,
}

/// What a driver has to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tour {
    /// In the sequence to make them.
    pub data: Vec<Delivery>,
}

/// A bundle of deliveries of one restaurant, offered to one driver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// Where it stands.
    pub status: OfferStatus,
    /// Goes with the answer, so that an answer to an older offer does nothing.
    pub token: i64,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// The restaurant.
    pub restaurant_id: RestaurantId,
    /// Where to pick up.
    pub pick_up: Place,
    /// What to deliver, in this sequence.
    pub deliveries: Vec<OfferedDelivery>,
}

/// One delivery of an offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OfferedDelivery {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// The order.
    pub order_id: OrderId,
    /// Where to.
    pub drop_off: Place,
    /// When the food is ready.
    pub ready_at: Timestamp,
}

/// Where an offer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OfferStatus {
    /// Waits for an answer.
    Open,
    /// Taken.
    Accepted,
    /// Left to others.
    Declined,
    /// Not answered in time.
    Expired,
    /// Taken back, because an order was cancelled or the driver left.
    Withdrawn,
}

/// Takes an offer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptOffer {
    /// The offer's token; checked if sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<i64>,
}

/// A delivery to make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NewDelivery {
    /// The order.
    pub order_id: OrderId,
    /// The restaurant.
    pub restaurant_id: RestaurantId,
    /// Where to pick up.
    pub pick_up: Place,
    /// Where to drop off.
    pub drop_off: Place,
    /// When the order was placed.
    pub placed_at: Timestamp,
    /// When the food is ready.
    pub ready_at: Timestamp,
    /// Whether that is a promise, and the food is ready once the kitchen says so (`ticket.ready`).
    #[serde(default)]
    pub is_promise: bool,
}

/// Withdraws a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelDelivery {
    /// The order.
    pub order_id: OrderId,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The order.
    pub order_id: OrderId,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// Who makes it, while assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_id: Option<DriverId>,
    /// Where to pick up.
    pub pick_up: Place,
    /// Where to drop off.
    pub drop_off: Place,
    /// When the food is ready.
    pub ready_at: Timestamp,
    /// When a driver was assigned for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_at: Option<Timestamp>,
    /// When it was picked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picked_up_at: Option<Timestamp>,
    /// When it was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// When it is expected at the door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<Timestamp>,
    /// The row version.
    pub version: i64,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// Known, not searched for yet.
    Pending,
    /// A driver is searched.
    Searching,
    /// Offered to a driver.
    Offered,
    /// A driver took it.
    Assigned,
    /// The driver is on the way to the restaurant.
    EnRouteToPickup,
    /// The driver is at the restaurant.
    ArrivedAtPickup,
    /// The driver has the food.
    PickedUp,
    /// The driver is on the way to the door.
    EnRouteToDropoff,
    /// The driver is at the door.
    ArrivedAtDropoff,
    /// The customer has the food.
    Delivered,
    /// Nobody was found in time.
    UnassignedTimeout,
    /// Nobody took the food.
    Failed,
    /// The food goes back.
    Returning,
    /// The driver is back at the restaurant.
    ArrivedAtReturn,
    /// The restaurant has the food back.
    Returned,
    /// Withdrawn before the pickup.
    Cancelled,
}

/// Why a delivery failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The reason.
    pub reason: FailureReason,
}

/// Why a delivery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// Nobody opened.
    CustomerAbsent,
    /// The customer did not want it.
    Refused,
    /// Something happened on the way.
    Accident,
    /// The driver cannot make it to the restaurant.
    DriverUnable,
}

/// Where a driver is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// The driver's last known place; absent if none is assigned or none was reported.
    #[serde(default)]
    pub position: Option<Place>,
    /// When it was reported.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// When the order is expected.
    #[serde(default)]
    pub eta: Option<Timestamp>,
}

impl Entity for Driver {
    const COLLECTION: &'static str = "/api/v1/drivers";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl Entity for Delivery {
    const COLLECTION: &'static str = "/api/v1/deliveries";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

partie_contract::stored_by_name!(DriverStatus, DeliveryStatus, OfferStatus);

// === Events ===

macro_rules! delivery_events {
    ($($(#[$meta:meta])* $name:ident = $type_name:literal { $($(#[$field_meta:meta])* $field:ident: $type:ty),* };)+) => {
    $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Event)]
        #[event($type_name, version = 1, subject = "order_id")]
        pub struct $name {
            /// The order; deliveries are followed by it.
            pub order_id: OrderId,
            /// The delivery.
            pub delivery_id: DeliveryId,
            $($(#[$field_meta])* pub $field: $type,)*
        }
    )+

        /// All events of deliveries.
        pub const DELIVERY_EVENTS: &[EventSpec] = &[$(EventSpec::of::<$name>()),+];
    };
}

delivery_events! {
    /// A driver is searched.
    DeliverySearching = "delivery.searching" {};
    /// It was offered to a driver.
    DeliveryOffered = "delivery.offered" { /** The driver. */ driver_id: DriverId };
    /// An offer lapsed.
    OfferExpired = "delivery.offer_expired" { /** The driver. */ driver_id: DriverId };
    /// A driver took it.
    DeliveryAssigned = "delivery.assigned" {
        /** The driver. */ driver_id: DriverId,
        /** The driver's name. */ driver_name: String,
        /** When it is expected at the door. */ eta: Timestamp
    };
    /// The driver was lost before the pickup; another is searched.
    DeliveryReassigned = "delivery.reassigned" { /** The driver that was lost. */ driver_id: DriverId };
    /// The driver is at the restaurant.
    DeliveryArrivedPickup = "delivery.arrived_pickup" {};
    /// The driver has the food.
    DeliveryPickedUp = "delivery.picked_up" { /** When. */ at: Timestamp };
    /// The driver is at the door.
    DeliveryArrivedDropoff = "delivery.arrived_dropoff" {};
    /// The customer has the food.
    DeliveryDelivered = "delivery.delivered" { /** When. */ at: Timestamp };
    /// Nobody took the food.
    DeliveryFailed = "delivery.failed" { /** Why. */ reason: FailureReason };
    /// The restaurant has the food back.
    DeliveryReturned = "delivery.returned" {};
    /// Nobody was found in time.
    DeliveryUnassigned = "delivery.unassigned" {};
    /// It is expected at another time.
    EtaChanged = "delivery.eta_changed" { /** When. */ eta: Timestamp };
}

macro_rules! driver_events {
    ($($(#[$meta:meta])* $name:ident = $type_name:literal;)+) => {
    $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Event)]
        #[event($type_name, version = 1, subject = "driver_id")]
        pub struct $name {
            /// The driver.
            pub driver_id: DriverId,
        }
    )+

        /// All events of drivers.
        pub const DRIVER_EVENTS: &[EventSpec] = &[$(EventSpec::of::<$name>()),+];
    };
}

driver_events! {
    /// A driver came online.
    DriverOnline = "driver.online";
    /// A driver left.
    DriverOffline = "driver.offline";
    /// Nothing was heard of a driver for a while.
    DriverStale = "driver.stale";
}
