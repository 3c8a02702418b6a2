//! A subscriber of the embedded broker.

use std::sync::Arc;

use partie_contract::{BoxFuture, Outcome};
use partie_runtime::monotonic;
use partie_store::Tx;

use super::shared::{GroupCell, Shared};
use super::{OfBroker, log};
use crate::broker::group::GroupState;
use crate::broker::lane::LANE_LIMIT;
use crate::broker::{BrokerError, Delivery, Group, Settle, Subscription, Verdict};

/// How many messages are read from the log at once.
const READ_AT_ONCE: usize = 1024;

pub(super) struct EmbeddedSubscription {
    shared: Arc<Shared>,
    cell: Arc<GroupCell>,
    name: String,
    /// The wanted types, as a JSON array.
    types: String,
}

/// Brings one delivery's verdict back.
struct Settling {
    shared: Arc<Shared>,
    cell: Arc<GroupCell>,
    epoch: u64,
    key: Arc<str>,
    settled: bool,
}

// === impl EmbeddedSubscription ===

impl EmbeddedSubscription {
    pub(super) async fn open(shared: Arc<Shared>, group: Group) -> Result<Self, BrokerError> {
        let name = group.name.clone();
        let types = serde_json::to_string(&group.types).map_err(|error| BrokerError(error.into()))?;
        // What the last subscriber settled is on disk before it is read.
        shared.flush_now().await?;
        let cell = shared.group(&name);
        if !cell.reserve() {
            return Err(BrokerError(format!("the group {name} has a subscriber").into()));
        }
        // From here on dropping it leaves the group.
        let subscription = Self { shared, cell, name, types };
        subscription.enter(group).await?;
        Ok(subscription)
    }

    async fn enter(&self, group: Group) -> Result<(), BrokerError> {
        let shared = Arc::downgrade(&self.shared);
        let cell = Arc::clone(&self.cell);
        let entered: Outcome<()> = self
            .shared
            .store
            .write(move |tx| {
                let remembered = log::remember(tx, &group.name)?;
                let end = log::end(tx)?;
                let (shared, cell, group) = (shared.clone(), Arc::clone(&cell), group.clone());
                // On the thread of the commits: no message falls between the end of the log and the first offer.
                tx.after_commit(move || {
                    if let Some(shared) = shared.upgrade() {
                        let (activity, ids) = (shared.store.activity().clone(), shared.store.ids().clone());
                        let limit = shared.config.buffer;
                        cell.enter(GroupState::new(group, limit, remembered, end, activity, ids));
                    }
                });
                Ok(())
            })
            .await;
        entered.unexpected_by_broker()
    }

    /// Brings messages from the disk into memory where they are missing. Says whether there were any to bring.
    async fn read_on(&self) -> Result<bool, BrokerError> {
        let (refill, lag) = self.cell.with(|state| (state.refill_wanted(), state.lag())).ok_or_else(over)?;
        if let Some((key, asked_to)) = refill {
            // Held messages are on disk before they are read.
            self.shared.flush_now().await?;
            let (group, of) = (self.name.clone(), Arc::clone(&key));
            let rows = self.shared.store.read(move |tx| Ok(log::held(tx, &group, &of, LANE_LIMIT)?));
            let rows = rows.await.unexpected_by_broker()?;
            self.cell.with(|state| state.refill(&key, rows, asked_to, monotonic()));
            self.noted();
            return Ok(true);
        }
        if let Some(from) = lag {
            let (group, types) = (self.name.clone(), self.types.clone());
            let read = move |tx: &mut Tx| -> Outcome<_> {
                Ok(log::after(tx, (&group, &types), from, READ_AT_ONCE)?)
            };
            let rows = self.shared.store.read(read);
            let (rows, to) = rows.await.unexpected_by_broker()?;
            self.cell.with(|state| state.load(from, &rows, to, monotonic()));
            self.noted();
            return Ok(true);
        }
        Ok(false)
    }

    fn noted(&self) {
        self.shared.note(&self.cell);
    }
}

impl Subscription for EmbeddedSubscription {
    fn next(&mut self, at_most: usize) -> BoxFuture<'_, Result<Vec<Delivery>, BrokerError>> {
        Box::pin(async move {
            loop {
                while self.read_on().await? {}
                let taken = self.cell.with(|state| {
                    let turns = state.take(at_most.max(1), monotonic());
                    let busy: Vec<_> = turns.iter().map(|_| state.busy()).collect();
                    (turns, busy, state.next_due())
                });
                let (turns, busy, due) = taken.ok_or_else(over)?;
                if !turns.is_empty() {
                    let epoch = self.cell.epoch();
                    let deliveries = turns.into_iter().zip(busy).map(|(turn, busy)| {
                        let settle = Box::new(Settling {
                            shared: Arc::clone(&self.shared),
                            cell: Arc::clone(&self.cell),
                            epoch,
                            key: Arc::clone(&turn.message.key),
                            settled: false,
                        });
                        Delivery {
                            message: turn.message,
                            attempt: turn.attempt,
                            since: turn.since,
                            busy,
                            settle,
                        }
                    });
                    return Ok(deliveries.collect());
                }
                let wait =
                    due.map_or(GroupState::LONGEST_WAIT, |due| due.saturating_duration_since(monotonic()));
                tokio::select! {
                    () = self.cell.news.notified() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        })
    }
}

impl Drop for EmbeddedSubscription {
    fn drop(&mut self) {
        self.cell.leave();
        self.shared.note(&self.cell);
    }
}

// === impl Settling ===

impl Settle for Settling {
    fn settle(mut self: Box<Self>, verdict: Verdict) -> BoxFuture<'static, Result<(), BrokerError>> {
        self.settle_now(verdict);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Settling {
    fn settle_now(&mut self, verdict: Verdict) {
        self.settled = true;
        self.cell.with_epoch(self.epoch, |state| state.settle(&self.key, verdict, monotonic()));
        self.shared.note(&self.cell);
        self.cell.news.notify_one();
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        if !self.settled {
            self.settle_now(Verdict::Later("the delivery was dropped".to_owned()));
        }
    }
}

fn over() -> BrokerError {
    BrokerError("the subscription is over".into())
}
