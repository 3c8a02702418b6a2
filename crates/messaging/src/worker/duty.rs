//! What a worker does in the background: everything that one process does for a store, whoever takes its requests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Call, Outcome};
use partie_runtime::{Stop, trust_now};
use partie_store::{Store, Tx};
use tokio::sync::Semaphore;
use tracing::warn;

use super::Stages;
use crate::broker::{Broker, Group};
use crate::config::Config;
use crate::consumer::{Consumer, Wait};
use crate::handlers::{BoundEvent, BoundPeriodic};
use crate::jobs::{self, Handler, JobRunner};
use crate::metric_definitions as metrics;
use crate::periodic::PeriodicRunner;
use crate::relay::{Backlog, Relay};
use crate::saga::{Engine, SagaRunner};
use crate::timers::{Fire, TimerRunner};
use crate::wake::Hub;
use crate::{inbox, outbox};

/// How often old rows are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How many are removed in one transaction.
const PRUNED_AT_ONCE: usize = 500;

/// The handlers of a service with all they need, ready to begin.
pub(super) struct Duty<S> {
    pub(super) service: &'static str,
    pub(super) broker: Arc<dyn Broker>,
    pub(super) hub: Arc<Hub>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) events: Vec<(BoundEvent, Arc<Wait>)>,
    pub(super) timers: Arc<HashMap<&'static str, Fire>>,
    pub(super) jobs: Arc<HashMap<&'static str, Handler>>,
    pub(super) periodic: Vec<Arc<BoundPeriodic>>,
    pub(super) engine: Arc<Engine<S>>,
    pub(super) state: Arc<S>,
    pub(super) calls: Arc<dyn Fn() -> Call + Send + Sync>,
    pub(super) config: Config,
}

// === impl Duty ===

impl<S: Send + Sync + 'static> Duty<S> {
    /// Begins all of it on the current tokio runtime. It ends with the stages.
    pub(super) fn begin(&self, store: &Store, stages: &Stages) {
        self.send(store, &stages.relay);
        self.receive(store, &stages.consumers);
        self.work(store, &stages.work);
        let remember = self.config.consumers.remember.max(self.broker.retention().saturating_mul(2));
        let stop = stages.work.clone();
        stages.work.spawn(prune(store.clone(), self.config.clone(), remember, stop));
    }

    pub(super) fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.hub)
    }

    /// Learns from the store how long its oldest event has been waiting.
    pub(super) async fn look_at_backlog(&self, store: &Store) {
        let oldest: Outcome<_> = store.read(|tx| Ok(outbox::oldest(tx)?)).await;
        // A store that does not answer says so to whoever wants to write to it.
        if let Ok(oldest) = oldest {
            self.backlog.note(oldest);
        }
    }

    /// From the outbox to the broker.
    fn send(&self, store: &Store, stop: &Stop) {
        let relay = Relay {
            store: store.clone(),
            broker: Arc::clone(&self.broker),
            hub: Arc::clone(&self.hub),
            config: self.config.relay.clone(),
            backlog: Arc::clone(&self.backlog),
            stop: stop.clone(),
        };
        stop.spawn(after_what_began(store.clone(), relay.run(store.activity().begin())));
    }

    /// From the broker to the handlers.
    fn receive(&self, store: &Store, stop: &Stop) {
        let config = &self.config.consumers;
        for (BoundEvent { group, type_name, decode }, wait) in &self.events {
            let labels = [("group", group.as_str())];
            let consumer = Consumer {
                decode: Arc::clone(decode),
                wait: Arc::clone(wait),
                concurrency: config.concurrency.max(1),
                store: store.clone(),
                broker: Arc::clone(&self.broker),
                stop: stop.clone(),
                handled: metrics::EVENTS_HANDLED.counter(&labels),
                failed: metrics::EVENTS_FAILED.counter(&labels),
                group: Group {
                    name: group.clone(),
                    types: vec![(*type_name).to_owned()],
                    attempts: config.attempts,
                    backoff: config.backoff,
                },
            };
            stop.spawn(consumer.run(store.activity().begin()));
        }
    }

    /// What is due.
    fn work(&self, store: &Store, stop: &Stop) {
        let timers = TimerRunner {
            store: store.clone(),
            hub: Arc::clone(&self.hub),
            config: self.config.timers.clone(),
            handlers: Arc::clone(&self.timers),
            stop: stop.clone(),
        };
        stop.spawn(after_what_began(store.clone(), timers.run(store.activity().begin())));
        let jobs = JobRunner {
            store: store.clone(),
            hub: Arc::clone(&self.hub),
            config: self.config.jobs.clone(),
            handlers: Arc::clone(&self.jobs),
            calls: Arc::clone(&self.calls),
            stop: stop.clone(),
        };
        stop.spawn(jobs.run(store.activity().begin()));
        for work in &self.periodic {
            let runner = PeriodicRunner {
                work: Arc::clone(work),
                store: store.clone(),
                calls: Arc::clone(&self.calls),
                stop: stop.clone(),
            };
            stop.spawn(runner.run(store.activity().begin()));
        }
        let sagas = SagaRunner {
            store: store.clone(),
            hub: Arc::clone(&self.hub),
            permits: Semaphore::new(self.config.sagas.concurrency.max(1)),
            config: self.config.sagas.clone(),
            engine: Arc::clone(&self.engine),
            state: Arc::clone(&self.state),
            calls: Arc::clone(&self.calls),
            stop: stop.clone(),
            alerts: metrics::SAGA_ALERTS.counter(&[("service", self.service)]),
        };
        stop.spawn(after_what_began(store.clone(), sagas.run(store.activity().begin())));
    }
}

/// Runs it once everything is committed that began before the worker was there: nobody rings for that, so the first look
/// has to see it. Commits follow each other, so a write of nothing is told when they are done.
async fn after_what_began(store: Store, run: impl Future<Output = ()>) {
    // A store that cannot write has nothing under way either.
    let told: Outcome<()> = store.write(|_| Ok(())).await;
    drop((told, store));
    run.await;
}

/// Removes what nobody needs any more, a little at a time.
async fn prune(store: Store, config: Config, remember: Duration, stop: Stop) {
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    let (sent, done) = (config.relay.keep_sent, config.jobs.keep_done);
    let limit = i64::try_from(PRUNED_AT_ONCE).unwrap_or(i64::MAX);
    loop {
        tokio::select! { () = tokio::time::sleep(PRUNE_EVERY) => {}, () = &mut stopped => return }
        loop {
            let sent_before = trust_now().saturating_sub(i64::try_from(sent.as_secs()).unwrap_or(i64::MAX));
            let once = move |tx: &mut Tx| -> Outcome<usize> {
                let events = outbox::prune(tx, sent_before, limit)?;
                let handled = inbox::prune(tx, remember, limit)?;
                Ok(events.max(handled).max(jobs::prune(tx, done, limit)?))
            };
            match store.write(once).await {
                Ok(pruned) if pruned >= PRUNED_AT_ONCE && !stop.is_stopped() => {}
                Ok(_) => break,
                Err(error) => {
                    warn!(store = store.name(), %error, "old rows could not be removed");
                    break;
                }
            }
        }
    }
}
