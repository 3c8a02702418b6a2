//! The food-delivery system: every service, composed. The program is [`system`]'s command line.
//!
//! Layout: `demo` plays the parts of kitchens and drivers for newcomers, `guide` says what to paste; `replay` plays a
//! recorded day through the whole system, `simulate` through dispatch alone.
#![forbid(unsafe_code)]

mod demo;
mod guide;
mod replay;
mod simulate;

use partie::{Gateway, System};
use users_accounts::Settings;

pub use demo::play;

/// What people who register can be; customers, if they say nothing.
const ROLES: [&str; 3] = ["customer", "owner", "driver"];

/// The system, as its program runs it.
pub fn system() -> System {
    System::new("food")
        .service(food_restaurants::service())
        .service(food_orders::service())
        .service(food_delivery::service())
        .service(food_notifications::service())
        .service(users_accounts::service_with(&Settings::of("food", &ROLES)))
        .gateway(Gateway { routes: users_accounts::routes(), ..Gateway::default() })
        .guide(guide::requests)
        .actors(play)
        .command(notifications::mail_command(), notifications::print_mail)
        .command(replay::command(), replay::main)
        .command(simulate::command(), simulate::main)
}
