//! What runs in the background of each service, in this process or in another one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use partie_contract::{Call, Id as _, Outcome, OutcomeExt as _, Platform, Problem, contract};
use partie_messaging::{Broker, JobId, SagaView, TimerId, Worker};

use super::dead_letters::{DeadLetter, DeadLetterId, DeadLetterKind};
use super::sagas::SagaId;

/// The background work of all services, as it is started.
#[derive(Clone)]
pub(crate) struct Backstage {
    pub(super) broker: Option<Arc<dyn Broker>>,
    hands: Arc<Mutex<Vec<(&'static str, Hand)>>>,
}

/// The background work of one service.
#[derive(Clone)]
pub(crate) enum Hand {
    /// In this process.
    Here(Worker),
    /// In another one, called under the platform's own identity.
    There(Arc<dyn Fn() -> BehindClient + Send + Sync>, Arc<dyn Fn() -> Call + Send + Sync>),
}

/// What a service tells the platform about its background work, when they are not in one process.
#[contract(service = "behind", prefix = "/behind")]
pub trait Behind {
    /// List its groups of consumers.
    #[get("/groups", role = "service")]
    async fn groups(&self, cx: &Call) -> Outcome<Vec<String>, BehindError>;

    /// List its timers and jobs that are not tried any more.
    #[get("/dead-letters", role = "service")]
    async fn dead_letters(&self, cx: &Call) -> Outcome<Vec<DeadLetter>, BehindError>;

    /// Have a timer or a job tried again. Says whether there was one.
    #[post("/dead-letters/{id}/requeue", role = "service")]
    async fn requeue(&self, cx: &Call, id: DeadLetterId) -> Outcome<bool, BehindError>;

    /// Look at a saga.
    #[get("/sagas/{id}", role = "service")]
    async fn saga(&self, cx: &Call, id: SagaId) -> Outcome<SagaView, BehindError>;
}

/// What can go wrong with background work.
#[derive(Debug, PartialEq, Problem)]
pub enum BehindError {
    /// There is no such saga.
    #[problem(404, "saga-not-here")]
    NotHere,
}

/// Answers for the worker of one service.
pub(crate) struct Front {
    pub(crate) service: &'static str,
    pub(crate) worker: Worker,
}

// === impl Backstage ===

impl Backstage {
    pub(crate) fn new(broker: Option<Arc<dyn Broker>>) -> Self {
        Self { broker, hands: Arc::default() }
    }

    pub(crate) fn add(&self, service: &'static str, hand: Hand) {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner).push((service, hand));
    }

    pub(super) fn hands(&self) -> Vec<(&'static str, Hand)> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Backstage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backstage({} services)", self.hands().len())
    }
}

// === impl Hand ===

impl Hand {
    pub(super) async fn groups(&self) -> Result<Vec<String>, Platform> {
        match self {
            Self::Here(worker) => Ok(worker.groups().to_vec()),
            Self::There(client, calls) => said(client().groups(&calls()).await),
        }
    }

    /// Timers and jobs that are not tried any more.
    pub(super) async fn dead_letters(&self, service: &'static str) -> Result<Vec<DeadLetter>, Platform> {
        match self {
            Self::Here(worker) => dead_letters(service, worker).await,
            Self::There(client, calls) => said(client().dead_letters(&calls()).await),
        }
    }

    /// Has one tried again, and says whether there was one.
    pub(super) async fn requeue(&self, id: DeadLetterId) -> Result<bool, Platform> {
        match self {
            Self::Here(worker) => requeue(worker, id).await,
            Self::There(client, calls) => said(client().requeue(&calls(), id).await),
        }
    }

    pub(super) async fn saga(&self, id: SagaId) -> Result<Option<SagaView>, Platform> {
        match self {
            Self::Here(worker) => worker.saga(id).await,
            Self::There(client, calls) => match client().saga(&calls(), id).await.split()? {
                Ok(view) => Ok(Some(view)),
                Err(BehindError::NotHere) => Ok(None),
            },
        }
    }
}

fn said<T>(outcome: Outcome<T, BehindError>) -> Result<T, Platform> {
    outcome.unexpected()
}

async fn dead_letters(service: &'static str, worker: &Worker) -> Result<Vec<DeadLetter>, Platform> {
    let timers = worker.parked_timers().await?.into_iter().map(|timer| DeadLetter {
        id: DeadLetterId::from_uuid(timer.id.as_uuid()),
        kind: DeadLetterKind::Timer,
        service: service.to_owned(),
        handler: timer.kind,
        key: Some(timer.key),
        attempts: timer.attempts,
        error: timer.error,
        since: timer.since,
        waiting: None,
    });
    let jobs = worker.dead_jobs().await?.into_iter().map(|job| DeadLetter {
        id: DeadLetterId::from_uuid(job.id.as_uuid()),
        kind: DeadLetterKind::Job,
        service: service.to_owned(),
        handler: job.kind,
        key: None,
        attempts: job.attempts,
        error: job.error,
        since: job.since,
        waiting: None,
    });
    let sagas = worker.parked_sagas().await?.into_iter().map(|saga| DeadLetter {
        id: DeadLetterId::from_uuid(saga.id),
        kind: DeadLetterKind::Saga,
        service: service.to_owned(),
        handler: saga.kind,
        key: Some(saga.step),
        attempts: saga.attempts,
        error: saga.reason,
        since: saga.since,
        waiting: None,
    });
    Ok(timers.chain(jobs).chain(sagas).collect())
}

async fn requeue(worker: &Worker, id: DeadLetterId) -> Result<bool, Platform> {
    let timer = worker.requeue_timer(TimerId::from_uuid(id.as_uuid())).await?;
    let saga = worker.requeue_saga(id).await?;
    Ok(worker.requeue_job(JobId::from_uuid(id.as_uuid())).await? || timer || saga)
}

// === impl Front ===

impl Behind for Front {
    async fn groups(&self, _: &Call) -> Outcome<Vec<String>, BehindError> {
        Ok(self.worker.groups().to_vec())
    }

    async fn dead_letters(&self, _: &Call) -> Outcome<Vec<DeadLetter>, BehindError> {
        Ok(dead_letters(self.service, &self.worker).await?)
    }

    async fn requeue(&self, _: &Call, id: DeadLetterId) -> Outcome<bool, BehindError> {
        Ok(requeue(&self.worker, id).await?)
    }

    async fn saga(&self, _: &Call, id: SagaId) -> Outcome<SagaView, BehindError> {
        Ok(self.worker.saga(id).await?.ok_or(BehindError::NotHere)?)
    }
}
