//! The service, declared.

use ncr_contracts::calculator::Calculator;
use ncr_contracts::seed::SeedNcr;
use partie::Service;

use crate::desk::Desk;
use crate::settings::Settings;

/// Binomial coefficients, from the system's factorials.
pub fn service() -> impl Into<Service> {
    service_with(&Settings::default())
}

/// Binomial coefficients, with these settings as the defaults.
pub fn service_with(settings: &Settings) -> impl Into<Service> + use<> {
    Service::new("calculator")
        .settings(settings)
        .calls_grpc("factorial")
        .start(async |s| Desk::start(&s).await)
        .serve(Calculator::routes())
        .serve(SeedNcr::routes())
}
