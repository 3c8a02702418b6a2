//! The service as its callers see it, with real servers to send to.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod mail;
mod receiver;
mod standard;
mod support;
mod webhooks;
