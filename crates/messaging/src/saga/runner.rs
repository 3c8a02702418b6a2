//! Runs sagas: makes the calls they need, and takes the answers back to them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use partie_contract::{Abort, Call, Outcome, OutcomeExt};
use partie_runtime::{Busy, Stop, failpoint};
use partie_store::{Store, Tx};
use partie_telemetry::Counter;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tracing::{error, warn};
use uuid::Uuid;

use super::engine::{Answer, Engine, Errand, Wanted};
use super::rows;
use super::step::{Sent, Work};
use super::turns::Place;
use crate::config::SagaConfig;
use crate::failure;
use crate::wake::Hub;

pub(crate) struct SagaRunner<S> {
    pub(crate) store: Store,
    pub(crate) hub: Arc<Hub>,
    pub(crate) config: SagaConfig,
    pub(crate) engine: Arc<Engine<S>>,
    pub(crate) state: Arc<S>,
    /// Makes a call under the service's own identity.
    pub(crate) calls: Arc<dyn Fn() -> Call + Send + Sync>,
    pub(crate) stop: Stop,
    pub(crate) alerts: Counter,
    /// Limits the calls under way.
    pub(crate) permits: Semaphore,
}

/// How many sagas are looked at in one transaction at most.
const TOGETHER: usize = 32;

/// A saga somebody works on.
#[derive(Default)]
struct Running {
    /// Told when there is news for it, so that it does not sit out a wait.
    news: Arc<Notify>,
    /// Whether there was news it may not have seen.
    again: bool,
}

/// A task of the runner has ended.
enum Ended {
    /// Sagas were looked at, and that is what each of them wants. Nobody knows of those whose look failed.
    Looked(Vec<(Uuid, Option<Wanted>)>),
    /// A saga went as far as it goes.
    Driven(Uuid),
}

// === impl SagaRunner ===

impl<S: Send + Sync + 'static> SagaRunner<S> {
    /// Something is going on from the start on: what an earlier process left behind is there without a ring.
    pub(crate) async fn run(self, begun: Busy) {
        let this = Arc::new(self);
        let mut busy = Some(begun);
        let mut running: HashMap<Uuid, Running> = HashMap::new();
        // Tasks of their own: their calls are the work of other services too, more than one thread's.
        let mut tasks = JoinSet::new();
        let stopped = this.stop.stopped();
        tokio::pin!(stopped);
        let unfinished = this.unfinished().await;
        let mut wanted: Vec<(Uuid, Place)> =
            unfinished.into_iter().map(|saga| (saga, this.hub.turns.wait())).collect();
        loop {
            let mut fresh = Vec::new();
            for (saga, turn) in wanted.drain(..) {
                match running.entry(saga) {
                    Entry::Occupied(mut known) => {
                        known.get_mut().again = true;
                        known.get().news.notify_one();
                    }
                    Entry::Vacant(place) => {
                        place.insert(Running::default());
                        fresh.push((saga, turn));
                    }
                }
            }
            let mut fresh = fresh.into_iter().peekable();
            while fresh.peek().is_some() {
                tasks.spawn(Arc::clone(&this).look(fresh.by_ref().take(TOGETHER).collect()));
            }
            if tasks.is_empty() {
                busy = None;
            }
            tokio::select! {
                biased;
                () = &mut stopped => break,
                Some(ended) = tasks.join_next() => match ended {
                    Ok(Ended::Looked(looked)) => for (saga, wants) in looked {
                        match running.get(&saga) {
                            Some(known) if !matches!(wants, Some(Wanted::Nothing)) => {
                                tasks.spawn(Arc::clone(&this).drive(saga, Arc::clone(&known.news), wants));
                            }
                            _ => this.leave(&mut running, saga, &mut wanted),
                        }
                    },
                    Ok(Ended::Driven(saga)) => this.leave(&mut running, saga, &mut wanted),
                    Err(error) => error!(%error, "a saga is left until the next start"),
                },
                rung = this.hub.sagas.rung() => {
                    busy = Some(rung);
                    wanted.extend(this.hub.take_wanted());
                }
            }
        }
        // Calls under way are finished and their answers taken in; the rest is found at the next start.
        while tasks.join_next().await.is_some() {}
        drop(busy);
    }

    /// Nobody works on the saga any more, unless there was news.
    fn leave(&self, running: &mut HashMap<Uuid, Running>, saga: Uuid, wanted: &mut Vec<(Uuid, Place)>) {
        if running.remove(&saga).is_some_and(|known| known.again) {
            wanted.push((saga, self.hub.turns.wait()));
        }
    }

    /// Moves sagas as far as they can without a call, in one transaction.
    async fn look(self: Arc<Self>, sagas: Vec<(Uuid, Place)>) -> Ended {
        let engine = Arc::clone(&self.engine);
        let ids: Arc<[Uuid]> = sagas.iter().map(|(saga, _)| *saga).collect();
        let all = Arc::clone(&ids);
        let looked: Outcome<Vec<Wanted>> = self
            .store
            .write(move |tx| {
                Ok(all.iter().map(|saga| engine.look(tx, *saga)).collect::<Result<_, Abort>>()?)
            })
            .await;
        Ended::Looked(match looked {
            Ok(wanted) => ids.iter().copied().zip(wanted.into_iter().map(Some)).collect(),
            // One of them failed, and which one it was shows when each is alone.
            Err(_) => ids.iter().map(|saga| (*saga, None)).collect(),
        })
    }

    async fn unfinished(&self) -> Vec<Uuid> {
        let mut failures = 0;
        loop {
            let found: Outcome<Vec<Uuid>> = self.store.read(|tx| Ok(rows::unfinished(tx)?)).await;
            match found.unexpected() {
                Ok(found) => return found,
                Err(fault) => {
                    failures += 1;
                    warn!(store = self.store.name(), error = %fault, "sagas cannot be read, and are tried again");
                    if !self.wait(failures, None).await {
                        return Vec::new();
                    }
                }
            }
        }
    }

    /// Takes a saga as far as it goes, from what it wants if somebody knows that.
    async fn drive(self: Arc<Self>, saga: Uuid, news: Arc<Notify>, wants: Option<Wanted>) -> Ended {
        let engine = Arc::clone(&self.engine);
        let mut wanted = match wants {
            Some(wanted) => Some(wanted),
            None => self.insist(saga, &news, move |tx| engine.look(tx, saga)).await,
        };
        while let Some(Wanted::Call(errand)) = wanted {
            if self.stop.is_stopped() {
                break;
            }
            wanted = self.run_errand(errand, &news).await;
        }
        Ended::Driven(saga)
    }

    /// Makes one call and takes the answer to the saga. `None` when the stage stops.
    async fn run_errand(&self, errand: Errand, news: &Arc<Notify>) -> Option<Wanted> {
        let (engine, saga) = (Arc::clone(&self.engine), errand.saga);
        let sent = self.send(&errand).await?;
        match sent {
            Sent::Done(apply) => {
                let apply = Arc::new(apply);
                self.insist(saga, news, move |tx| engine.answer(tx, &errand, &Answer::Done(&apply))).await
            }
            Sent::Refused { code, detail } if errand.may_be_refused => {
                let answer =
                    move |tx: &mut Tx| engine.answer(tx, &errand, &Answer::Refused { code, detail: &detail });
                self.insist(saga, news, answer).await
            }
            Sent::NoAnswer { detail, may_help }
                if errand.may_give_up && (!may_help || errand.attempts + 1 >= self.config.attempts) =>
            {
                warn!(%saga, command = %errand.command, detail, "a command is given up and compensated");
                let answer =
                    move |tx: &mut Tx| engine.answer(tx, &errand, &Answer::GivenUp { detail: &detail });
                self.insist(saga, news, answer).await
            }
            Sent::Refused { detail, .. } if errand.undo && errand.attempts + 1 >= self.config.alert_after => {
                self.park(&errand, detail, news).await
            }
            Sent::Refused { detail, .. } | Sent::NoAnswer { detail, .. } => {
                self.failed(&errand, detail, news).await
            }
        }
    }

    /// Sends a command, or its compensation, under its id.
    async fn send(&self, errand: &Errand) -> Option<Sent<S>> {
        let (step, names) = self.engine.definition(errand.kind)?.steps.get(errand.index)?;
        let (send, key, before, after) = match (&step.work, &step.undo) {
            (_, Some(undo)) if errand.undo => {
                (undo, errand.command.undo_key(), &names.before_undo, &names.after_undo)
            }
            (Work::Command(send), _) if !errand.undo => {
                (send, errand.command.key().to_owned(), &names.before_command, &names.after_command)
            }
            _ => return None,
        };
        let turn = self.hub.turns.wait();
        let _permit = self.permits.acquire().await.ok()?;
        drop(turn);
        let cx = errand
            .cause
            .call((self.calls)().once(), self.store.ids())
            .within(self.config.timeout)
            .with_key(key)
            .with_attempt(errand.attempts + 1);
        failpoint(before);
        let call = AssertUnwindSafe(send(Arc::clone(&self.state), cx, &errand.data)).catch_unwind();
        let sent = match tokio::time::timeout(self.config.timeout, call).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => Sent::NoAnswer { detail: "the method panicked".to_owned(), may_help: true },
            Err(_) => Sent::NoAnswer { detail: "there was no answer in time".to_owned(), may_help: true },
        };
        failpoint(after);
        Some(sent)
    }

    /// Records a failed attempt and waits for the next one. News ends the wait.
    async fn failed(&self, errand: &Errand, detail: String, news: &Arc<Notify>) -> Option<Wanted> {
        let (saga, attempts) = (errand.saga, errand.attempts + 1);
        if attempts >= self.config.alert_after {
            self.alerts.increment(1);
            error!(%saga, command = %errand.command, undo = errand.undo, attempts, detail, "a saga does not get on");
        } else {
            warn!(%saga, command = %errand.command, undo = errand.undo, attempts, detail, "no success yet; the saga tries again");
        }
        let revision = errand.revision;
        self.insist(saga, news, move |tx| Ok(rows::note_attempt(tx, saga, revision, &detail)?)).await?;
        if !self.wait(attempts, Some(news)).await {
            return None;
        }
        let engine = Arc::clone(&self.engine);
        self.insist(saga, news, move |tx| engine.look(tx, saga)).await
    }

    /// The other side says no, again and again: only a person can know what to do. The saga stands still until one has it
    /// tried again, or there is news for it.
    async fn park(&self, errand: &Errand, detail: String, news: &Arc<Notify>) -> Option<Wanted> {
        let (saga, revision) = (errand.saga, errand.revision);
        let reason = format!("undoing {} is refused: {detail}", errand.command);
        self.alerts.increment(1);
        alert(saga, &reason);
        let park = move |tx: &mut Tx| {
            rows::note_attempt(tx, saga, revision, &detail)?;
            Ok(rows::park(tx, saga, &reason)?)
        };
        self.insist(saga, news, park).await?;
        Some(Wanted::Nothing)
    }

    /// Writes, again and again until it is written. `None` when the stage stops first.
    async fn insist<T: Send + 'static>(
        &self,
        saga: Uuid,
        news: &Arc<Notify>,
        write: impl Fn(&mut Tx) -> Result<T, Abort> + Send + Sync + 'static,
    ) -> Option<T> {
        let write = Arc::new(write);
        let mut failures = 0_u32;
        loop {
            let once = Arc::clone(&write);
            let written: Outcome<T> = self.store.write(move |tx| Ok(once(tx)?)).await;
            let fault = match written.unexpected() {
                Ok(value) => return Some(value),
                Err(fault) => fault,
            };
            failures += 1;
            let reason = failure::describe(&fault);
            if failures >= self.config.alert_after {
                self.alerts.increment(1);
                error!(%saga, failures, reason, "a saga cannot take its next step");
            } else {
                warn!(%saga, failures, reason, "a saga could not take its next step, and tries again");
            }
            if !self.wait(failures, Some(news)).await {
                return None;
            }
        }
    }

    /// Waits after failures. `false` when the stage stops.
    async fn wait(&self, failures: u32, news: Option<&Notify>) -> bool {
        let news = async {
            match news {
                Some(news) => news.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.stopped() => false,
            () = news => true,
            () = tokio::time::sleep(self.config.backoff.after(failures, self.store.ids())) => true,
        }
    }
}

/// Says that a saga stands still until somebody helps.
pub(super) fn alert(saga: Uuid, reason: &str) {
    error!(%saga, reason, "a saga is parked");
}
