//! What runs in the background of each service, in this process or in another one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use partie_contract::{Call, FaultKind, Id as _, Outcome, OutcomeExt as _, Platform, Problem, contract};
use partie_messaging::{BrokerError, Decision, JobId, SagaView, Skipped, TimerId, Worker};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dead_letters::{DeadLetter, DeadLetterId, DeadLetterKind, SkippedEvent};
use super::sagas::SagaId;

/// The background work of all services, as it is started.
#[derive(Clone, Default)]
pub(crate) struct Backstage {
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
    /// List its events, timers and jobs that are not tried any more.
    #[get("/dead-letters", role = "service")]
    async fn dead_letters(&self, cx: &Call) -> Outcome<Vec<DeadLetter>, BehindError>;

    /// Have one tried again. Says whether there was one.
    #[post("/dead-letters/{id}/requeue", role = "service")]
    async fn requeue(&self, cx: &Call, id: DeadLetterId) -> Outcome<bool, BehindError>;

    /// Give up an event for one handler. Says whether there was one.
    #[post("/dead-letters/{id}/skip", role = "service")]
    async fn skip(&self, cx: &Call, id: DeadLetterId, order: SkipOrder) -> Outcome<bool, BehindError>;

    /// List its events that were given up.
    #[get("/skipped", role = "service")]
    async fn skipped(&self, cx: &Call) -> Outcome<Vec<SkippedEvent>, BehindError>;

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

/// Which event is given up for whom, and who wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkipOrder {
    /// For which handler.
    pub handler: String,
    /// Who decided.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// Answers for the worker of one service.
pub(crate) struct Front {
    pub(crate) service: &'static str,
    pub(crate) worker: Worker,
}

// === impl Backstage ===

impl Backstage {
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
    /// Events, timers and jobs that are not tried any more.
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

    /// Gives an event up for one handler, and says whether there was one.
    pub(super) async fn skip(&self, id: DeadLetterId, order: SkipOrder) -> Result<bool, Platform> {
        match self {
            Self::Here(worker) => skip(worker, id, order).await,
            Self::There(client, calls) => said(client().skip(&calls(), id, order).await),
        }
    }

    /// Events that were given up.
    pub(super) async fn skipped(&self) -> Result<Vec<SkippedEvent>, Platform> {
        match self {
            Self::Here(worker) => skipped(worker).await,
            Self::There(client, calls) => said(client().skipped(&calls()).await),
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
    let events =
        worker.parked_events().await.map_err(unavailable)?.into_iter().map(|(group, parked)| DeadLetter {
            id: DeadLetterId::from_uuid(parked.message.id),
            kind: DeadLetterKind::Event,
            service: service.to_owned(),
            handler: group,
            key: Some(parked.key),
            attempts: parked.attempts,
            error: parked.error,
            since: parked.since,
            waiting: Some(parked.waiting),
        });
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
    Ok(events.chain(timers).chain(jobs).chain(sagas).collect())
}

async fn requeue(worker: &Worker, id: DeadLetterId) -> Result<bool, Platform> {
    let event = worker.requeue_event(id).await.map_err(unavailable)?;
    let timer = worker.requeue_timer(TimerId::from_uuid(id.as_uuid())).await?;
    let saga = worker.requeue_saga(id).await?;
    Ok(worker.requeue_job(JobId::from_uuid(id.as_uuid())).await? || timer || saga || event)
}

async fn skip(worker: &Worker, id: DeadLetterId, order: SkipOrder) -> Result<bool, Platform> {
    let SkipOrder { handler, actor, reason } = order;
    worker.skip_event(&handler, id, Decision { actor, reason }).await.map_err(unavailable)
}

async fn skipped(worker: &Worker) -> Result<Vec<SkippedEvent>, Platform> {
    let skipped = worker.skipped_events().await.map_err(unavailable)?.into_iter();
    let skipped = skipped.map(|(handler, Skipped { skip, at })| SkippedEvent {
        id: DeadLetterId::from_uuid(skip.event),
        handler,
        key: skip.key,
        actor: skip.actor,
        reason: skip.reason,
        at,
    });
    Ok(skipped.collect())
}

fn unavailable(error: BrokerError) -> Platform {
    Platform::new(FaultKind::UpstreamUnavailable).caused_by(error)
}

// === impl Front ===

impl Behind for Front {
    async fn dead_letters(&self, _: &Call) -> Outcome<Vec<DeadLetter>, BehindError> {
        Ok(dead_letters(self.service, &self.worker).await?)
    }

    async fn requeue(&self, _: &Call, id: DeadLetterId) -> Outcome<bool, BehindError> {
        Ok(requeue(&self.worker, id).await?)
    }

    async fn skip(&self, _: &Call, id: DeadLetterId, order: SkipOrder) -> Outcome<bool, BehindError> {
        Ok(skip(&self.worker, id, order).await?)
    }

    async fn skipped(&self, _: &Call) -> Outcome<Vec<SkippedEvent>, BehindError> {
        Ok(skipped(&self.worker).await?)
    }

    async fn saga(&self, _: &Call, id: SagaId) -> Outcome<SagaView, BehindError> {
        Ok(self.worker.saga(id).await?.ok_or(BehindError::NotHere)?)
    }
}
