//! The pages by which those who run a process watch it, from its first moment to its last.

use std::sync::{Arc, OnceLock};

use partie_gateway::{AdminConfig, Readiness, Vitals};
use partie_mesh::{BindError, Handles, Serve};
use partie_telemetry::Metrics;

use super::door::Door;
use super::readiness::Ready;

/// For the log.
const NAME: &str = "the admin listener";

/// The pages of a process that may not have started yet. They end with it, if it does not start.
pub(super) struct Watch {
    started: Arc<OnceLock<Ready>>,
    door: Option<Door>,
}

// === impl Watch ===

impl Watch {
    /// Shows that `part` is starting, if it is to be shown at all. In a rolling restart the process before this one still has
    /// the address for a while. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(super) fn open(
        config: &AdminConfig,
        handles: &Handles,
        title: &str,
        part: &str,
    ) -> Result<Self, BindError> {
        let started = Arc::<OnceLock<Ready>>::default();
        if config.listen.is_none() {
            return Ok(Self { started, door: None });
        }
        let (told, metrics) = (Arc::clone(&started), Metrics::install());
        let starting = vec![Readiness { service: part.to_owned(), problem: Some("is starting".to_owned()) }];
        let vitals: Arc<dyn Serve> = Arc::new(Vitals {
            title: title.to_owned(),
            ready: Arc::new(move || told.get().map_or_else(|| starting.clone(), |ready| ready())),
            metrics: Arc::new(move || metrics.render()),
        });
        let (config, handles) = (config.clone(), handles.clone());
        let bind = move || config.bind(&handles);
        Ok(Self { started, door: Door::open_when_free(NAME, bind, vitals)? })
    }

    /// From now on it is up to what has started.
    pub(super) fn started(self, ready: Ready) -> Option<Door> {
        // It starts once.
        self.started.set(ready).ok();
        self.door
    }
}
