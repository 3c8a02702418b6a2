//! The tests of the testkit: a small menu service, whole, in a system of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backstage;
mod conforming;
mod deviating;
mod fallback;
mod issuers;
mod keys;
mod menu;
mod outside;
mod rolling;
mod running;
mod stalls;
mod versions;
