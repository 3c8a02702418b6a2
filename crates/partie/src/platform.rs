//! What the platform itself answers, beside the services: a look at what runs in the background.

use std::sync::{Arc, Mutex, PoisonError};

use partie_contract::{Call, Client, Contract, Outcome, Problem, contract, id};
use partie_messaging::{SagaView, Worker};

use crate::service::Service;

/// The name under which the platform answers.
pub(crate) const NAME: &str = "platform";

/// What it answers.
pub(crate) const CONTRACT: &Contract = <SagasClient as Client>::CONTRACT;

id! {
    /// Names a saga.
    pub struct SagaId;
}

/// Sagas, for those who run the system.
#[contract(service = "platform", version = 1)]
pub trait Sagas {
    /// Look at a saga: where it is, what it did, what it waits for, and why it failed if it did.
    #[get("/sagas/{id}", role = "admin")]
    async fn saga(&self, cx: &Call, id: SagaId) -> Outcome<SagaView, SagaError>;
}

/// What can go wrong with a saga.
#[derive(Debug, PartialEq, Problem)]
pub enum SagaError {
    /// There is no such saga.
    #[problem(404, "saga-not-found")]
    NotFound,
}

/// The workers of all services, as they are started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backstage(Arc<Mutex<Vec<Worker>>>);

// === impl Backstage ===

impl Backstage {
    pub(crate) fn add(&self, worker: Worker) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
    }

    fn workers(&self) -> Vec<Worker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sagas for Backstage {
    async fn saga(&self, _: &Call, id: SagaId) -> Outcome<SagaView, SagaError> {
        for worker in self.workers() {
            if let Some(view) = worker.saga(id).await? {
                return Ok(view);
            }
        }
        Err(SagaError::NotFound.into())
    }
}

/// The platform's own service.
pub(crate) fn service(backstage: Backstage) -> Service {
    Service::new(NAME).start(async |_| Ok(backstage)).serve(Sagas::routes()).into()
}
