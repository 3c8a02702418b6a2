//! The orders service: it prices and takes orders, sees them through to the doorstep, and remembers what happened to
//! them.
//!
//! Layout: `order` is the domain, without SQL; `desk` answers the contracts; `saga` is the way of an order over the
//! services, `hears` what they say of it, `cancel` the customer's wish to end it; `chronicle` writes down what happened,
//! `rows` keeps it.
#![forbid(unsafe_code)]

mod cancel;
mod chronicle;
mod desk;
mod hears;
mod order;
mod rows;
mod saga;
mod service;

pub use saga::failpoints;
pub use service::service;
