//! Tests of the store, through its public face.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backup;
mod crash;
mod engines;
mod group;
mod keyed;
mod leases;
mod model;
mod open;
#[cfg(feature = "postgres")]
mod outages;
#[cfg(feature = "postgres")]
mod replicas;
mod support;
#[cfg(feature = "postgres")]
mod tls;
mod transaction;
