//! A worker: everything of a service that runs in the background.

mod duty;
mod old;
mod shifts;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Call, FaultKind, Id, Outcome, OutcomeExt, Platform};
use partie_runtime::Stop;
use partie_store::{Migration, MigrationSet, Store, migrations};

use self::duty::Duty;
use self::old::Old;
use self::shifts::shifts;
use crate::broker::{Broker, BrokerError, Parked, Skip, Skipped};
use crate::config::Config;
use crate::consumer::Wait;
use crate::handlers::{Bound, HandlerError, Handlers};
use crate::ids::{JobId, TimerId};
use crate::jobs::{self, DeadJob};
use crate::metric_definitions as metrics;
use crate::relay::Backlog;
use crate::saga::{self, ParkedSaga, SagaView, Turns};
use crate::timers::{self, ParkedTimer};
use crate::wake::Hub;

/// The tables messaging keeps in a service's store.
const FILES: &[Migration] =
    migrations!["0001_messaging.sql", "0002_log_groups.sql", "0003_relay_epoch.sql", "0004_retention.sql"];
/// Give it to [`Store::open`] beside the service's own migrations.
pub const MIGRATIONS: MigrationSet = MigrationSet { name: "messaging", migrations: FILES };

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

/// Who decided something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

struct Inner {
    store: Store,
    broker: Arc<dyn Broker>,
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

// === impl Stages ===

impl Stages {
    /// Parts of these stages, for one time on duty.
    fn part(&self) -> Self {
        let Self { consumers, work, relay } = self;
        Self { consumers: consumers.part(), work: work.part(), relay: relay.part() }
    }

    /// Tells everything to stop at once.
    fn stop(&self) {
        let Self { consumers, work, relay } = self;
        [consumers, work, relay].into_iter().for_each(Stop::stop);
    }
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
        let hub = Arc::new(Hub::new(&store));
        store.attach(Arc::clone(&hub));

        let backlog = Arc::new(Backlog::new(metrics::OUTBOX_AGE.gauge(&labels)));
        let events: Vec<_> = events.into_iter().map(|event| (event, Arc::<Wait>::default())).collect();
        let groups = events.iter().map(|(event, _)| event.group.clone()).collect();
        let waits = events.iter().map(|(_, wait)| Arc::clone(wait)).collect();
        let (backlog_limit, turn_limit) = (config.relay.backlog_limit, config.sagas.backlog_limit);
        let (wait_limit, turns) = (config.consumers.backlog_limit, Arc::clone(&hub.turns));
        let duty = Duty {
            service,
            broker: Arc::clone(&broker),
            hub,
            backlog: Arc::clone(&backlog),
            events,
            timers: Arc::new(timers),
            jobs: Arc::new(jobs),
            periodic: periodic.into_iter().map(Arc::new).collect(),
            engine,
            state,
            calls,
            config,
        };
        let old = duty.old(&store);
        if store.is_shared() {
            stages.relay.spawn(shifts(duty, store.clone(), stages.clone()));
        } else {
            duty.begin(&store, &stages);
        }
        Ok(Self(Arc::new(Inner {
            store,
            broker,
            stages,
            groups,
            backlog,
            backlog_limit,
            turns,
            turn_limit,
            waits,
            wait_limit,
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

    /// The events that failed too often for a handler of this service, each with its group.
    ///
    /// # Errors
    /// As [`Broker::parked`].
    pub async fn parked_events(&self) -> Result<Vec<(String, Parked)>, BrokerError> {
        let mut all = Vec::new();
        for group in &self.0.groups {
            let parked = self.0.broker.parked(group).await?;
            all.extend(parked.into_iter().map(|parked| (group.clone(), parked)));
        }
        Ok(all)
    }

    /// Delivers a parked event again to the groups it is parked for, and says whether there was one. What waits behind it
    /// follows.
    ///
    /// # Errors
    /// As [`Broker::requeue`].
    pub async fn requeue_event(&self, id: impl Id) -> Result<bool, BrokerError> {
        let mut found = false;
        for (group, parked) in self.parked_events().await? {
            if parked.message.id == id.as_uuid() {
                found |= self.0.broker.requeue(&group, &parked.key).await?;
            }
        }
        Ok(found)
    }

    /// The events that were given up for a group of this service, each with its group.
    ///
    /// # Errors
    /// As [`Broker::skipped`].
    pub async fn skipped_events(&self) -> Result<Vec<(String, Skipped)>, BrokerError> {
        let mut all = Vec::new();
        for group in &self.0.groups {
            let skipped = self.0.broker.skipped(group).await?;
            all.extend(skipped.into_iter().map(|skipped| (group.clone(), skipped)));
        }
        Ok(all)
    }

    /// Gives up a parked event for a group of this service, for good, and says whether there was one.
    ///
    /// # Errors
    /// As [`Broker::skip`].
    pub async fn skip_event(&self, group: &str, id: impl Id, by: Decision) -> Result<bool, BrokerError> {
        let Decision { actor, reason } = by;
        let event = id.as_uuid();
        let parked = match self.0.groups.iter().any(|known| known == group) {
            true => self.0.broker.parked(group).await?,
            false => Vec::new(),
        };
        match parked.into_iter().find(|parked| parked.message.id == event) {
            Some(Parked { key, .. }) => self.0.broker.skip(group, Skip { key, event, actor, reason }).await,
            None => Ok(false),
        }
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
