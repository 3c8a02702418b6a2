//! Whether what is in a process can do its work.

use std::sync::Arc;

use partie_gateway::Readiness;
use partie_mesh::Target;
use partie_messaging::{EmbeddedBroker, Worker};
use partie_store::{Health, Store};

use super::launch::Member;

/// Whether what is in a process can do its work, part by part.
pub(super) type Ready = Arc<dyn Fn() -> Vec<Readiness> + Send + Sync>;

/// What has to work for the system to be ready.
pub(super) struct Dependency {
    name: &'static str,
    store: Option<Store>,
    worker: Option<Worker>,
}

// === impl Dependency ===

impl Dependency {
    pub(super) fn of(name: &'static str, member: &Member) -> Self {
        Self { name, store: member.store.clone(), worker: member.worker.clone() }
    }

    pub(super) fn broker(broker: &EmbeddedBroker) -> Self {
        Self { name: "broker", store: Some(broker.store().clone()), worker: None }
    }

    /// What needs nothing but to have started.
    pub(super) fn started(name: &'static str) -> Self {
        Self { name, store: None, worker: None }
    }

    pub(super) fn readiness(&self, starting: bool) -> Readiness {
        let problem = match self.store.as_ref().map(Store::health) {
            _ if starting => Some("is starting or draining".to_owned()),
            None | Some(Health::Ready) => None,
            Some(Health::Closed) => Some("its store is closed".to_owned()),
            Some(Health::Degraded(reason) | Health::Failed(reason)) => Some(reason.to_string()),
            Some(other) => Some(format!("its store is {other:?}")),
        };
        let backlog = || Some(format!("events wait for {} s", self.worker.as_ref()?.backlog()?.as_secs()));
        Readiness { service: self.name.to_owned(), problem: problem.or_else(backlog) }
    }
}

/// Whether a service in another process is known.
pub(super) fn found(target: &Target, starting: bool) -> Readiness {
    let problem = match target.is_known() {
        _ if starting => Some("is starting or draining".to_owned()),
        false => Some("no instance is announced".to_owned()),
        true => None,
    };
    Readiness { service: target.service().to_owned(), problem }
}
