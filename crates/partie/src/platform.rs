//! What the platform itself answers, beside the services: a look at what runs in the background, for those who run the
//! system.

mod dead_letters;
mod sagas;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use partie_contract::{Client, Contract};
use partie_messaging::{Broker, Worker};

pub use self::dead_letters::{
    DeadLetter, DeadLetterError, DeadLetterId, DeadLetterKind, DeadLetterList, DeadLetters,
    DeadLettersClient, SkipEvent,
};
pub use self::sagas::{SagaError, SagaId, Sagas, SagasClient};
use crate::service::Service;

/// The name under which the platform answers.
pub(crate) const NAME: &str = "platform";
/// What it answers.
pub(crate) const CONTRACTS: &[&Contract] =
    &[<SagasClient as Client>::CONTRACT, <DeadLettersClient as Client>::CONTRACT];

/// The background work of all services, as it is started.
#[derive(Clone)]
pub(crate) struct Backstage {
    broker: Option<Arc<dyn Broker>>,
    workers: Arc<Mutex<Vec<(&'static str, Worker)>>>,
}

// === impl Backstage ===

impl Backstage {
    pub(crate) fn new(broker: Option<Arc<dyn Broker>>) -> Self {
        Self { broker, workers: Arc::default() }
    }

    pub(crate) fn add(&self, service: &'static str, worker: Worker) {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push((service, worker));
    }

    fn workers(&self) -> Vec<(&'static str, Worker)> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Backstage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backstage({} services)", self.workers().len())
    }
}

/// The platform's own service.
pub(crate) fn service(backstage: Backstage) -> Service {
    Service::new(NAME)
        .start(async |_| Ok(backstage))
        .serve(Sagas::routes())
        .serve(DeadLetters::routes())
        .into()
}
