//! What services do in the background, and the stages it ends in.

use std::sync::Arc;

use partie_contract::BoxError;
use partie_messaging::{Broker, Config, Handlers, Stages, Worker, WorkerParts};

use crate::service::Start;

/// What the background work of all services has in common. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Background {
    /// Absent when no service has a store: nobody can say or hear anything.
    pub(crate) broker: Option<Arc<dyn Broker>>,
    pub(crate) stages: Stages,
    pub(crate) config: Config,
}

// === impl Background ===

impl Background {
    /// Starts the background work of a service. Every service with a store has some: what it says has to leave.
    pub(crate) fn run<S: Send + Sync + 'static>(
        self,
        start: Start,
        handlers: Handlers<S>,
        state: Arc<S>,
    ) -> Result<Option<Worker>, BoxError> {
        let (Some(store), Some(broker)) = (start.store.clone(), self.broker) else {
            return if handlers.is_empty() {
                Ok(None)
            } else {
                Err("handlers of events, timers, jobs and sagas work on a store: add `.store(migrations![..])`".into())
            };
        };
        let worker = Worker::start(WorkerParts {
            service: start.service,
            store,
            broker,
            handlers,
            state,
            calls: Arc::new(move || start.call()),
            stages: self.stages,
            config: self.config,
        })?;
        Ok(Some(worker))
    }
}
