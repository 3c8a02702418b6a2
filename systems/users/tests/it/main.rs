//! The users system, from outside: over its socket, by its mails, and in its database afterwards.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod crash;
mod keys;
mod oauth;
mod passwords;
mod profiles;
mod python;
mod refreshing;
mod registration;
mod reload;
mod schemas;
mod sessions;
mod signing_in;
mod support;
