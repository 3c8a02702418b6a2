//! The service as its callers, and the people it tells, see it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attempts;
mod conformance;
mod orders;
mod seed;
mod send;
mod support;
