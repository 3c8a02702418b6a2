//! The notifications of the food system: customers are told what became of their orders, once.
//!
//! The service itself is the one several systems have, [`notifications`]; here is what this system has to say.
//!
//! Layout: `templates` is what can be said, `orders` on which occasions; `seed` is the tutorial's route.
#![forbid(unsafe_code)]

mod orders;
mod seed;
mod service;
mod templates;

pub use notifications::{DeliveryLog, Message, Provider, ProviderError, Settings};
pub use service::{service, service_with};
