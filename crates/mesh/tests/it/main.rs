//! The tests of the data plane, against real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attempts;
mod balance;
mod bulkhead;
mod calls;
mod clocks;
#[cfg(feature = "consul")]
mod consul;
mod consul_api;
mod deadline;
mod disconnect;
mod discovery;
#[cfg(feature = "dns")]
mod dns;
mod drain;
mod engines;
#[cfg(feature = "etcd")]
mod etcd;
mod fleet;
mod http2;
mod parity;
mod pool;
mod service;
mod sockets;
mod streams;
mod strictness;
mod support;
