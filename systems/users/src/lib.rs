//! The users system: registration, signing in, profiles. The program is [`system`]'s command line.
//!
//! Layout: `guide` says what to paste.
#![forbid(unsafe_code)]

mod guide;

use partie::{Gateway, System};
use users_accounts::Settings;

/// The system, as its program runs it.
pub fn system() -> System {
    system_with(&Settings::default())
}

/// The same, with these settings of the users as their defaults.
pub fn system_with(settings: &Settings) -> System {
    System::new("users")
        .service(users_accounts::service_with(settings))
        .gateway(Gateway { routes: users_accounts::routes(), ..Gateway::default() })
        .guide(guide::requests)
        .command(users_accounts::mail_command("users"), users_accounts::mail)
}
