//! The contract crate from outside: with the macros and by hand, from a client over a wire to a service and back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod by_hand;
mod documents;
mod events;
mod kitchen;
mod refusals;
mod round_trip;
mod streams;
mod ui;
mod versions;
mod wire;
