//! What holds for every call between services, where each value comes from, and whether it can work.
//!
//! Everything here is known without starting anything: contracts say what operations are, [`calls`] who calls whom, and
//! the configuration what holds for it.
//!
//! [`calls`]: crate::Service::calls

mod check;
mod edge;
mod finding;

use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) use self::edge::{Edge, Source};
pub use self::finding::Finding;
use crate::config::Config;
use crate::server;
use crate::service::{Declared, OWN_WORK};
use crate::system::System;

/// More attempts than this at the end of a path for one request at its beginning are more than anybody means.
pub(crate) const MOST_ATTEMPTS: u32 = 16;

/// All edges of a system, with what is known of those who call.
pub(crate) struct Policies<'a> {
    pub(crate) edges: Vec<Edge<'a>>,
    /// How long whoever calls a service's clients can wait at most, by the caller.
    patience: BTreeMap<&'static str, Duration>,
    system: &'a System,
    config: &'a Config,
}

impl<'a> Policies<'a> {
    /// The edges from the gateway to all operations, and from each service to the operations of those it calls.
    pub(crate) fn of(system: &'a System, config: &'a Config) -> Self {
        let declared = || system.services.iter().map(|service| &service.declared);
        let mut edges = Vec::new();
        let mut patience = BTreeMap::new();
        if system.has_gateway {
            patience.insert(server::GATEWAY, config.gateway.longest_timeout);
            for contract in system.contracts() {
                edges.extend(Edge::all(server::GATEWAY, contract, config));
            }
        }
        for service in declared() {
            patience.insert(service.name, own_patience(service));
            for contract in service.calls.values() {
                edges.extend(Edge::all(service.name, contract, config).into_iter().map(|mut edge| {
                    edge.fallback = service.fallbacks.get(&(contract.service, edge.operation.name)).copied();
                    edge
                }));
            }
        }
        Self { edges, patience, system, config }
    }
}

/// The longest a service works on one thing: its slowest operation, or what it does of itself.
fn own_patience(service: &Declared) -> Duration {
    let operations = service.contracts.iter().flat_map(|contract| contract.operations);
    let longest = operations.map(|operation| operation.timeout.unwrap_or(server::DEFAULT_TIMEOUT)).max();
    // Only a service with a store has work of its own.
    let own = service.migrations.map(|_| OWN_WORK);
    longest.max(own).unwrap_or(server::DEFAULT_TIMEOUT)
}

impl System {
    /// Looks for what cannot work in the calls between services: deadlines that do not nest, retries that multiply,
    /// retries of what must not be done twice, circles, and policies for what does not exist.
    ///
    /// A system's tests run it with the configuration it ships with; `check` runs it with the one that counts.
    pub fn check(&self, config: &Config) -> Vec<Finding> {
        Policies::of(self, config).check()
    }
}
