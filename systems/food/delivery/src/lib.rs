//! Delivery: who brings what to whom.
//!
//! Layout: [`dispatch`] decides; it is pure and deterministic, and knows nothing of the service around it. `driver`,
//! `delivery`, `offer`, `track`, `itinerary` and `geo` are the rules, plain functions over values; `rows` is the SQL;
//! `news` is what others are told; `board` puts them together, inside one transaction; `round` asks dispatch and offers what it answers, `sweep`
//! ends what has run out, `pace` says when; `desk` implements the contracts.
#![forbid(unsafe_code)]

mod board;
mod delivery;
mod desk;
pub mod dispatch;
mod driver;
mod geo;
mod itinerary;
mod news;
mod offer;
mod pace;
mod round;
mod rows;
mod service;
mod settings;
mod sweep;
mod track;
mod wakes;

pub use geo::Projection;
pub use service::service;
pub use settings::Settings;
