//! The embedded database: SQLite, with one thread that writes and a few that read.

mod control;
mod group;
mod guard;
mod header;
mod log;
mod open;
mod readers;
mod session;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use open::open;
pub(crate) use session::{Row, Session};
