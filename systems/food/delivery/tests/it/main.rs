//! The delivery service through its typed clients, on a clock that is stepped.
#![allow(clippy::unwrap_used, reason = "the helpers are tests too")]

mod conformance;
mod journey;
mod locations;
mod news;
mod offers;
mod races;
mod seed;
mod silence;
mod town;
