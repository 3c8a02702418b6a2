//! The users service: accounts, sessions, and the tokens and keys that prove who somebody is.
//!
//! Layout: `user`, `session`, `lockout` and `roles` are the rules, plain functions over values; `rows` is the SQL; `desk`
//! implements the contracts by putting the two together; `oauth` answers the endpoints of RFC 6749 and those beside it.
//! `minter` makes tokens that only this service can read, `seal` closes what is kept of private keys, `keyring` holds
//! the keys and turns them over, `access` signs with them; `follow` is what each process knows of the latest keys and
//! revocations; `mail` is the way out; `program` is what a program adds that has users in it.
#![forbid(unsafe_code)]

mod access;
mod audit;
mod desk;
mod follow;
mod keyring;
mod lockout;
mod mail;
mod minter;
mod oauth;
mod program;
mod roles;
mod rows;
mod seal;
mod service;
mod session;
mod settings;
mod user;

pub use program::routes;
pub use service::{service, service_with};
pub use settings::Settings;
