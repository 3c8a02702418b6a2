//! A broker made of a vendor's log and the store of one service: the log keeps messages, the store keeps all else.

mod pump;
mod seat;
mod subscription;
mod tables;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use partie_contract::{BoxFuture, Outcome, OutcomeExt};
use partie_runtime::{Backoff, Stop, duration};
use partie_store::{Error, Store, Tx};
use serde::{Deserialize, Serialize};
use tracing::warn;

use self::pump::Pump;
use self::seat::{Cell, Seat};
use self::subscription::LogSubscription;
use super::log::Log;
use super::{Broker, BrokerError, Group, Message, Parked, Refused, Skip, Skipped, Subscription};

/// The settings of a broker over a vendor's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct LogBrokerConfig {
    /// How many messages a group keeps in memory of each part of the log; it reads on when there is room again.
    pub buffer: usize,
    /// Whether other processes may use the same store: replicas on PostgreSQL. Then one of them reads for a group, and
    /// the others stand by. Otherwise whoever read before this process is known to be gone.
    pub shared_store: bool,
    /// How long, in monotonic time, a reader in another process may be silent before somebody else reads.
    #[serde(with = "duration")]
    pub lease: Duration,
    /// Between attempts to read.
    pub backoff: Backoff,
}

/// A broker over the log of a vendor, for one service. Cheap to clone.
///
/// How far a group is, which of its keys failed, what waits behind them and what was skipped stand in the service's own
/// store, together with its inbox. So a parked key takes nothing from the log's retention, a message that waits for
/// somebody is never lost by it, and the vendor only has to keep an order. Of several replicas on one store one reads for
/// a group; it shows signs of life in the store, and what it writes carries an epoch, so that one that was taken for dead
/// changes nothing any more.
///
/// What is weaker than in the embedded broker:
///
/// * A message that was published twice may be delivered twice. The inbox drops the second.
/// * A group that is further behind than the log's retention loses what is older.
/// * Something is going on ([`Busy`](partie_runtime::Busy)) once this process has read a message, not from its
///   publication on: who wants to know that nothing is under way between processes has to ask the vendor.
/// * On disk is what the vendor calls so; see the engines.
#[derive(Clone)]
pub struct LogBroker(Arc<Inner>);

/// What the broker's handles, its subscriptions and their tasks have in common.
struct Inner {
    store: Store,
    log: Arc<dyn Log>,
    config: LogBrokerConfig,
    cells: Mutex<HashMap<String, Arc<Cell>>>,
    stop: Stop,
}

// === impl LogBroker ===

impl LogBroker {
    /// A broker for the service whose store that is. The store has to be opened with
    /// [`MIGRATIONS`](crate::MIGRATIONS). Nothing is asked of the vendor yet. Use it inside a tokio runtime.
    pub fn new(log: Arc<dyn Log>, store: Store, config: LogBrokerConfig) -> Self {
        Self(Arc::new(Inner { store, log, config, cells: Mutex::default(), stop: Stop::default() }))
    }

    /// Notes what was settled last and lets others read. Stop those who subscribe first; the store is still needed.
    pub async fn close(&self) {
        self.0.stop.finish().await;
    }
}

impl Broker for LogBroker {
    fn publish(&self, batch: Vec<Message>) -> BoxFuture<'_, Result<Vec<Refused>, BrokerError>> {
        self.0.log.publish(batch)
    }

    fn subscribe(&self, group: Group) -> BoxFuture<'_, Result<Box<dyn Subscription>, BrokerError>> {
        Box::pin(async move {
            if self.0.stop.is_stopped() {
                return Err(BrokerError("the broker is closed".into()));
            }
            let (seat, leave) = (Arc::new(Seat::new()), Stop::default());
            let pump = Pump::new(Arc::clone(&self.0), group, Arc::clone(&seat), leave.clone());
            self.0.stop.spawn(pump.run());
            Ok(Box::new(LogSubscription::new(seat, leave)) as Box<dyn Subscription>)
        })
    }

    fn parked<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<Vec<Parked>, BrokerError>> {
        Box::pin(async move {
            self.0.flush(group).await?;
            let group = group.to_owned();
            self.0.store.read(move |tx| Ok(tables::parked(tx, &group)?)).await.by_broker()
        })
    }

    fn requeue<'a>(&'a self, group: &'a str, key: &'a str) -> BoxFuture<'a, Result<bool, BrokerError>> {
        let (group, key) = (group.to_owned(), key.to_owned());
        Box::pin(async move {
            self.0.change(group, key.clone(), move |tx, group| tables::unpark(tx, group, &key)).await
        })
    }

    fn skip<'a>(&'a self, group: &'a str, skip: Skip) -> BoxFuture<'a, Result<bool, BrokerError>> {
        let group = group.to_owned();
        Box::pin(async move {
            let Skip { key, event, actor, reason } = &skip;
            warn!(%group, %key, %event, %actor, %reason, "a parked message is given up");
            self.0.change(group, skip.key.clone(), move |tx, group| tables::skip(tx, group, &skip)).await
        })
    }

    fn skipped<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<Vec<Skipped>, BrokerError>> {
        let group = group.to_owned();
        Box::pin(
            async move { self.0.store.read(move |tx| Ok(tables::skipped(tx, &group)?)).await.by_broker() },
        )
    }

    fn retention(&self) -> Duration {
        self.0.log.retention()
    }
}

// === impl Inner ===

impl Inner {
    fn cell(&self, name: &str) -> Arc<Cell> {
        Arc::clone(self.cells().entry(name.to_owned()).or_default())
    }

    /// Notes what a group has settled, if it is read here.
    async fn flush(&self, group: &str) -> Result<(), BrokerError> {
        let Some(seat) = self.cell(group).seat() else { return Ok(()) };
        // Whoever has lost the seat has nothing to say, and the store knows everything.
        seat.flush(&self.store, group, false).await.map(drop)
    }

    /// Changes a parked key on disk, then in memory.
    async fn change<F>(&self, group: String, key: String, change: F) -> Result<bool, BrokerError>
    where
        F: Fn(&mut Tx, &str) -> Result<bool, Error> + Send + 'static,
    {
        self.flush(&group).await?;
        let cell = self.cell(&group);
        let changed: Outcome<bool> = self
            .store
            .write(move |tx| {
                let changed = change(tx, &group)?;
                if changed {
                    let (cell, key) = (Arc::clone(&cell), key.clone());
                    tx.after_commit(move || {
                        if let Some(seat) = cell.seat() {
                            seat.unpark(&key);
                        }
                    });
                }
                Ok(changed)
            })
            .await;
        changed.by_broker()
    }

    fn cells(&self) -> MutexGuard<'_, HashMap<String, Arc<Cell>>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Outcomes of the service's store.
trait ByBroker<T> {
    fn by_broker(self) -> Result<T, BrokerError>;
}

impl<T> ByBroker<T> for Outcome<T> {
    fn by_broker(self) -> Result<T, BrokerError> {
        self.unexpected().map_err(|fault| BrokerError(fault.into()))
    }
}

impl Default for LogBrokerConfig {
    fn default() -> Self {
        Self {
            buffer: 1024,
            shared_store: false,
            lease: Duration::from_secs(10),
            backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(5)),
        }
    }
}

impl fmt::Debug for LogBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogBroker")
            .field("log", &self.0.log)
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}
