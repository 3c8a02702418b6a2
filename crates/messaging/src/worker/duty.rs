//! What a worker does in the background: everything that one process does for a store, whoever takes its requests.

use std::collections::HashMap;
use std::sync::Arc;

use partie_contract::{Call, Outcome};
use partie_runtime::Stop;
use partie_store::Store;
use tokio::sync::Semaphore;

use super::Stages;
use super::old::Old;
use crate::broker::{Broker, Group};
use crate::config::Config;
use crate::consumer::{Consumer, Wait};
use crate::handlers::{BoundEvent, BoundPeriodic};
use crate::jobs::{Handler, JobRunner};
use crate::metric_definitions as metrics;
use crate::outbox;
use crate::periodic::PeriodicRunner;
use crate::relay::{Backlog, Relay};
use crate::saga::{Engine, SagaRunner};
use crate::timers::{Fire, TimerRunner};
use crate::wake::Hub;

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
        stages.work.spawn(self.old(store).prune(stages.work.clone()));
    }

    /// What of the store nobody needs any more.
    pub(super) fn old(&self, store: &Store) -> Old {
        let remember = self.config.consumers.remember.max(self.broker.retention().saturating_mul(2));
        Old { store: store.clone(), config: self.config.clone(), remember }
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
