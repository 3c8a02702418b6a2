//! Balancing: instances of one service, how fast each answers, and which one gets the next call.

mod endpoint;
mod load;
mod set;
mod subset;

pub(crate) use self::endpoint::{Endpoint, Outcome, UnderWay};
pub(crate) use self::set::{EndpointSet, Wish};
