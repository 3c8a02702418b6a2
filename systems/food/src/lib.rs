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

pub use demo::play;

/// The system, as its program runs it.
pub fn system() -> System {
    System::new("food")
        .service(food_restaurants::service())
        .service(food_orders::service())
        .service(food_delivery::service())
        .service(food_notifications::service())
        .gateway(Gateway::default())
        .guide(guide::requests)
        .actors(play)
        .command(replay::command(), replay::main)
        .command(simulate::command(), simulate::main)
}
