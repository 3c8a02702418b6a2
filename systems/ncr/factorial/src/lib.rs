//! The factorial service: exact factorials, computed once, off the threads that serve requests.
//!
//! Layout: `service` declares it and `settings` are its own; `desk` answers both gRPC services; `results` knows what was
//! computed and what is being computed; `product` computes.
#![forbid(unsafe_code)]

mod desk;
mod product;
mod results;
mod service;
mod settings;

pub use service::service;
pub use settings::Settings;
