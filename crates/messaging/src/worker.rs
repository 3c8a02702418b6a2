//! A worker: everything of a service that runs in the background.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Call, FaultKind, Id, Outcome, OutcomeExt, Platform};
use partie_runtime::{Stop, trust_now};
use partie_store::{Migration, MigrationSet, Store, Tx, migrations};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::broker::{Broker, Group};
use crate::config::Config;
use crate::consumer::{Consumer, Wait};
use crate::handlers::{Bound, BoundEvent, HandlerError, Handlers};
use crate::ids::{JobId, TimerId};
use crate::jobs::{self, DeadJob, JobRunner};
use crate::metric_definitions as metrics;
use crate::periodic::PeriodicRunner;
use crate::relay::{Backlog, Relay};
use crate::saga::{self, ParkedSaga, SagaRunner, SagaView, Turns};
use crate::timers::{self, ParkedTimer, TimerRunner};
use crate::wake::Hub;
use crate::{inbox, outbox};

/// The tables messaging keeps in a service's store.
const FILES: &[Migration] = migrations!["0001_messaging.sql", "0002_relay_epoch.sql", "0003_retention.sql"];
/// Give it to [`Store::open`] beside the service's own migrations.
pub const MIGRATIONS: MigrationSet = MigrationSet { name: "messaging", migrations: FILES };

/// How often old rows are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How many are removed in one transaction.
const PRUNED_AT_ONCE: usize = 500;

/// What a worker is made of.
pub struct WorkerParts<S> {
    /// The service's name; its groups begin with it.
    pub service: &'static str,
    /// Its store, opened with [`MIGRATIONS`].
    pub store: Store,
    /// Where events go and come from.
    pub broker: Arc<dyn Broker>,
    /// What to do.
    pub handlers: Handlers<S>,
    /// What the handlers work on.
    pub state: Arc<S>,
    /// Makes a fresh call under the service's own identity, for jobs, sagas and periodic work.
    pub calls: Arc<dyn Fn() -> Call + Send + Sync>,
    /// The stages of the drain it stops with.
    pub stages: Stages,
    /// Its settings.
    pub config: Config,
}

/// The stages a worker stops in, in this order. Services of one process may share them.
#[derive(Debug, Clone, Default)]
pub struct Stages {
    /// Nothing more is taken from the broker.
    pub consumers: Stop,
    /// No timer fires, no job or call of a saga begins; those under way end.
    pub work: Stop,
    /// What is in the outbox leaves, if the broker takes it, and the relay ends.
    pub relay: Stop,
}

/// The background work of one service. Cheap to clone; it runs until its [`Stages`] stop.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

struct Inner {
    store: Store,
    stages: Stages,
    groups: Vec<String>,
    backlog: Arc<Backlog>,
    backlog_limit: Duration,
    turns: Arc<Turns>,
    turn_limit: Duration,
    /// Of each group.
    waits: Vec<Arc<Wait>>,
    wait_limit: Duration,
    old: Old,
}

/// What nobody needs any more.
#[derive(Clone)]
struct Old {
    store: Store,
    config: Config,
    /// How long handled events are remembered.
    remember: Duration,
}

// === impl Worker ===

impl Worker {
    /// Starts everything, on the current tokio runtime. Attaches to the store what wakes it after commits, so start it
    /// before the service takes requests.
    ///
    /// # Errors
    /// [`HandlerError`] when the handlers do not go together; nothing is started then.
    pub fn start<S: Send + Sync + 'static>(parts: WorkerParts<S>) -> Result<Self, HandlerError> {
        let WorkerParts { service, store, broker, handlers, state, calls, stages, config } = parts;
        let Bound { events, timers, jobs, periodic, engine } =
            handlers.into_registry(service)?.bind(service, &state);
        let labels = [("service", service)];
        let hub = Arc::new(Hub::new(store.activity().clone()));
        store.attach(Arc::clone(&hub));

        // From the outbox to the broker.
        let backlog = Arc::new(Backlog::new(metrics::OUTBOX_AGE.gauge(&labels)));
        let relay = Relay {
            store: store.clone(),
            broker: Arc::clone(&broker),
            hub: Arc::clone(&hub),
            config: config.relay.clone(),
            backlog: Arc::clone(&backlog),
            stop: stages.relay.clone(),
        };
        stages.relay.spawn(after_what_began(store.clone(), relay.run(store.activity().begin())));

        // From the broker to the handlers.
        let groups = events.iter().map(|event| event.group.clone()).collect();
        let mut waits = Vec::new();
        for BoundEvent { group, type_name, decode } in events {
            let wait = Arc::<Wait>::default();
            waits.push(Arc::clone(&wait));
            let labels = [("group", group.as_str())];
            let consumer = Consumer {
                decode,
                wait,
                concurrency: config.consumers.concurrency.max(1),
                store: store.clone(),
                broker: Arc::clone(&broker),
                stop: stages.consumers.clone(),
                handled: metrics::EVENTS_HANDLED.counter(&labels),
                failed: metrics::EVENTS_FAILED.counter(&labels),
                group: Group {
                    name: group.clone(),
                    types: vec![type_name.to_owned()],
                    attempts: config.consumers.attempts,
                    backoff: config.consumers.backoff,
                },
            };
            stages.consumers.spawn(consumer.run(store.activity().begin()));
        }

        // What is due.
        let timers = TimerRunner {
            store: store.clone(),
            hub: Arc::clone(&hub),
            config: config.timers.clone(),
            handlers: timers,
            stop: stages.work.clone(),
        };
        stages.work.spawn(after_what_began(store.clone(), timers.run(store.activity().begin())));
        let jobs = JobRunner {
            store: store.clone(),
            hub: Arc::clone(&hub),
            config: config.jobs.clone(),
            handlers: Arc::new(jobs),
            calls: Arc::clone(&calls),
            stop: stages.work.clone(),
        };
        stages.work.spawn(jobs.run(store.activity().begin()));
        for work in periodic {
            let (begun, calls, stop) = (store.activity().begin(), Arc::clone(&calls), stages.work.clone());
            stages.work.spawn(PeriodicRunner { work, store: store.clone(), calls, stop }.run(begun));
        }
        let turns = Arc::clone(&hub.turns);
        let sagas = SagaRunner {
            store: store.clone(),
            hub,
            permits: Semaphore::new(config.sagas.concurrency.max(1)),
            config: config.sagas.clone(),
            engine,
            state,
            calls,
            stop: stages.work.clone(),
            alerts: metrics::SAGA_ALERTS.counter(&labels),
        };
        stages.work.spawn(after_what_began(store.clone(), sagas.run(store.activity().begin())));

        // What is old.
        let remember = config.consumers.remember.max(broker.retention().saturating_mul(2));
        let old = Old { store: store.clone(), config: config.clone(), remember };
        stages.work.spawn(prune(old.clone(), stages.work.clone()));

        Ok(Self(Arc::new(Inner {
            store,
            stages,
            groups,
            backlog,
            backlog_limit: config.relay.backlog_limit,
            turns,
            turn_limit: config.sagas.backlog_limit,
            waits,
            wait_limit: config.consumers.backlog_limit,
            old,
        })))
    }

    /// How old the oldest unsent event is, if that is too old: operations that publish are to be refused meanwhile.
    pub fn backlog(&self) -> Option<Duration> {
        self.0.backlog.age().filter(|age| *age > self.0.backlog_limit)
    }

    /// What to answer operations that publish, or that begin sagas: what is accepted is not to run away from what is done
    /// about it.
    ///
    /// # Errors
    /// [`FaultKind::Degraded`], with when to come back, while there is a [`backlog`](Self::backlog), and while events wait
    /// too long for this service's handlers, or its sagas for their turn.
    pub fn admit(&self) -> Result<(), Platform> {
        let Inner { backlog_limit, turns, turn_limit, waits, wait_limit, .. } = &*self.0;
        let waits = waits.iter().map(|wait| wait.latest()).max();
        for (what, behind, limit) in [
            ("events have not left", self.backlog(), backlog_limit),
            ("events wait for their handlers", waits, wait_limit),
            ("sagas wait for their turn", turns.longest(), turn_limit),
        ] {
            if let Some(behind) = behind.filter(|behind| behind > limit) {
                return Err(Platform::new(FaultKind::Degraded)
                    .with_detail(format!("{what} for {} s", behind.as_secs()))
                    .retry_after(*limit));
            }
        }
        Ok(())
    }

    /// The groups its handlers of events are, by the names the broker knows them under.
    pub fn groups(&self) -> &[String] {
        &self.0.groups
    }

    /// A saga as it is now.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn saga(&self, id: impl Id) -> Result<Option<SagaView>, Platform> {
        let id = id.as_uuid();
        let view: Outcome<_> = self.0.store.read(move |tx| Ok(saga::view(tx, id)?)).await;
        view.unexpected()
    }

    /// The timers that failed too often, oldest first.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn parked_timers(&self) -> Result<Vec<ParkedTimer>, Platform> {
        let parked: Outcome<_> = self.0.store.read(|tx| Ok(timers::parked(tx)?)).await;
        parked.unexpected()
    }

    /// Fires a parked timer again, and says whether it was one.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn requeue_timer(&self, id: TimerId) -> Result<bool, Platform> {
        let requeued: Outcome<_> = self.0.store.write(move |tx| Ok(timers::requeue(tx, id)?)).await;
        requeued.unexpected()
    }

    /// The jobs that are not tried any more, oldest first.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn dead_jobs(&self) -> Result<Vec<DeadJob>, Platform> {
        let dead: Outcome<_> = self.0.store.read(|tx| Ok(jobs::dead(tx)?)).await;
        dead.unexpected()
    }

    /// Has a dead job tried again under the same id, and says whether it was one.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn requeue_job(&self, id: JobId) -> Result<bool, Platform> {
        let requeued: Outcome<_> = self.0.store.write(move |tx| Ok(jobs::requeue(tx, id)?)).await;
        requeued.unexpected()
    }

    /// The sagas that stand still until somebody helps, the longest first.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn parked_sagas(&self) -> Result<Vec<ParkedSaga>, Platform> {
        let parked: Outcome<_> = self.0.store.read(|tx| Ok(saga::parked(tx)?)).await;
        parked.unexpected()
    }

    /// Has a parked saga go on from where it stands, and says whether it was one.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn requeue_saga(&self, id: impl Id) -> Result<bool, Platform> {
        let id = id.as_uuid();
        let requeued: Outcome<_> = self.0.store.write(move |tx| Ok(saga::requeue(tx, id)?)).await;
        requeued.unexpected()
    }

    /// Removes what nobody needs any more, in small transactions, and says about how much that was. It happens by itself
    /// every minute.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn prune(&self) -> Result<usize, Platform> {
        self.0.old.remove(&self.0.stages.work).await
    }

    /// Stops everything in order and waits until it has: consumers, then timers, jobs and sagas, then the relay. Those
    /// who share its [`Stages`] stop too.
    pub async fn stop(&self) {
        self.0.stages.consumers.finish().await;
        self.0.stages.work.finish().await;
        self.0.stages.relay.finish().await;
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("store", &self.0.store).field("backlog", &self.backlog()).finish()
    }
}

impl<S> fmt::Debug for WorkerParts<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerParts").field("service", &self.service).finish_non_exhaustive()
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

/// Removes what nobody needs any more, every now and then.
async fn prune(old: Old, stop: Stop) {
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! { () = tokio::time::sleep(PRUNE_EVERY) => {}, () = &mut stopped => return }
        if let Err(error) = old.remove(&stop).await {
            warn!(store = old.store.name(), %error, "old rows could not be removed");
        }
    }
}

impl Old {
    /// A little at a time, so that nobody waits for it.
    async fn remove(&self, stop: &Stop) -> Result<usize, Platform> {
        let (Config { relay, jobs, sagas, .. }, remember) = (&self.config, self.remember);
        let (sent, done, ended) = (relay.keep_sent, jobs.keep_done, sagas.keep_ended);
        let limit = i64::try_from(PRUNED_AT_ONCE).unwrap_or(i64::MAX);
        let mut total = 0;
        loop {
            let sent_before = trust_now().saturating_sub(i64::try_from(sent.as_secs()).unwrap_or(i64::MAX));
            let once = move |tx: &mut Tx| -> Outcome<[usize; 4]> {
                Ok([
                    outbox::prune(tx, sent_before, limit)?,
                    inbox::prune(tx, remember, limit)?,
                    jobs::prune(tx, done, limit)?,
                    saga::prune(tx, ended, limit)?,
                ])
            };
            let pruned = self.store.write(once).await.unexpected()?;
            total += pruned.iter().sum::<usize>();
            let there_is_more = pruned.into_iter().any(|pruned| pruned >= PRUNED_AT_ONCE);
            if !there_is_more || stop.is_stopped() {
                return Ok(total);
            }
        }
    }
}
