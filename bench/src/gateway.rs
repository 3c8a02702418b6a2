//! The gateways that `gateway` compares, each in front of the same two upstreams, on one core.

mod configs;
mod drive;
mod peer;
mod tokens;
mod training;

pub use drive::{Driven, drive, idle};
pub use peer::{Peer, SHIPPED, Stage};
pub use training::train;
