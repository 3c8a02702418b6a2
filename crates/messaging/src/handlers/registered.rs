//! Handlers that have forgotten the types of their events, timers and jobs.

use std::collections::HashSet;
use std::convert::Infallible;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Abort, BoxFuture, Call, CloudEvent, Event, Unreadable};
use partie_store::Tx;

use super::{HandlerError, undecodable};
use crate::broker::Message;
use crate::cause::Cause;
use crate::consumer::Effect;
use crate::jobs::{AfterCrash, Attempt, Ended, Found, Job, JobError};
use crate::method::{Method, Periodic};
use crate::saga::Definition;

pub(crate) struct Registry<S> {
    pub(super) events: Vec<OnEvent<S>>,
    pub(super) timers: Vec<OnTimer<S>>,
    pub(super) jobs: Vec<OnJob<S>>,
    pub(super) periodic: Vec<OnPeriodic<S>>,
    pub(super) sagas: Vec<Definition<S>>,
}

pub(super) struct OnEvent<S> {
    pub(super) type_name: &'static str,
    pub(super) name: Option<&'static str>,
    pub(super) decode: DecodeFor<S>,
}

pub(super) struct OnTimer<S> {
    pub(super) kind: &'static str,
    pub(super) run: FireFor<S>,
}

pub(super) struct OnJob<S> {
    pub(super) kind: &'static str,
    pub(super) after_crash: AfterCrash,
    pub(super) begin: BeginFor<S>,
    pub(super) failed: FailedFor<S>,
    pub(super) ask: Option<AskFor<S>>,
}

pub(super) struct OnPeriodic<S> {
    pub(super) interval: Duration,
    pub(super) name: &'static str,
    pub(super) run: RunPeriodic<S>,
}

pub(super) type DecodeFor<S> = Arc<dyn Fn(&Arc<S>, &Message) -> Result<Effect, String> + Send + Sync>;
pub(super) type FireFor<S> = Arc<dyn Fn(&S, &mut Tx, &str) -> Result<(), Abort> + Send + Sync>;
pub(super) type BeginFor<S> =
    Arc<dyn Fn(&Arc<S>, &mut Tx, &Arc<str>, u32) -> Result<Option<Attempt>, Abort> + Send + Sync>;
pub(super) type FailedFor<S> =
    Arc<dyn Fn(&S, &mut Tx, &str, Ended<Infallible>) -> Result<(), Abort> + Send + Sync>;
pub(super) type AskFor<S> =
    Arc<dyn Fn(Arc<S>, Call, Arc<str>) -> BoxFuture<'static, Result<Found, JobError>> + Send + Sync>;
pub(super) type RunPeriodic<S> =
    Arc<dyn Fn(Arc<S>, Call) -> BoxFuture<'static, Result<(), Abort>> + Send + Sync>;

// === impl Registry ===

impl<S> Registry<S> {
    pub(super) fn check(&self, service: &str) -> Result<(), HandlerError> {
        let twice = |group| Err(HandlerError::Group(group));
        first_repeated(self.events.iter().map(|on| on.group(service))).map_or(Ok(()), twice)?;
        let twice = |kind| Err(HandlerError::Timer(kind));
        first_repeated(self.timers.iter().map(|on| on.kind)).map_or(Ok(()), twice)?;
        let twice = |kind| Err(HandlerError::Job(kind));
        first_repeated(self.jobs.iter().map(|on| on.kind)).map_or(Ok(()), twice)?;
        let twice = |(kind, version)| Err(HandlerError::Saga { kind, version });
        first_repeated(self.sagas.iter().map(|saga| (saga.kind, saga.version))).map_or(Ok(()), twice)?;
        for OnJob { kind, after_crash, ask, .. } in &self.jobs {
            if (*after_crash == AfterCrash::Ask) != ask.is_some() {
                let with = if ask.is_some() { "job" } else { "job_asking" };
                return Err(HandlerError::AfterCrash { kind, declared: *after_crash, with });
            }
        }
        for saga in &self.sagas {
            if let Some(reason) = saga.complaint() {
                return Err(HandlerError::Definition { kind: saga.kind, version: saga.version, reason });
            }
        }
        Ok(())
    }
}

impl<S> Default for Registry<S> {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            timers: Vec::new(),
            jobs: Vec::new(),
            periodic: Vec::new(),
            sagas: Vec::new(),
        }
    }
}

// === impl OnEvent ===

impl<S> OnEvent<S> {
    pub(super) fn group(&self, service: &str) -> String {
        match self.name {
            None => format!("{service}/{}", self.type_name),
            Some(name) => format!("{service}/{}/{name}", self.type_name),
        }
    }
}

fn first_repeated<T: Hash + Eq + Clone>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let mut seen = HashSet::new();
    all.find(|one| !seen.insert(one.clone()))
}

// === forgetting types ===

pub(super) fn decode<S, E, H>(handler: H) -> DecodeFor<S>
where
    S: Send + Sync + 'static,
    E: Event,
    H: Fn(&S, &mut Tx, &E) -> Result<(), Abort> + Send + Sync + 'static,
{
    let handler = Arc::new(handler);
    Arc::new(move |state, message| {
        let event = match CloudEvent::<E>::read(&message.body) {
            Ok(event) => event,
            // A replica that is newer may be next to it, or a deployment on its way: it is tried again before it is parked.
            Err(newer @ Unreadable::Newer { .. }) => {
                let reason = newer.to_string();
                return Ok(Arc::new(move |_| Err(Abort::because(reason.clone()))));
            }
            Err(error) => return Err(error.to_string()),
        };
        let cause = Arc::new(Cause::of_event(&event));
        let (handler, state) = (Arc::clone(&handler), Arc::clone(state));
        Ok(Arc::new(move |tx| {
            cause.govern(tx, event.time);
            handler(&state, tx, &event.data)
        }))
    })
}

/// A job the service keeps no record of.
pub(super) fn plain<S, J, H>(handler: H) -> (BeginFor<S>, FailedFor<S>)
where
    S: Send + Sync + 'static,
    J: Job,
    H: for<'a> Method<'a, S, J, Output = Result<(), JobError>>,
{
    let handler = Arc::new(handler);
    let begin: BeginFor<S> = Arc::new(move |state, _, data, _| {
        let (handler, state, data) = (Arc::clone(&handler), Arc::clone(state), Arc::clone(data));
        let attempt = move |cx: Call| -> BoxFuture<'static, _> {
            Box::pin(async move {
                handler.call(&state, &cx, &decoded::<J>(&data)?).await?;
                Ok(None)
            })
        };
        Ok(Some(Box::new(attempt)))
    });
    (begin, Arc::new(|_, _, _, _| Ok(())))
}

/// A job whose attempts the service writes down in our transactions.
pub(super) fn on_record<S, J, A, R, B, H, E>(begin: B, run: H, end: E) -> (BeginFor<S>, FailedFor<S>)
where
    S: Send + Sync + 'static,
    J: Job,
    A: Send + Sync + 'static,
    R: Send + Sync + 'static,
    B: Fn(&S, &mut Tx, &J, u32) -> Result<Option<A>, Abort> + Send + Sync + 'static,
    H: for<'a> Method<'a, S, A, Output = Result<R, JobError>>,
    E: Fn(&S, &mut Tx, &J, &Ended<R>) -> Result<(), Abort> + Send + Sync + 'static,
{
    let (run, end) = (Arc::new(run), Arc::new(end));
    let ended = Arc::clone(&end);
    let begin: BeginFor<S> = Arc::new(move |state, tx, data, number| {
        let job: J = serde_json::from_str(data).map_err(|error| undecodable(J::KIND, &error))?;
        let Some(task) = begin(state, tx, &job, number)? else { return Ok(None) };
        let (run, end, state) = (Arc::clone(&run), Arc::clone(&end), Arc::clone(state));
        let attempt = move |cx: Call| -> BoxFuture<'static, _> {
            Box::pin(async move {
                let ended = Ended::Done(run.call(&state, &cx, &task).await?);
                let note = move |tx: &mut Tx| end(&state, tx, &job, &ended);
                Ok(Some(Arc::new(note) as _))
            })
        };
        Ok(Some(Box::new(attempt)))
    });
    let failed: FailedFor<S> = Arc::new(move |state, tx, data, failure| {
        let job: J = serde_json::from_str(data).map_err(|error| undecodable(J::KIND, &error))?;
        ended(state, tx, &job, &failure.of())
    });
    (begin, failed)
}

pub(super) fn ask<S, J, A>(ask: A) -> AskFor<S>
where
    S: Send + Sync + 'static,
    J: Job,
    A: for<'a> Method<'a, S, J, Output = Result<Found, JobError>>,
{
    let ask = Arc::new(ask);
    Arc::new(move |state, cx, data| {
        let ask = Arc::clone(&ask);
        Box::pin(async move { ask.call(&state, &cx, &decoded::<J>(&data)?).await })
    })
}

fn decoded<J: Job>(data: &str) -> Result<J, JobError> {
    serde_json::from_str(data)
        .map_err(|error| JobError::failed(format!("what is stored of the job cannot be read: {error}")))
}

pub(super) fn run_periodic<S, H>(handler: H) -> RunPeriodic<S>
where
    S: Send + Sync + 'static,
    H: for<'a> Periodic<'a, S, Output = Result<(), Abort>>,
{
    let handler = Arc::new(handler);
    Arc::new(move |state, cx| {
        let handler = Arc::clone(&handler);
        Box::pin(async move { handler.call(&state, &cx).await })
    })
}
