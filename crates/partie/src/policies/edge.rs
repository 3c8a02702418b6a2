//! One call edge: who calls which operation, what holds for it, and who said so.

use std::fmt;
use std::time::Duration;

use partie_contract::{Contract, Operation};
use partie_mesh::{Policy, ServicePolicy};

use crate::config::Config;
use crate::server;

/// An operation that a service, or the gateway, may call.
pub(crate) struct Edge<'a> {
    pub(crate) from: &'static str,
    pub(crate) operation: &'static Operation,
    pub(crate) policy: Policy,
    /// What becomes of the call when the service cannot be asked.
    pub(crate) fallback: Option<&'static str>,
    of_service: Option<&'a ServicePolicy>,
    /// What the edge gives a request that says nothing else, if it is the edge that calls.
    of_gateway: Option<Duration>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Key of the configuration.
    Key(String),
    /// Nobody has said anything.
    Default,
    /// The contract says so.
    Contract,
    /// The caller has a deadline.
    Caller,
    /// It follows from what the operation is.
    Operation(&'static str),
}

// === impl Edge ===

impl<'a> Edge<'a> {
    /// The edges from a caller to all operations of a contract.
    pub(super) fn all(from: &'static str, contract: &'static Contract, config: &'a Config) -> Vec<Self> {
        let edge = |operation: &'static Operation| Self {
            from,
            operation,
            policy: config.mesh.policy(operation.service, Some(operation)),
            fallback: None,
            of_service: config.mesh.services.get(operation.service),
            of_gateway: (from == server::GATEWAY).then_some(config.gateway.timeout),
        };
        contract.operations.iter().map(edge).collect()
    }

    /// `orders -> restaurants.menu`.
    pub(crate) fn name(&self) -> String {
        format!("{} -> {}", self.from, self.operation.full_name())
    }

    /// How often one call may reach the other side.
    pub(crate) fn attempts(&self) -> u32 {
        if self.operation.is_retry_safe() { self.policy.retries + 1 } else { 1 }
    }

    pub(crate) fn timeout(&self) -> (Option<Duration>, Source) {
        let source = match (self.operation.timeout, self.of_gateway) {
            (Some(_), _) => Source::Contract,
            (None, Some(_)) => Source::Key("gateway.timeout".to_owned()),
            (None, None) => Source::Caller,
        };
        (self.policy.timeout.or(self.of_gateway), self.key("timeout").unwrap_or(source))
    }

    pub(crate) fn attempt(&self) -> (Option<Duration>, Source) {
        (self.policy.attempt, self.key("attempt").unwrap_or(Source::Default))
    }

    pub(crate) fn retries(&self) -> (u32, Source) {
        match self.operation.is_retry_safe() {
            true => (
                self.policy.retries,
                self.key("retries").unwrap_or_else(|| Source::Key("mesh.retries".to_owned())),
            ),
            false => (0, Source::Operation("not safe to repeat")),
        }
    }

    pub(crate) fn hedge(&self) -> (Option<Duration>, Source) {
        match self.operation.verb.is_read() {
            true => (self.policy.hedge, self.key("hedge").unwrap_or(Source::Default)),
            false => (None, Source::Operation("not a read")),
        }
    }

    /// The key of the configuration that sets a field for this operation or its service, the nearest one.
    pub(super) fn key(&self, field: &'static str) -> Option<Source> {
        let of_service = self.of_service?;
        let service = self.operation.service;
        let name = self.operation_name();
        let of_operation = of_service.operations.get(&name);
        let set = |field: &str| match field {
            "timeout" => (of_service.timeout.is_some(), of_operation.is_some_and(|o| o.timeout.is_some())),
            "attempt" => (of_service.attempt.is_some(), of_operation.is_some_and(|o| o.attempt.is_some())),
            "retries" => (of_service.retries.is_some(), of_operation.is_some_and(|o| o.retries.is_some())),
            _ => (of_service.hedge.is_some(), of_operation.is_some_and(|o| o.hedge.is_some())),
        };
        match set(field) {
            (_, true) => Some(Source::Key(format!("mesh.services.{service}.operations.{name}.{field}"))),
            (true, false) => Some(Source::Key(format!("mesh.services.{service}.{field}"))),
            (false, false) => None,
        }
    }

    /// What the table says about this operation itself, if anything.
    pub(super) fn own(&self) -> Option<partie_mesh::Overrides> {
        self.of_service?.operations.get(&self.operation_name()).copied()
    }

    /// The operation's name within its service, as the table has it.
    pub(super) fn operation_name(&self) -> String {
        let full = self.operation.full_name();
        full.split_once('.').map_or_else(|| full.clone(), |(_, name)| name.to_owned())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Default => f.write_str("default"),
            Self::Contract => f.write_str("contract"),
            Self::Caller => f.write_str("caller"),
            Self::Operation(why) => f.write_str(why),
        }
    }
}
