//! What the threads of a store and its handles have in common.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::Platform;
use tracing::{error, warn};

use crate::attached::Attached;
use crate::config::{Config, Handles};
use crate::lease::Leases;
use crate::metric_definitions::Metrics;
use crate::ring::Rings;
use crate::status::{Health, Status, bump};
use crate::task::Task;

/// Lives as long as the last thread or handle.
pub(crate) struct Shared {
    pub(crate) name: Arc<str>,
    /// The database, where it is a file of ours.
    pub(crate) file: Option<PathBuf>,
    /// Which life of it this is.
    pub(crate) epoch: i64,
    pub(crate) config: Config,
    pub(crate) handles: Handles,
    pub(crate) status: Status,
    pub(crate) metrics: Metrics,
    pub(crate) attached: Arc<Attached>,
    pub(crate) rings: Arc<Rings>,
    pub(crate) leases: Arc<Leases>,
}

// === impl Shared ===

impl Shared {
    /// The store writes nothing more.
    pub(crate) fn fail(&self, reason: &str) {
        error!(store = %self.name, reason, "the store has failed and writes nothing more; the process has to end");
        self.status.set(Health::Failed(reason.into()));
    }

    pub(crate) fn note_slow(&self, task: &Task, took: Duration) {
        let Config { slow_closure, slow_remote_closure, .. } = self.config;
        if took > if self.file.is_some() { slow_closure } else { slow_remote_closure } {
            bump(&self.status.count.slow);
            self.metrics.slow.increment(1);
            warn!(store = %self.name, at = %task.location, ?took, "a slow closure");
        }
    }

    /// Reports a closure that cannot be run again, and undoes it.
    pub(crate) fn impure(&self, task: &mut Task) {
        let message = format!(
            "the closure at {} did something else when it was run again: it may depend on nothing but its transaction \
             and on values that do not change",
            task.location
        );
        error!(store = %self.name, message);
        task.fail(Platform::internal(message));
    }
}
