//! The table of policies: what holds for every call, and what a service or an operation has otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use partie_contract::Operation;
use partie_runtime::{Backoff, duration};
use serde::{Deserialize, Serialize};

/// Settings of the client stack. What is said here holds for every call unless its service, or its operation, has
/// something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct MeshConfig {
    /// How many calls to one service may be under way, bodies included. The next one is rejected at once.
    pub in_flight: usize,
    /// How long a connection may take to come about.
    #[serde(with = "duration")]
    pub connect: Duration,
    /// How long an unused connection is kept: shorter than servers keep theirs, so that they rarely hang up on us.
    #[serde(with = "duration")]
    pub idle: Duration,
    /// How often a call is tried again after the first time. Only calls that may be made twice are.
    pub retries: u32,
    /// How long to wait before a call is tried again.
    pub backoff: Backoff,
    /// How many retries all calls to a service together may make.
    pub budget: BudgetConfig,
    /// When an instance is left alone for a while.
    pub breaker: BreakerConfig,
    /// How long calls wait for a service that has just gone: its next instance may be about to come.
    #[serde(with = "duration")]
    pub hold: Duration,
    /// How long an instance that has joined others takes until it gets its whole share.
    #[serde(with = "duration")]
    pub slow_start: Duration,
    /// With how many instances of one service a process deals at most. Other processes deal with others.
    pub subset: usize,
    /// Whether the processes of a system prove themselves to each other by certificates, and encrypt what they say, where
    /// they can be reached from other machines.
    pub tls: bool,
    /// What calls to a service have otherwise, by its name.
    pub services: BTreeMap<String, ServicePolicy>,
}

/// How many retries all calls from one process to one service may make: the larger of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BudgetConfig {
    /// Of a hundred calls.
    pub percent: u32,
    /// In a second, for services that are rarely called.
    pub per_second: u32,
}

/// When an instance is left alone, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct BreakerConfig {
    /// After so many failures in a row.
    pub failures: u32,
    /// Or when fewer of a hundred calls than this go well,
    pub success_percent: u32,
    /// over this time,
    #[serde(with = "duration")]
    pub window: Duration,
    /// of at least so many.
    pub least: u32,
    /// For so long at first; then one call finds out whether it is well again.
    #[serde(with = "duration")]
    pub first: Duration,
    /// The wait doubles up to this.
    #[serde(with = "duration")]
    pub most: Duration,
    /// At most so many of a hundred instances are left alone. One is always kept.
    pub ejected_percent: u32,
}

/// What calls to one service have otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServicePolicy {
    /// How many calls to it may be under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<usize>,
    /// How long a call may take, however much time the caller has.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How long one attempt may take.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Duration>,
    /// How often a call is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// After how long without an answer a read is sent to a second instance as well.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    pub hedge: Option<Duration>,
    /// When the service as a whole is left alone: calls then fail at once, for a caller that has something better to do
    /// than to wait. Without it single instances are left alone, never all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerConfig>,
    /// What its operations have otherwise, by name: `place`, or `tickets.accept` in a contract with a name of its own.
    pub operations: BTreeMap<String, Overrides>,
}

/// What one operation has otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Overrides {
    /// How long a call may take, however much time the caller has.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How long one attempt may take.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Duration>,
    /// How often a call is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// After how long without an answer a read is sent to a second instance as well.
    #[serde(with = "duration::optional", skip_serializing_if = "Option::is_none")]
    pub hedge: Option<Duration>,
}

/// What holds for the calls of one operation, everything considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a call may take, however much time the caller has; as much as the caller has if `None`.
    pub timeout: Option<Duration>,
    /// How long one attempt may take. If `None` and there is time and occasion for another one, half of what is left.
    pub attempt: Option<Duration>,
    /// How often a call is tried again, if it may be made twice.
    pub retries: u32,
    /// How long to wait before that.
    pub backoff: Backoff,
    /// After how long without an answer a read is sent to a second instance as well; never if `None`.
    pub hedge: Option<Duration>,
}

// === impl MeshConfig ===

impl MeshConfig {
    /// What holds for the calls of an operation; without one, for requests of which only the service is known.
    pub fn policy(&self, service: &str, operation: Option<&Operation>) -> Policy {
        let of_all = Policy {
            timeout: operation.and_then(|operation| operation.timeout),
            attempt: None,
            retries: self.retries,
            backoff: self.backoff,
            hedge: None,
        };
        let Some(of_service) = self.services.get(service) else { return of_all };
        let ServicePolicy { timeout, attempt, retries, hedge, ref operations, .. } = *of_service;
        let policy = of_all.but(Overrides { timeout, attempt, retries, hedge });
        let of_operation = operation.filter(|_| !operations.is_empty()).and_then(|operation| {
            let full = operation.full_name();
            operations.get(full.strip_prefix(service)?.strip_prefix('.')?)
        });
        of_operation.map_or(policy, |of_operation| policy.but(*of_operation))
    }

    /// How many calls to a service may be under way.
    pub fn in_flight(&self, service: &str) -> usize {
        self.services.get(service).and_then(|of_service| of_service.in_flight).unwrap_or(self.in_flight)
    }
}

impl Default for MeshConfig {
    fn default() -> Self {
        Self {
            in_flight: 1024,
            connect: Duration::from_secs(1),
            idle: Duration::from_secs(3),
            retries: 2,
            backoff: Backoff::new(Duration::from_millis(25), Duration::from_millis(250)),
            budget: BudgetConfig::default(),
            breaker: BreakerConfig::default(),
            hold: Duration::from_secs(5),
            slow_start: Duration::from_secs(10),
            subset: 64,
            tls: true,
            services: BTreeMap::new(),
        }
    }
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self { percent: 20, per_second: 3 }
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            success_percent: 80,
            window: Duration::from_secs(10),
            least: 10,
            first: Duration::from_secs(1),
            most: Duration::from_secs(60),
            ejected_percent: 50,
        }
    }
}

// === impl Policy ===

impl Policy {
    fn but(self, overrides: Overrides) -> Self {
        Self {
            timeout: overrides.timeout.or(self.timeout),
            attempt: overrides.attempt.or(self.attempt),
            retries: overrides.retries.unwrap_or(self.retries),
            hedge: overrides.hedge.or(self.hedge),
            backoff: self.backoff,
        }
    }
}

#[cfg(test)]
mod tests {
    use partie_contract::{Access, Content, ReplySpec, Verb};

    use super::*;

    const SOME: Operation = Operation {
        service: "some",
        contract: "some",
        version: 1,
        name: "some",
        doc: "",
        verb: Verb::Get,
        path: "/api/v1/some",
        access: Access::Public,
        keyed: false,
        key_optional: false,
        precondition: false,
        no_store: false,
        params: &[],
        query: None,
        body: None,
        reply: ReplySpec { status: 204, content: Content::Empty, headers: &[] },
        problems: &[],
        timeout: None,
    };

    /// Service, contract and name; timeout, attempt, retries and hedge.
    type Named = Option<(&'static str, &'static str)>;
    type Row = (&'static str, Named, Option<u64>, Option<u64>, u32, Option<u64>);

    #[test]
    fn what_is_nearer_counts() {
        let config: MeshConfig = serde_json::from_value(serde_json::json!({
            "retries": 1,
            "services": { "menu": {
                "retries": 3, "timeout": "2s", "in-flight": 7,
                "operations": { "list": { "retries": 0, "hedge": "50ms" }, "tickets.list": { "attempt": "1s" } },
            }},
        }))
        .unwrap();
        let table: &[Row] = &[
            ("orders", None, None, None, 1, None),
            ("orders", Some(("orders", "list")), Some(9_000), None, 1, None),
            ("menu", None, Some(2_000), None, 3, None),
            ("menu", Some(("menu", "other")), Some(2_000), None, 3, None),
            ("menu", Some(("menu", "list")), Some(2_000), None, 0, Some(50)),
            ("menu", Some(("tickets", "list")), Some(2_000), Some(1_000), 3, None),
        ];
        for (service, operation, timeout, attempt, retries, hedge) in table {
            let operation = operation.map(|(contract, name)| {
                let timeout = Some(Duration::from_secs(9));
                Operation { service, contract, name, timeout, ..SOME }
            });
            let policy = config.policy(service, operation.as_ref());
            let millis = |duration: Option<Duration>| duration.map(|duration| duration.as_millis() as u64);
            let found =
                (millis(policy.timeout), millis(policy.attempt), policy.retries, millis(policy.hedge));
            assert_eq!(found, (*timeout, *attempt, *retries, *hedge), "{service} {operation:?}");
        }
        assert_eq!((config.in_flight("menu"), config.in_flight("orders")), (7, 1024));
        let unknown =
            serde_json::from_value::<MeshConfig>(serde_json::json!({"services": {"menu": {"retry": 1}}}));
        assert!(unknown.unwrap_err().to_string().contains("unknown field `retry`"));
    }
}
