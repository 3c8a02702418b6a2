//! The food-delivery system: one program, every service.
#![forbid(unsafe_code)]

mod guide;
mod replay;
mod simulate;

use std::process::ExitCode;

use partie::{Gateway, System};

fn main() -> ExitCode {
    System::new("food")
        .service(food_restaurants::service())
        .service(food_orders::service())
        .service(food_delivery::service())
        .service(food_notifications::service())
        .gateway(Gateway::default())
        .guide(guide::requests)
        .command(replay::command(), replay::main)
        .command(simulate::command(), simulate::main)
        .main()
}
