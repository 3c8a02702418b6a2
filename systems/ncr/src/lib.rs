//! The nCr system: a calculator over HTTP, and the factorials it asks for over gRPC.
//!
//! Layout: `guide` says what to paste.
#![forbid(unsafe_code)]

mod guide;

use partie::{Gateway, System};

/// The system, as its program runs it.
pub fn system() -> System {
    System::new("ncr")
        .service(ncr_factorial::service())
        .service(ncr_calculator::service())
        .gateway(Gateway::default())
        .guide(guide::requests)
}
