//! The service as its callers see it: through the contract clients, in one process, on a stepped clock.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod demo;
mod items;
mod listing;
mod owners;
mod quote;
mod support;
mod tickets;
