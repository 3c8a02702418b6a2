//! The users system: registration, signing in, profiles. The program is [`system`]'s command line.
//!
//! Layout: `guide` says what to paste.
#![forbid(unsafe_code)]

mod guide;

use partie::{Gateway, System};
use users_accounts::Settings;
use users_contracts::mails;

/// The system, as its program runs it.
pub fn system() -> System {
    system_with(&Settings::default())
}

/// The same, with these settings of the users as their defaults.
pub fn system_with(settings: &Settings) -> System {
    System::new("users")
        .service(users_accounts::service_with(settings))
        .service(notifications::service(&[&mails::ALL]))
        .gateway(Gateway { routes: users_accounts::routes(), ..Gateway::default() })
        .guide(guide::requests)
        .command(notifications::mail_command(), notifications::print_mail)
}
