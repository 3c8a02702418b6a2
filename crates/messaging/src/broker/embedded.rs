//! The embedded broker: a log in a store of its own, and groups that read it.

mod log;
mod shared;
mod subscription;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use partie_contract::{BoxFuture, Outcome, OutcomeExt, Platform};
use partie_runtime::{Stop, duration, failpoint};
use partie_store::{Handles, MigrationSet, OpenError, Store, migrations};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::warn;

use self::shared::Shared;
use self::subscription::EmbeddedSubscription;
use super::{
    Broker, BrokerError, BrokerUrl, Group, LogBrokerConfig, LogConfig, Message, Parked, Refused, Skip,
    Skipped, Subscription,
};
use crate::wake::Bell;

/// How often old messages are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How often what was settled is noted while there is more to come.
const FLUSH_EVERY: Duration = Duration::from_millis(20);
/// How long to wait when what was settled cannot be noted.
const FLUSH_AGAIN: Duration = Duration::from_millis(500);

const MIGRATIONS: MigrationSet =
    MigrationSet { name: "broker", migrations: migrations!["0001_broker.sql", "0002_broker_epochs.sql"] };

/// The settings of what carries the events: the embedded broker, unless `url` names another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct BrokerConfig {
    /// A vendor's broker instead of this one, for all services of the system: see [`BrokerUrl`].
    pub url: Option<BrokerUrl>,
    /// The vendor's log.
    pub log: LogConfig,
    /// What services make of the vendor's log.
    pub groups: LogBrokerConfig,
    /// How long, in business time, messages are kept at least. Those that some group has not settled are kept longer.
    #[serde(with = "duration")]
    pub retention: Duration,
    /// How many messages a group keeps in memory; the others it reads from the log when their turn comes.
    pub buffer: usize,
    /// The store below.
    pub store: partie_store::Config,
}

/// A broker inside this process. Cheap to clone.
///
/// A message is on disk, in the log, before its publication is acknowledged; groups with room for it get it straight
/// from memory, others read the log. Settled messages are noted together, some time later: after a crash a group gets
/// some of them again, and its inbox drops them.
#[derive(Clone)]
pub struct EmbeddedBroker(Arc<Shared>);

// === impl EmbeddedBroker ===

impl EmbeddedBroker {
    /// Opens `dir/broker.db`, making it if it is not there. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(dir: &Path, handles: Handles, config: BrokerConfig) -> Result<Self, OpenError> {
        let store = Store::open(dir, "broker", &[MIGRATIONS], handles, config.store.clone())?;
        let shared = Arc::new(Shared::new(store, config));
        let (weak, stop) = (Arc::downgrade(&shared), shared.stop.clone());
        stop.spawn(flush_loop(weak.clone(), Arc::clone(&shared.flush), stop.clone()));
        stop.spawn(prune_loop(weak, stop.clone()));
        Ok(Self(shared))
    }

    /// Writes what is left and closes the store. Stop those who publish and subscribe first.
    pub async fn close(&self) {
        self.0.stop.finish().await;
        if let Err(error) = self.0.flush_now().await {
            warn!(%error, "the broker could not note what was settled last; it will be delivered again");
        }
        self.0.store.close().await;
    }

    /// Removes messages that are old enough and settled by every group, in small transactions, and says how many. It
    /// happens by itself every minute.
    ///
    /// # Errors
    /// [`BrokerError`] when the store cannot do it now.
    pub async fn prune(&self) -> Result<usize, BrokerError> {
        self.0.prune().await
    }

    /// Forgets a group that will not come back: until then everything it has not settled is kept. Says whether it was
    /// known. What was skipped stays on record.
    ///
    /// # Errors
    /// [`BrokerError`] when the group has a subscriber, or the store cannot do it now.
    pub async fn forget(&self, group: &str) -> Result<bool, BrokerError> {
        self.0.forget(group.to_owned()).await
    }

    /// The store below, for its health and statistics.
    pub fn store(&self) -> &Store {
        &self.0.store
    }
}

impl Broker for EmbeddedBroker {
    fn publish(&self, batch: Vec<Message>) -> BoxFuture<'_, Result<Vec<Refused>, BrokerError>> {
        Box::pin(async move {
            let batch: Vec<Arc<Message>> = batch.into_iter().map(Arc::new).collect();
            let shared = Arc::downgrade(&self.0);
            let written: Outcome<()> = self
                .0
                .store
                .write(move |tx| {
                    let rows = log::append(tx, &batch)?;
                    let shared = shared.clone();
                    // Commits follow each other on one thread, so groups hear of messages in the log's order.
                    tx.after_commit(move || {
                        if let Some(shared) = shared.upgrade() {
                            shared.offer(&rows);
                        }
                    });
                    Ok(())
                })
                .await;
            failpoint("broker.after_commit");
            written.unexpected().map_err(broker_error)?;
            Ok(Vec::new())
        })
    }

    fn subscribe(&self, group: Group) -> BoxFuture<'_, Result<Box<dyn Subscription>, BrokerError>> {
        Box::pin(async move {
            let subscription = EmbeddedSubscription::open(Arc::clone(&self.0), group).await?;
            Ok(Box::new(subscription) as Box<dyn Subscription>)
        })
    }

    fn parked<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<Vec<Parked>, BrokerError>> {
        Box::pin(async move {
            self.0.flush_now().await?;
            let group = group.to_owned();
            self.0.store.read(move |tx| Ok(log::parked(tx, &group)?)).await.unexpected_by_broker()
        })
    }

    fn requeue<'a>(&'a self, group: &'a str, key: &'a str) -> BoxFuture<'a, Result<bool, BrokerError>> {
        let (group, key) = (group.to_owned(), key.to_owned());
        Box::pin(async move {
            self.0.change(group, key.clone(), move |tx, group| log::unpark(tx, group, &key)).await
        })
    }

    fn skip<'a>(&'a self, group: &'a str, skip: Skip) -> BoxFuture<'a, Result<bool, BrokerError>> {
        let group = group.to_owned();
        Box::pin(async move {
            let Skip { key, event, actor, reason } = &skip;
            warn!(%group, %key, %event, %actor, %reason, "a parked message is given up");
            self.0.change(group, skip.key.clone(), move |tx, group| log::skip(tx, group, &skip)).await
        })
    }

    fn skipped<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<Vec<Skipped>, BrokerError>> {
        let group = group.to_owned();
        Box::pin(async move {
            self.0.store.read(move |tx| Ok(log::skipped(tx, &group)?)).await.unexpected_by_broker()
        })
    }

    fn rewind<'a>(&'a self, group: &'a str, epoch: i64) -> BoxFuture<'a, Result<(), BrokerError>> {
        let group = group.to_owned();
        Box::pin(async move { self.0.rewind(group, epoch).await })
    }

    fn epoch(&self) -> Option<watch::Receiver<Option<i64>>> {
        Some(self.0.epoch.subscribe())
    }

    fn retention(&self) -> Duration {
        self.0.config.retention
    }
}

// === background work ===

async fn flush_loop(shared: Weak<Shared>, bell: Arc<Bell>, stop: Stop) {
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        let busy = tokio::select! { busy = bell.rung() => busy, () = &mut stopped => return };
        let Some(shared) = shared.upgrade() else { return };
        // While there is work there will be more to note; once there is none, nobody waits for it.
        if shared.is_active() {
            tokio::select! { () = tokio::time::sleep(FLUSH_EVERY) => {}, () = shared.idle.notified() => {} }
        }
        if let Err(error) = shared.flush_now().await {
            drop(shared);
            warn!(%error, "the broker cannot note what was settled, and tries again");
            tokio::select! { () = tokio::time::sleep(FLUSH_AGAIN) => {}, () = &mut stopped => return }
            bell.ring(busy);
        }
    }
}

async fn prune_loop(shared: Weak<Shared>, stop: Stop) {
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! { () = tokio::time::sleep(PRUNE_EVERY) => {}, () = &mut stopped => return }
        let Some(shared) = shared.upgrade() else { return };
        if let Err(error) = shared.prune().await {
            warn!(%error, "old messages could not be removed");
        }
    }
}

fn broker_error(fault: Platform) -> BrokerError {
    BrokerError(fault.into())
}

/// Outcomes of the broker's own store.
trait OfBroker<T> {
    fn unexpected_by_broker(self) -> Result<T, BrokerError>;
}

impl<T> OfBroker<T> for Outcome<T> {
    fn unexpected_by_broker(self) -> Result<T, BrokerError> {
        self.unexpected().map_err(broker_error)
    }
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            url: None,
            log: LogConfig::default(),
            groups: LogBrokerConfig::default(),
            retention: Duration::from_hours(7 * 24),
            buffer: 4096,
            store: partie_store::Config::default(),
        }
    }
}

impl fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedBroker").field("store", &self.0.store).finish_non_exhaustive()
    }
}
