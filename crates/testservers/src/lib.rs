//! Real servers for tests: each on a free port and in a directory of its own, ended with the process that started it.
//!
//! Depends on nothing, so that the tests of every crate can use it. A server that is not installed fails the test and
//! says how to get it.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod guard;
mod mail;
mod nats;
mod oidc;
mod postgres;

pub use mail::{MailServer, python_with};
pub use nats::Nats;
pub use oidc::OidcProvider;
pub use postgres::Postgres;
