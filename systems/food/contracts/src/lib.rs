//! The contracts of the food-delivery system: who can be asked for what, and what is told to whom.
//!
//! One module per contract, each with its operations, its problems and its events; `types` has the words they share,
//! `seed` the unversioned routes of the tutorial this system grew from.
#![forbid(unsafe_code)]

pub mod delivery;
pub mod orders;
pub mod restaurants;
pub mod seed;
pub mod tickets;
mod types;

pub use partie_contract::EmailAddress;
pub use types::{
    Contact, DeliveryId, DriverId, InvalidValue, ItemId, OfferId, OrderId, PhoneNumber, Place, Quantity,
    RestaurantId, TicketId,
};

/// The contract of notifications, which other systems have too.
pub use notifications_contracts as notifications;
pub use notifications_contracts::NotificationId;
