//! What services do in the background, and the stages it ends in.

use std::sync::Arc;

use partie_contract::BoxError;
use partie_messaging::{
    Broker, BrokerConfig, BrokerUrlError, Config, Handlers, Log, LogBroker, LogBrokerConfig, Stages, Worker,
    WorkerParts,
};
use partie_store::Store;

use crate::chaos::Chaos;
use crate::service::Start;

/// What the background work of all services has in common. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Background {
    /// Absent when no service has a store: nobody can say or hear anything.
    pub(crate) carrier: Option<Carrier>,
    /// What goes wrong with deliveries on purpose.
    pub(crate) chaos: Option<Chaos>,
    pub(crate) stages: Stages,
    pub(crate) config: Config,
}

/// What carries the events.
#[derive(Debug, Clone)]
pub(crate) enum Carrier {
    /// A broker for all services.
    Broker(Arc<dyn Broker>),
    /// A vendor's log. With its own store each service makes a broker of it.
    Log(Arc<dyn Log>, LogBrokerConfig),
}

// === impl Carrier ===

impl Carrier {
    /// The vendor's, if one is configured. Nothing is asked of it yet.
    pub(crate) fn vendor(config: &BrokerConfig) -> Result<Option<Self>, BrokerUrlError> {
        let Some(url) = &config.url else { return Ok(None) };
        Ok(Some(Self::Log(url.open(&config.log)?, config.groups.clone())))
    }

    /// The broker of the service with that store. It ends with the stages.
    fn broker(&self, store: &Store, stages: &Stages) -> Arc<dyn Broker> {
        match self {
            Self::Broker(broker) => Arc::clone(broker),
            Self::Log(log, config) => {
                // Only whoever is on duty consumes, so that nobody else reads, or not for long any more: there is nothing
                // to wait for once more.
                let broker = LogBroker::new(Arc::clone(log), store.clone(), config.clone());
                // Nobody consumes any more when the relays are told to end.
                let (closing, stopped) = (broker.clone(), stages.relay.stopped());
                stages.relay.spawn(async move {
                    stopped.await;
                    closing.close().await;
                });
                Arc::new(broker)
            }
        }
    }
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
        let (Some(store), Some(carrier)) = (start.store.clone(), self.carrier) else {
            return if handlers.is_empty() {
                Ok(None)
            } else {
                Err("handlers of events, timers, jobs and sagas work on a store: add `.store(migrations![..])`".into())
            };
        };
        let broker = carrier.broker(&store, &self.stages);
        let broker = match self.chaos {
            Some(chaos) => chaos.broker(broker),
            None => broker,
        };
        let worker = Worker::start(WorkerParts {
            service: start.service,
            broker,
            store,
            handlers,
            state,
            calls: Arc::new(move || start.call()),
            stages: self.stages,
            config: self.config,
        })?;
        Ok(Some(worker))
    }
}
