//! The notifications of the food system: customers are told what became of their orders, once.
//!
//! A notification is queued in the transaction that wants it, together with the job that hands it to a [`Provider`].
//! The job records each attempt before the call and its result after it. A notification that was given up is a dead
//! letter: listed by its status, and put back in the queue by an administrator.
//!
//! Layout: `templates` is what can be said, `render` how, `orders` on which occasions; `request` checks what others want
//! sent; `notification` is the state machine; these are plain functions over values. `rows` is the SQL, `queue` puts
//! a notification in, `delivery` takes it out; `desk` implements the contracts; `provider` is the way to the recipient.
#![forbid(unsafe_code)]

mod delivery;
mod desk;
mod notification;
mod orders;
mod provider;
mod queue;
mod render;
mod request;
mod rows;
mod service;
mod settings;
mod templates;

pub use provider::{DeliveryLog, Message, Provider, ProviderError};
pub use service::{service, service_with};
pub use settings::Settings;
