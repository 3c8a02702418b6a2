//! The tables: everything here is SQL and its conversion, nothing decides.

pub(crate) mod attempts;
pub(crate) mod clients;
pub(crate) mod codes;
pub(crate) mod keys;
pub(crate) mod revocations;
pub(crate) mod sessions;
pub(crate) mod users;
