//! What the embedded broker's handles, subscriptions and background work have in common.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partie_contract::{Outcome, OutcomeExt};
use partie_runtime::{Stop, monotonic};
use partie_store::{Error, Store, Tx};
use tokio::sync::{Notify, watch};
use tracing::info;

use super::log;
use super::{BrokerConfig, OfBroker, broker_error};
use crate::broker::BrokerError;
use crate::broker::group::{Changes, GroupState};
use crate::broker::rows::Rows;
use crate::wake::Bell;

/// How many messages are removed in one transaction.
const PRUNED_AT_ONCE: usize = 500;

pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) config: BrokerConfig,
    groups: Mutex<HashMap<String, Arc<GroupCell>>>,
    /// Rung when a group has something for the disk.
    pub(super) flush: Arc<Bell>,
    /// Told when a group has nothing more to do.
    pub(super) idle: Notify,
    /// One at a time writes what groups have for the disk, so that it is written in order.
    flushing: tokio::sync::Mutex<()>,
    /// Of the log.
    pub(super) epoch: watch::Sender<Option<i64>>,
    /// The background work. It ends with the last handle.
    pub(super) stop: Stop,
}

/// A group by name, with or without a subscriber.
#[derive(Default)]
pub(super) struct GroupCell {
    /// Whether there is a subscriber, or somebody about to become one.
    taken: AtomicBool,
    inside: Mutex<Inside>,
    /// Told when there may be something to take.
    pub(super) news: Notify,
}

#[derive(Default)]
struct Inside {
    state: Option<GroupState>,
    /// Counts the subscribers, so that deliveries of an earlier one settle nothing.
    epoch: u64,
    /// For the disk, from subscribers that have left and writes that failed; oldest first.
    left: Vec<Changes>,
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(store: Store, config: BrokerConfig) -> Self {
        Self {
            epoch: watch::Sender::new(Some(store.epoch())),
            store,
            config,
            groups: Mutex::default(),
            flush: Arc::default(),
            idle: Notify::new(),
            flushing: tokio::sync::Mutex::new(()),
            stop: Stop::default(),
        }
    }

    pub(super) fn group(&self, name: &str) -> Arc<GroupCell> {
        Arc::clone(self.groups().entry(name.to_owned()).or_default())
    }

    /// Tells all groups of messages that are on disk. Only subscribers who can do something about them are woken: most
    /// messages are for one group of many.
    pub(super) fn offer(&self, rows: &Rows) {
        let now = monotonic();
        for cell in self.groups().values() {
            let is_concerned = cell.with(|state| {
                state.offer(rows, now);
                state.wants_subscriber()
            });
            if is_concerned == Some(true) {
                cell.news.notify_one();
            }
        }
    }

    /// Has what a group settled noted, some time soon.
    pub(super) fn note(&self, cell: &GroupCell) {
        let inside = cell.lock();
        if inside.is_dirty() {
            self.flush.ring(self.store.activity().begin());
        }
        if !inside.is_active() {
            self.idle.notify_one();
        }
    }

    /// Whether a group has something to do, so that there will be more to note.
    pub(super) fn is_active(&self) -> bool {
        self.groups().values().any(|cell| cell.lock().is_active())
    }

    /// Notes what all groups have settled. When this is done, everything settled before it began is on disk.
    pub(super) async fn flush_now(&self) -> Result<(), BrokerError> {
        let _one_at_a_time = self.flushing.lock().await;
        let cells: Vec<_> =
            self.groups().iter().map(|(name, cell)| (name.clone(), Arc::clone(cell))).collect();
        let changes = cells.into_iter().map(|(name, cell)| {
            let changes = cell.lock().take_changes();
            (name, cell, changes)
        });
        let changes: Arc<Vec<_>> = Arc::new(changes.filter(|(_, _, changes)| !changes.is_empty()).collect());
        if changes.is_empty() {
            return Ok(());
        }
        let to_write = Arc::clone(&changes);
        let written: Outcome<()> = self
            .store
            .write(move |tx| {
                for (group, _, changes) in to_write.iter() {
                    changes.iter().try_for_each(|changes| log::note(tx, group, changes))?;
                }
                Ok(())
            })
            .await;
        written.unexpected().map_err(|fault| {
            for (_, cell, changes) in changes.iter() {
                cell.lock().put_back(changes);
            }
            broker_error(fault)
        })
    }

    /// Changes a parked key on disk, then in memory.
    pub(super) async fn change<F>(
        self: &Arc<Self>,
        group: String,
        key: String,
        change: F,
    ) -> Result<bool, BrokerError>
    where
        F: Fn(&mut Tx, &str) -> Result<bool, Error> + Send + 'static,
    {
        self.flush_now().await?;
        let cell = self.group(&group);
        let changed = self.store.write(move |tx| {
            let changed = change(tx, &group)?;
            if changed {
                let (cell, key) = (Arc::clone(&cell), key.clone());
                tx.after_commit(move || {
                    cell.with(|state| state.unpark(&key));
                    cell.news.notify_one();
                });
            }
            Ok(changed)
        });
        changed.await.unexpected_by_broker()
    }

    /// Removes what is old enough and settled by every group.
    pub(super) async fn prune(&self) -> Result<usize, BrokerError> {
        let retention = self.config.retention;
        let mut total = 0;
        loop {
            let once =
                move |tx: &mut Tx| -> Outcome<usize> { Ok(log::prune(tx, retention, PRUNED_AT_ONCE)?) };
            let pruned = self.store.write(once).await.unexpected_by_broker()?;
            total += pruned;
            if pruned < PRUNED_AT_ONCE {
                return Ok(total);
            }
        }
    }

    /// Has a group begin again with what is kept, once for each epoch of its service.
    pub(super) async fn rewind(&self, group: String, epoch: i64) -> Result<(), BrokerError> {
        self.flush_now().await?;
        let cell = self.group(&group);
        if !cell.reserve() {
            return Err(BrokerError(format!("the group {group} has a subscriber").into()));
        }
        let (name, retention) = (group.clone(), self.config.retention);
        let rewound = self.store.write(move |tx| Ok(log::rewind(tx, &name, epoch, retention)?)).await;
        cell.leave();
        if let Some(to) = rewound.unexpected_by_broker()? {
            info!(group, epoch, to, "the group's service was restored: messages are delivered again");
        }
        Ok(())
    }

    pub(super) async fn forget(&self, group: String) -> Result<bool, BrokerError> {
        self.flush_now().await?;
        let cell = self.group(&group);
        if !cell.reserve() {
            return Err(BrokerError(format!("the group {group} has a subscriber").into()));
        }
        let forgotten = self.store.write(move |tx| Ok(log::forget(tx, &group)?)).await;
        cell.leave();
        forgotten.unexpected_by_broker()
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<String, Arc<GroupCell>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

// === impl GroupCell ===

impl GroupCell {
    /// Does something with the state, if the group has a subscriber.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut GroupState) -> T) -> Option<T> {
        self.lock().state.as_mut().map(f)
    }

    /// As [`with`](Self::with), for a delivery of that epoch.
    pub(super) fn with_epoch<T>(&self, epoch: u64, f: impl FnOnce(&mut GroupState) -> T) -> Option<T> {
        let mut inside = self.lock();
        if inside.epoch == epoch { inside.state.as_mut().map(f) } else { None }
    }

    /// Makes the caller the one who may subscribe. Whoever is it calls [`leave`](Self::leave) in the end.
    pub(super) fn reserve(&self) -> bool {
        !self.taken.swap(true, Ordering::AcqRel)
    }

    pub(super) fn enter(&self, state: GroupState) {
        let mut inside = self.lock();
        inside.epoch += 1;
        inside.state = Some(state);
    }

    pub(super) fn leave(&self) {
        {
            let mut inside = self.lock();
            let changes = inside.state.take().and_then(|mut state| state.changes());
            inside.left.extend(changes);
        }
        self.taken.store(false, Ordering::Release);
    }

    pub(super) fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Inside ===

impl Inside {
    fn is_dirty(&self) -> bool {
        !self.left.is_empty() || self.state.as_ref().is_some_and(GroupState::is_dirty)
    }

    fn is_active(&self) -> bool {
        self.state.as_ref().is_some_and(GroupState::is_active)
    }

    fn take_changes(&mut self) -> Vec<Changes> {
        let mut changes = std::mem::take(&mut self.left);
        changes.extend(self.state.as_mut().and_then(GroupState::changes));
        changes
    }

    fn put_back(&mut self, changes: &[Changes]) {
        self.left.splice(..0, changes.iter().cloned());
    }
}
