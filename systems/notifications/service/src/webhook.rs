//! Webhooks: signed requests to registered endpoints.

mod courier;
mod endpoint;
mod guard;
mod settings;
mod target;

pub(crate) use courier::{Courier, Failure};
pub(crate) use endpoint::{Endpoint, fresh_secret};
pub use settings::WebhookSettings;
