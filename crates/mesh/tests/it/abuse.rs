//! What clients do who mean no good, by bytes: how it is read, what goes on, and what it costs.

mod bounds;
mod floods;
mod forwarded;
