//! The service, declared; a system adds what is its own.

use notifications_contracts::{EVENTS, Notifications, Webhooks, Wording};
use partie::contract::BoxError;
use partie::store::migrations;
use partie::{Service, Serving, Start};

use crate::desk::Desk;
use crate::provider::{DeliveryLog, Provider};
use crate::settings::Settings;
use crate::templates::Templates;

/// The service `notifications` with these templates, for a system that adds nothing else. Text messages go to the
/// [`DeliveryLog`] in the system's data directory.
///
/// # Panics
/// When two templates have the same name.
pub fn service(templates: &[&[Wording]]) -> impl Into<Service> {
    serving(templates, |s| Ok(DeliveryLog::open(s.data(), s.clock().clone())?))
}

/// The service `notifications` with these templates and that way for text messages, ready to take handlers and contracts
/// of the system's own.
///
/// # Panics
/// When two templates have the same name.
pub fn serving<P: Provider>(
    templates: &[&[Wording]],
    provider: impl FnOnce(&Start) -> Result<P, BoxError> + 'static,
) -> Serving<Desk<P>> {
    let templates = Templates::new(templates);
    Service::new("notifications")
        .store(migrations!["0001_notifications.sql", "0002_channels.sql", "0003_until.sql"])
        .settings(&Settings::default())
        .publishes(EVENTS)
        .start(async |s| Desk::start(&s, templates, provider(&s)?))
        .serve(Notifications::routes())
        .serve(Webhooks::routes())
        .timer(Desk::<P>::try_again)
        .job_on_record(Desk::<P>::begin, Desk::<P>::deliver, Desk::<P>::record)
}
