//! Recorded days: reading them, writing what was done on them, and checking it by their rules.

pub(crate) mod check;
pub(crate) mod day;
pub(crate) mod solution;
mod table;
