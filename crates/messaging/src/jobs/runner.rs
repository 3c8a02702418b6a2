//! Makes the attempts of jobs: each is recorded before the call, and its result after.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use partie_contract::{Call, Outcome, OutcomeExt, Platform};
use partie_runtime::{Busy, Stop, failpoint, monotonic};
use partie_store::{Error, Store, Tx};
use tracing::{debug, error, warn};

use super::rows::{self, Task};
use super::{AfterCrash, Found, Handler, JobError, Run};
use crate::config::JobConfig;
use crate::ids::JobId;
use crate::wake::Hub;

pub(crate) struct JobRunner {
    pub(crate) store: Store,
    pub(crate) hub: Arc<Hub>,
    pub(crate) config: JobConfig,
    pub(crate) handlers: HashMap<&'static str, Handler>,
    /// Makes a call under the service's own identity.
    pub(crate) calls: Arc<dyn Fn() -> Call + Send + Sync>,
    pub(crate) stop: Stop,
}

/// What to do with a job next.
enum Next {
    /// An attempt that is recorded already.
    Attempt(Task),
    /// Another attempt, not recorded yet.
    Again(JobId),
    /// Nobody knows the outcome of the last one.
    Unknown(Task, String),
}

/// What follows a step.
enum After {
    /// The job is done, which is not on record yet.
    Done(JobId),
    /// There is more to do, then.
    Later(Instant, Next),
}

/// What is to be done later; the number makes the order total.
type Later = BTreeMap<(Instant, u64), Next>;

// === impl JobRunner ===

impl JobRunner {
    /// Something is going on from the start on: what an earlier process left behind is there without a ring.
    pub(crate) async fn run(self, begun: Busy) {
        let mut busy = Some(begun);
        let mut later = Later::new();
        let mut ready: VecDeque<Next> = self.left_over().await.into();
        let mut running = FuturesUnordered::new();
        // At most one, beside what is running.
        let mut turns = FuturesUnordered::new();
        let mut done = Vec::new();
        let mut may_have_fresh = true;
        let mut numbers = 0_u64..;
        let stopped = self.stop.stopped();
        tokio::pin!(stopped);
        loop {
            let now = monotonic();
            while let Some(entry) = later.first_entry().filter(|entry| entry.key().0 <= now) {
                ready.push_back(entry.remove());
            }
            while running.len() < self.config.concurrency
                && let Some(next) = ready.pop_front()
            {
                running.push(self.step(next));
            }
            let room = self.config.concurrency - running.len();
            let may_take = may_have_fresh && room > 0;
            if turns.is_empty() && (may_take || !done.is_empty()) {
                let limit = if may_take { room } else { 0 };
                may_have_fresh &= !may_take;
                turns.push(self.turn(std::mem::take(&mut done), limit));
            }
            if running.is_empty() && turns.is_empty() && later.is_empty() {
                busy = None;
            }
            let wait = later.first_key_value().map(|((due, _), _)| *due);
            tokio::select! {
                biased;
                () = &mut stopped => break,
                Some(fresh) = turns.next() => {
                    may_have_fresh |= !fresh.is_empty();
                    ready.extend(fresh);
                }
                Some(after) = running.next() => match after {
                    Some(After::Done(id)) => done.push(id),
                    Some(After::Later(due, next)) => {
                        later.insert((due, numbers.next().unwrap_or_default()), next);
                    }
                    None => {}
                },
                rung = self.hub.jobs.rung() => {
                    busy = Some(rung);
                    may_have_fresh = true;
                }
                () = until(wait) => {}
            }
        }
        // What was begun is finished; what waits is found at the next start.
        while let Some(fresh) = turns.next().await {
            ready.extend(fresh);
        }
        running.extend(
            ready.into_iter().filter(|next| matches!(next, Next::Attempt(_))).map(|next| self.step(next)),
        );
        while let Some(after) = running.next().await {
            if let Some(After::Done(id)) = after {
                done.push(id);
            }
        }
        self.turn(done, 0).await;
        drop(busy);
    }

    /// What an earlier process left behind.
    async fn left_over(&self) -> Vec<Next> {
        let left = self.insist(rows::left_over).await.unwrap_or_default();
        let next = |(task, unknown): (Task, bool)| {
            if unknown {
                Next::Unknown(task, "the process ended during the attempt".to_owned())
            } else {
                Next::Again(task.id)
            }
        };
        left.into_iter().map(next).collect()
    }

    /// Records what is done, and takes up at most so many jobs that wait for their first attempt, in one transaction.
    async fn turn(&self, done: Vec<JobId>, limit: usize) -> Vec<Next> {
        let write = move |tx: &mut Tx| {
            done.iter().try_for_each(|id| rows::note_done(tx, *id))?;
            if limit == 0 { Ok(Vec::new()) } else { rows::claim_fresh(tx, limit) }
        };
        self.insist(write).await.unwrap_or_default().into_iter().map(Next::Attempt).collect()
    }

    /// One attempt, or one question about an attempt. Gives back what follows, and when.
    async fn step(&self, next: Next) -> Option<After> {
        match next {
            Next::Attempt(task) => self.attempt(task).await,
            Next::Again(id) => {
                let task = self.insist(move |tx| rows::claim(tx, id)).await??;
                self.attempt(task).await
            }
            Next::Unknown(task, reason) => self.unknown(task, reason).await,
        }
    }

    async fn attempt(&self, task: Task) -> Option<After> {
        let Some(handler) = self.handlers.get(&*task.kind) else {
            return self.dead(&task, format!("the service has no job of the kind {}", task.kind)).await;
        };
        failpoint(&handler.names.before_call);
        let result = self.call(&handler.run, &task).await;
        failpoint(&handler.names.after_call);
        match result {
            Ok(()) => Some(Self::done(&task)),
            Err(JobError::Retry(reason)) => self.retry(&task, reason.to_string()).await,
            Err(JobError::Failed(reason)) => self.dead(&task, reason.to_string()).await,
            Err(JobError::Unknown(reason)) => self.unknown(task, reason.to_string()).await,
        }
    }

    /// Nobody knows whether the last attempt had its effect: the kind declares what follows.
    async fn unknown(&self, task: Task, reason: String) -> Option<After> {
        let Some(handler) = self.handlers.get(&*task.kind) else {
            return self.dead(&task, format!("the service has no job of the kind {}", task.kind)).await;
        };
        warn!(kind = %task.kind, id = %task.id, attempt = task.attempts, reason, "nobody knows whether a job was done");
        match (handler.after_crash, &handler.ask) {
            (AfterCrash::Retry, _) => self.retry(&task, reason).await,
            (AfterCrash::Ask, Some(ask)) => match self.call(ask, &task).await {
                Ok(Found::Done) => Some(Self::done(&task)),
                Ok(Found::NotDone) => self.retry(&task, reason).await,
                Err(JobError::Failed(error)) => {
                    self.dead(&task, format!("outcome unknown: {reason}; asking failed: {error}")).await
                }
                Err(JobError::Retry(error) | JobError::Unknown(error)) => {
                    let (id, error) = (task.id, format!("outcome unknown: {reason}; asking failed: {error}"));
                    self.insist(move |tx| rows::note_unknown(tx, id, &error)).await?;
                    let due = monotonic() + self.config.backoff.after(task.attempts, self.store.ids());
                    Some(After::Later(due, Next::Unknown(task, reason)))
                }
            },
            (AfterCrash::Ask | AfterCrash::GiveUp, _) => {
                self.dead(&task, format!("outcome unknown: {reason}")).await
            }
        }
    }

    /// Calls a handler, within the time an attempt has.
    async fn call<T>(&self, run: &Run<T>, task: &Task) -> Result<T, JobError> {
        let cx = task
            .cause
            .call((self.calls)(), self.store.ids())
            .within(self.config.timeout)
            .with_key(task.id.to_string())
            .with_attempt(task.attempts);
        let attempt = AssertUnwindSafe(run(cx, Arc::clone(&task.data))).catch_unwind();
        match tokio::time::timeout(self.config.timeout, attempt).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(JobError::unknown("the handler panicked")),
            Err(_) => Err(JobError::unknown("the time of the attempt was over")),
        }
    }

    fn done(task: &Task) -> After {
        debug!(kind = %task.kind, id = %task.id, attempts = task.attempts, "a job is done");
        After::Done(task.id)
    }

    async fn retry(&self, task: &Task, reason: String) -> Option<After> {
        if task.attempts >= self.config.attempts {
            return self.dead(task, reason).await;
        }
        let (id, error) = (task.id, reason.clone());
        self.insist(move |tx| rows::note_failed(tx, id, &error)).await?;
        warn!(kind = %task.kind, %id, attempt = task.attempts, reason, "a job failed and is tried again");
        let due = monotonic() + self.config.backoff.after(task.attempts, self.store.ids());
        Some(After::Later(due, Next::Again(id)))
    }

    async fn dead(&self, task: &Task, reason: String) -> Option<After> {
        let (id, error) = (task.id, reason.clone());
        self.insist(move |tx| rows::note_dead(tx, id, &error)).await?;
        error!(kind = %task.kind, %id, attempts = task.attempts, reason, "a job is a dead letter");
        None
    }

    /// Writes, again and again until it is written or the stage stops: what is not on record would be done twice.
    async fn insist<T: Send + 'static>(
        &self,
        write: impl Fn(&mut Tx) -> Result<T, Error> + Clone + Send + 'static,
    ) -> Option<T> {
        let mut failures = 0;
        loop {
            let write = write.clone();
            let written: Outcome<T> = self.store.write(move |tx| Ok(write(tx)?)).await;
            let fault: Platform = match written.unexpected() {
                Ok(value) => return Some(value),
                Err(fault) => fault,
            };
            failures += 1;
            warn!(store = self.store.name(), error = %fault, failures, "the state of a job cannot be recorded");
            let wait = self.config.backoff.after(failures, self.store.ids());
            tokio::select! { () = tokio::time::sleep(wait) => {}, () = self.stop.stopped() => return None }
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
