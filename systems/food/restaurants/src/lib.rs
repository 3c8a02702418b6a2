//! The restaurants of the food system: menus, opening hours, and the tickets their kitchens cook by.
//!
//! Layout: `hours`, `zone`, `menu`, `restaurant`, `basket` and `ticket` are the rules, plain functions over values;
//! `rows` is the SQL; `desk` implements the contracts by putting the two together, one transaction a request; `demo`
//! is what a new database holds in development.
#![forbid(unsafe_code)]

mod actor;
mod basket;
mod demo;
mod desk;
mod hours;
mod kitchen;
mod menu;
mod restaurant;
mod rows;
mod service;
mod settings;
mod ticket;
mod zone;

pub use service::service;
pub use settings::Settings;
