//! The users system, from outside: over its socket, by its mails, and in its database afterwards.

mod oauth;
mod passwords;
mod profiles;
mod refreshing;
mod registration;
mod sessions;
mod signing_in;
mod support;
