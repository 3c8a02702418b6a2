//! The service, declared.

use std::time::Duration;

use notifications_contracts::NotificationsClient;
use partie::Service;
use partie::store::migrations;
use users_contracts::accounts::Accounts;
use users_contracts::auth::Auth;
use users_contracts::clients::Clients;
use users_contracts::events;
use users_contracts::seed::SeedUsers;
use users_contracts::sessions::Sessions;

use crate::desk::UserDesk;
use crate::oauth;
use crate::settings::Settings;

/// How often what is over is thrown away, in business time.
const SWEEP: Duration = Duration::from_mins(10);

/// Users of a system called `users`.
pub fn service() -> impl Into<Service> {
    service_with(&Settings::default())
}

/// Users, with these settings as their defaults.
pub fn service_with(settings: &Settings) -> impl Into<Service> + use<> {
    Service::new("users")
        .store(migrations!["0001_users.sql"])
        .settings(settings)
        .calls::<NotificationsClient>()
        .issues_tokens()
        .publishes(events::EVENTS)
        .start(UserDesk::start)
        .serve(Accounts::routes())
        .serve(Auth::routes())
        .serve(Sessions::routes())
        .serve(Clients::routes())
        .serve(SeedUsers::routes())
        .router(oauth::router)
        .job(UserDesk::mail)
        .job(UserDesk::mail_if_known)
        .timer(UserDesk::forget)
        .every(SWEEP, UserDesk::sweep)
}
