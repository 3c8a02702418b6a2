//! The contracts of users: who somebody is, and that it is them.
//!
//! `accounts` is what people do about their account and administrators about those of others, `auth` is signing in and
//! out, `sessions` where one is signed in, `clients` are programs with an identity of their own, `seed` the unversioned
//! routes of the tutorial; `events` is what others hear of it all, `mails` what people read,
//! and `types` has the words they share.
//!
//! The OAuth endpoints are no contract: RFC 6749 says how they look.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod auth;
pub mod clients;
pub mod events;
pub mod mails;
pub mod seed;
pub mod sessions;
mod types;

pub use partie_contract::EmailAddress;
pub use partie_contract::{Revocation, RevocationNews};
pub use types::{SecretText, SessionId, UserId, Username};
