//! The embedded database: SQLite, with one thread that writes and a few that read.

mod control;
mod copy;
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

/// Copies of databases.
pub(crate) mod copying {
    pub(crate) use super::copy::{Source, begin_epoch, contents, copy};
    pub(crate) use super::header::beside;
}
