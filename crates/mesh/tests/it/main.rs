//! The tests of the data plane, against real sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod abuse;
mod answers;
mod attempts;
mod balance;
mod bulkhead;
mod calls;
mod certificates;
mod chain;
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
mod faults;
mod fleet;
mod http2;
mod mutual;
mod overload;
mod parity;
mod pool;
mod restarts;
mod service;
mod sockets;
mod streams;
mod strictness;
mod support;
mod tls;
mod upgrade;
