//! The nCr system: a calculator over HTTP, and the factorials it asks for over gRPC.
//!
//! Layout: `guide` says what to paste.
#![forbid(unsafe_code)]

mod guide;

use ncr_calculator::Settings;
use partie::{Gateway, System};

/// The system, whose calculator asks the factorials in it.
pub fn system() -> System {
    composed(&Settings::default())
}

/// The system as its program runs it: as in the tutorial, `HOST` and `PORT` may say where factorials are that are not
/// part of it. Configuration and flags have the last word.
pub fn system_in(environment: impl Fn(&str) -> Option<String>) -> System {
    match (environment("HOST"), environment("PORT")) {
        (Some(host), Some(port)) => composed(&Settings::at(&format!("{host}:{port}"))),
        _ => system(),
    }
}

fn composed(settings: &Settings) -> System {
    System::new("ncr")
        .service(ncr_factorial::service())
        .service(ncr_calculator::service_with(settings))
        .gateway(Gateway::default())
        .guide(guide::requests)
}
