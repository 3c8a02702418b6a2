//! The service, declared.

use ncr_contracts::calculator::Calculator;
use ncr_contracts::seed::SeedNcr;
use partie::Service;

use crate::desk::Desk;
use crate::settings::Settings;

/// Binomial coefficients.
pub fn service() -> impl Into<Service> {
    Service::new("calculator")
        .settings(&Settings::default())
        .calls_grpc("factorial")
        .start(async |s| Desk::start(&s))
        .serve(Calculator::routes())
        .serve(SeedNcr::routes())
}
