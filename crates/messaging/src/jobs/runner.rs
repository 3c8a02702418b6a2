//! Makes the attempts of jobs: each is recorded before the call, and its result after.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use partie_contract::{Abort, BoxFuture, Call, Outcome, OutcomeExt, Platform};
use partie_runtime::{Busy, Stop, failpoint, monotonic};
use partie_store::{Store, Tx};
use tracing::{debug, error, warn};

use super::record::{Finished, begin, note_failure};
use super::rows::{self, Task};
use super::{AfterCrash, Attempt, Ended, Found, Handler, JobError, Note};
use crate::config::JobConfig;
use crate::failure;
use crate::ids::JobId;
use crate::wake::Hub;

pub(crate) struct JobRunner {
    pub(crate) store: Store,
    pub(crate) hub: Arc<Hub>,
    pub(crate) config: JobConfig,
    pub(crate) handlers: Arc<HashMap<&'static str, Handler>>,
    /// Makes a call under the service's own identity.
    pub(crate) calls: Arc<dyn Fn() -> Call + Send + Sync>,
    pub(crate) stop: Stop,
}

/// What to do with a job next.
enum Next {
    /// An attempt that is on record.
    Attempt(Task, Attempt),
    /// An attempt that is on record, but not the service's.
    Begin(Task),
    /// Another attempt, not recorded yet.
    Again(JobId),
    /// Nobody knows the outcome of the last one.
    Unknown(Task, String),
}

/// What follows a step.
enum After {
    /// The job is done, which is not on record yet.
    Done(Finished),
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
                    Some(After::Done(finished)) => done.push(finished),
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
        let is_begun = |next: &Next| matches!(next, Next::Attempt(..) | Next::Begin(_));
        running.extend(ready.into_iter().filter(is_begun).map(|next| self.step(next)));
        while let Some(after) = running.next().await {
            if let Some(After::Done(finished)) = after {
                done.push(finished);
            }
        }
        self.turn(done, 0).await;
        drop(busy);
    }

    /// What an earlier process left behind.
    async fn left_over(&self) -> Vec<Next> {
        let left = self.insist(|tx| Ok(rows::left_over(tx)?)).await.unwrap_or_default();
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
    async fn turn(&self, done: Vec<Finished>, limit: usize) -> Vec<Next> {
        if done.is_empty() && limit == 0 {
            return Vec::new();
        }
        let (done, handlers) = (Arc::new(done), Arc::clone(&self.handlers));
        let all = Arc::clone(&done);
        let together = move |tx: &mut Tx| {
            all.iter().try_for_each(|finished| finished.note(tx))?;
            let fresh = if limit == 0 { Vec::new() } else { rows::claim_fresh(tx, limit)? };
            fresh.into_iter().map(|task| begin(&handlers, tx, task)).collect::<Result<Vec<_>, Abort>>()
        };
        match self.write(together).await {
            None => Vec::new(),
            Some(Ok(begun)) => {
                begun.into_iter().flatten().map(|(task, attempt)| Next::Attempt(task, attempt)).collect()
            }
            // One of them failed, and which one it was shows when each is alone.
            Some(Err(_)) => {
                for finished in done.iter() {
                    self.finish(finished.clone()).await;
                }
                let claimed = self.insist(move |tx| Ok(rows::claim_fresh(tx, limit)?)).await;
                claimed.unwrap_or_default().into_iter().map(Next::Begin).collect()
            }
        }
    }

    /// Records what is done, alone.
    async fn finish(&self, finished: Finished) {
        let task = finished.task.clone();
        if let Some(Err(reason)) = self.write(move |tx| finished.note(tx)).await {
            self.bury(&task, format!("it was done, but that could not be recorded: {reason}")).await;
        }
    }

    /// One attempt, or one question about an attempt. Gives back what follows, and when.
    async fn step(&self, next: Next) -> Option<After> {
        match next {
            Next::Attempt(task, attempt) => self.attempt(task, attempt).await,
            Next::Begin(task) => {
                let (handlers, begun) = (Arc::clone(&self.handlers), task.clone());
                match self.write(move |tx| begin(&handlers, tx, begun.clone())).await? {
                    Ok(begun) => self.attempt_if_any(begun).await,
                    Err(reason) => self.bury(&task, reason).await,
                }
            }
            Next::Again(id) => {
                let handlers = Arc::clone(&self.handlers);
                let claimed = self.write(move |tx| match rows::claim(tx, id)? {
                    Some(task) => begin(&handlers, tx, task),
                    None => Ok(None),
                });
                match claimed.await? {
                    Ok(begun) => self.attempt_if_any(begun).await,
                    Err(reason) => {
                        let task = self.insist(move |tx| Ok(rows::claim(tx, id)?)).await??;
                        self.bury(&task, reason).await
                    }
                }
            }
            Next::Unknown(task, reason) => self.unknown(task, reason).await,
        }
    }

    async fn attempt_if_any(&self, begun: Option<(Task, Attempt)>) -> Option<After> {
        let (task, attempt) = begun?;
        self.attempt(task, attempt).await
    }

    async fn attempt(&self, task: Task, attempt: Attempt) -> Option<After> {
        let names = self.handlers.get(&*task.kind).map(|handler| &handler.names);
        names.iter().for_each(|names| failpoint(&names.before_call));
        let result = self.call(&task, attempt).await;
        names.iter().for_each(|names| failpoint(&names.after_call));
        match result {
            Ok(note) => Some(Self::done(task, note)),
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
            (AfterCrash::Ask, Some(ask)) => {
                match self.call(&task, |cx| ask(cx, Arc::clone(&task.data))).await {
                    Ok(Found::Done) => Some(Self::done(task, None)),
                    Ok(Found::NotDone) => self.retry(&task, reason).await,
                    Err(JobError::Failed(error)) => {
                        self.dead(&task, format!("outcome unknown: {reason}; asking failed: {error}")).await
                    }
                    Err(JobError::Retry(error) | JobError::Unknown(error)) => {
                        let (id, error) =
                            (task.id, format!("outcome unknown: {reason}; asking failed: {error}"));
                        self.insist(move |tx| Ok(rows::note_unknown(tx, id, &error)?)).await?;
                        let due = monotonic() + self.config.backoff.after(task.attempts, self.store.ids());
                        Some(After::Later(due, Next::Unknown(task, reason)))
                    }
                }
            }
            (AfterCrash::Ask | AfterCrash::GiveUp, _) => {
                self.dead(&task, format!("outcome unknown: {reason}")).await
            }
        }
    }

    /// Calls a handler, within the time an attempt has.
    async fn call<T>(
        &self,
        task: &Task,
        run: impl FnOnce(Call) -> BoxFuture<'static, Result<T, JobError>>,
    ) -> Result<T, JobError> {
        let cx = task
            .cause
            .call((self.calls)().once(), self.store.ids())
            .within(self.config.timeout)
            .with_key(task.id.to_string())
            .with_attempt(task.attempts);
        let attempt = AssertUnwindSafe(run(cx)).catch_unwind();
        match tokio::time::timeout(self.config.timeout, attempt).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(JobError::unknown("the handler panicked")),
            Err(_) => Err(JobError::unknown("the time of the attempt was over")),
        }
    }

    fn done(task: Task, note: Note) -> After {
        debug!(kind = %task.kind, id = %task.id, attempts = task.attempts, "a job is done");
        After::Done(Finished { task, note })
    }

    async fn retry(&self, task: &Task, reason: String) -> Option<After> {
        if task.attempts >= self.config.attempts {
            return self.dead(task, reason).await;
        }
        let (failed, handlers, error) = (task.clone(), Arc::clone(&self.handlers), reason.clone());
        let written = self.write(move |tx| {
            rows::note_failed(tx, failed.id, &error)?;
            note_failure(&handlers, tx, &failed, Ended::Again(error.clone()))
        });
        if let Err(flaw) = written.await? {
            return self.bury(task, format!("{reason}; that could not be recorded: {flaw}")).await;
        }
        let id = task.id;
        warn!(kind = %task.kind, %id, attempt = task.attempts, reason, "a job failed and is tried again");
        let due = monotonic() + self.config.backoff.after(task.attempts, self.store.ids());
        Some(After::Later(due, Next::Again(id)))
    }

    async fn dead(&self, task: &Task, reason: String) -> Option<After> {
        let (dead, handlers, error) = (task.clone(), Arc::clone(&self.handlers), reason.clone());
        let written = self.write(move |tx| {
            rows::note_dead(tx, dead.id, &error)?;
            note_failure(&handlers, tx, &dead, Ended::Dead(error.clone()))
        });
        match written.await? {
            Ok(()) => {
                error!(kind = %task.kind, id = %task.id, attempts = task.attempts, reason, "a job is a dead letter");
                None
            }
            Err(flaw) => self.bury(task, format!("{reason}; that could not be recorded: {flaw}")).await,
        }
    }

    /// Makes a job a dead letter of which the service cannot be told.
    async fn bury(&self, task: &Task, reason: String) -> Option<After> {
        error!(kind = %task.kind, id = %task.id, attempts = task.attempts, reason, "a job is a dead letter");
        let id = task.id;
        self.insist(move |tx| Ok(rows::note_dead(tx, id, &reason)?)).await?;
        None
    }

    /// Writes, again and again until it is written or the stage stops: what is not on record would be done twice.
    async fn insist<T: Send + 'static>(
        &self,
        write: impl Fn(&mut Tx) -> Result<T, Abort> + Send + Sync + 'static,
    ) -> Option<T> {
        let write = Arc::new(write);
        let mut failures = 0;
        loop {
            let once = Arc::clone(&write);
            if let Ok(written) = self.write(move |tx| once(tx)).await? {
                return Some(written);
            }
            failures += 1;
            self.wait(failures).await?;
        }
    }

    /// Writes, again and again while the store has no room. An error is that of the writing itself. `None` when the stage
    /// stops.
    async fn write<T: Send + 'static>(
        &self,
        write: impl Fn(&mut Tx) -> Result<T, Abort> + Send + Sync + 'static,
    ) -> Option<Result<T, String>> {
        let write = Arc::new(write);
        let mut failures = 0;
        loop {
            let once = Arc::clone(&write);
            let written: Outcome<T> = self.store.write(move |tx| Ok(once(tx)?)).await;
            let fault: Platform = match written.unexpected() {
                Ok(value) => return Some(Ok(value)),
                Err(fault) => fault,
            };
            failures += 1;
            let failure = failure::of_platform(&fault);
            warn!(
                store = self.store.name(),
                reason = failure.reason,
                failures,
                "the state of a job cannot be recorded"
            );
            if !failure.is_ours {
                return Some(Err(failure.reason));
            }
            self.wait(failures).await?;
        }
    }

    /// Waits after failures. `None` when the stage stops.
    async fn wait(&self, failures: u32) -> Option<()> {
        let wait = self.config.backoff.after(failures, self.store.ids());
        tokio::select! { () = tokio::time::sleep(wait) => Some(()), () = self.stop.stopped() => None }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
