//! The pages by which those who run a process watch it, from its first moment to its last.

use std::sync::{Arc, OnceLock};

use partie_gateway::{Readiness, Vitals};
use partie_mesh::Listener;
use partie_telemetry::Metrics;

use super::door::Door;

/// Whether what is in a process can do its work.
pub(super) type Ready = Arc<dyn Fn() -> Vec<Readiness> + Send + Sync>;

/// The pages of a process that may not have started yet.
pub(super) struct Watch {
    started: Arc<OnceLock<Ready>>,
    door: Option<Door>,
}

// === impl Watch ===

impl Watch {
    /// Shows that `part` is starting, if there is a listener to show it on. Call it inside a tokio runtime.
    pub(super) fn open(listener: Option<Listener>, title: &str, part: &str) -> Self {
        let started = Arc::<OnceLock<Ready>>::default();
        let (told, metrics) = (Arc::clone(&started), Metrics::install());
        let starting = vec![Readiness { service: part.to_owned(), problem: Some("is starting".to_owned()) }];
        let vitals = Vitals {
            title: title.to_owned(),
            ready: Arc::new(move || told.get().map_or_else(|| starting.clone(), |ready| ready())),
            metrics: Arc::new(move || metrics.render()),
        };
        let door = listener.map(|listener| Door::open("the admin listener", listener, Arc::new(vitals)));
        Self { started, door }
    }

    /// From now on it is up to what has started.
    pub(super) fn started(self, ready: Ready) -> Option<Door> {
        // It starts once.
        self.started.set(ready).ok();
        self.door
    }
}
