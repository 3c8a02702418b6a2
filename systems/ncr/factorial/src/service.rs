//! The service, declared.

use ncr_contracts::{DESCRIPTORS, fact, math_v1};
use partie::Service;

use crate::desk::Desk;
use crate::settings::Settings;

/// Factorials, in the words of `math.v1` and of the tutorial.
pub fn service() -> impl Into<Service> {
    Service::new("factorial")
        .settings(&Settings::default())
        .start(async |s| Desk::start(&s))
        .grpc(math_v1::factorial_server::FactorialServer::from_arc)
        .grpc(fact::factorial_server::FactorialServer::from_arc)
        .reflection(&[DESCRIPTORS])
}
