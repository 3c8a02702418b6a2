//! The users system: registration, signing in, profiles. The program is [`system`]'s command line.
//!
//! Layout: `guide` says what to paste, `mail` shows what was sent in development.
#![forbid(unsafe_code)]

mod guide;
mod mail;

use partie::{Gateway, System};
use users_accounts::Settings;

pub use mail::{command as mail_command, main as mail};

/// The system, as its program runs it.
pub fn system() -> System {
    system_with(&Settings::default())
}

/// The same, with these settings of the users as their defaults.
pub fn system_with(settings: &Settings) -> System {
    System::new("users")
        .service(users_accounts::service_with(settings))
        .gateway(Gateway::default())
        .guide(guide::requests)
        .command(mail_command("users"), mail)
}
