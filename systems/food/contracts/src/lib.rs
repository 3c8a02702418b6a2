//! The contracts of the food-delivery system: who can be asked for what, and what is told to whom.
//!
//! One module per contract, each with its operations, its problems and its events; `types` has the words they share,
//! `seed` the unversioned routes of the tutorial this system grew from.
#![forbid(unsafe_code)]

pub mod delivery;
pub mod notifications;
pub mod orders;
pub mod restaurants;
pub mod seed;
pub mod tickets;
mod types;

pub use types::{
    Contact, DeliveryId, DriverId, EmailAddress, InvalidValue, ItemId, NotificationId, OfferId, OrderId,
    PhoneNumber, Place, Quantity, RestaurantId, TicketId,
};
