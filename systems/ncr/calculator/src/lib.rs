//! The calculator: binomial coefficients over HTTP, each from exactly three factorials, asked for over gRPC.
//!
//! Layout: `service` declares it and `settings` are its own; `desk` answers, `exact` divides.
#![forbid(unsafe_code)]

mod desk;
mod exact;
mod service;
mod settings;

pub use service::{service, service_with};
pub use settings::Settings;
