//! The tests of caches: one suite for both engines, the one of Redis against a real server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod engines;
mod invalidation;
mod outage;
mod single_flight;
mod support;

#[cfg(feature = "redis")]
mod redis;
