//! The database for more than one process: PostgreSQL, with a few connections that have a thread each.

mod aside;
mod error;
mod link;
mod open;
mod outage;
mod server;
mod session;
mod sql;
mod tls;
mod turns;
mod values;
mod wait;
mod worker;

pub(crate) use aside::Wanted;
pub(crate) use open::open;
pub(crate) use session::{Row, Session};
