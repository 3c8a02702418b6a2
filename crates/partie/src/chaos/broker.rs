//! A broker whose deliveries come late and twice, and whose acknowledgements get lost.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use partie_contract::BoxFuture;
use partie_messaging::{
    Broker, BrokerError, Delivery, Group, Message, Parked, Refused, Settle, Skip, Skipped, Subscription,
    Verdict,
};
use partie_runtime::Ids;
use tokio::sync::watch;

use super::tally::{Tally, count};

/// One delivery in so many comes late, at most by that.
const LATE: u64 = 20;
const LATEST_MS: u64 = 250;
/// One in so many comes again.
const TWICE: u64 = 10;
/// One publication in so many is not acknowledged.
const UNHEARD: u64 = 25;

pub(super) struct ChaosBroker {
    inner: Arc<dyn Broker>,
    shared: Arc<Shared>,
}

struct Shared {
    dice: Ids,
    tally: Arc<Tally>,
    /// Events that are to come again to a group.
    again: Mutex<HashSet<(Arc<str>, u128)>>,
    /// Events that were published without being told so.
    unheard: Mutex<HashSet<u128>>,
}

struct ChaosSubscription {
    inner: Box<dyn Subscription>,
    group: Arc<str>,
    shared: Arc<Shared>,
}

struct ChaosSettle {
    inner: Box<dyn Settle>,
    what: (Arc<str>, u128),
    /// Whether it came late.
    late: bool,
    shared: Arc<Shared>,
}

// === impl ChaosBroker ===

impl ChaosBroker {
    pub(super) fn new(inner: Arc<dyn Broker>, dice: Ids, tally: Arc<Tally>) -> Self {
        let shared = Shared { dice, tally, again: Mutex::default(), unheard: Mutex::default() };
        Self { inner, shared: Arc::new(shared) }
    }
}

impl Shared {
    fn one_in(&self, many: u64) -> bool {
        self.dice.below(many) == 0
    }
}

impl Broker for ChaosBroker {
    fn publish(&self, batch: Vec<Message>) -> BoxFuture<'_, Result<Vec<Refused>, BrokerError>> {
        Box::pin(async move {
            let Shared { tally, unheard, .. } = &*self.shared;
            let ids: Vec<u128> = batch.iter().map(|message| message.id.as_u128()).collect();
            let refused = self.inner.publish(batch).await?;
            let mut unheard = unheard.lock().unwrap_or_else(PoisonError::into_inner);
            if ids.first().is_some_and(|first| unheard.remove(first)) {
                count(&tally.unheard_again);
            } else if let Some(first) = ids.first().filter(|_| self.shared.one_in(UNHEARD)) {
                unheard.insert(*first);
                count(&tally.unheard);
                return Err(BrokerError("chaos: the acknowledgement was lost".into()));
            }
            Ok(refused)
        })
    }

    fn subscribe(&self, group: Group) -> BoxFuture<'_, Result<Box<dyn Subscription>, BrokerError>> {
        Box::pin(async move {
            let (name, shared) = (group.name.as_str().into(), Arc::clone(&self.shared));
            let inner = self.inner.subscribe(group).await?;
            Ok(Box::new(ChaosSubscription { inner, group: name, shared }) as Box<dyn Subscription>)
        })
    }

    fn parked<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<Vec<Parked>, BrokerError>> {
        self.inner.parked(group)
    }

    fn requeue<'a>(&'a self, group: &'a str, key: &'a str) -> BoxFuture<'a, Result<bool, BrokerError>> {
        self.inner.requeue(group, key)
    }

    fn skip<'a>(&'a self, group: &'a str, skip: Skip) -> BoxFuture<'a, Result<bool, BrokerError>> {
        self.inner.skip(group, skip)
    }

    fn skipped<'a>(&'a self, group: &'a str) -> BoxFuture<'a, Result<Vec<Skipped>, BrokerError>> {
        self.inner.skipped(group)
    }

    fn rewind<'a>(&'a self, group: &'a str, epoch: i64) -> BoxFuture<'a, Result<(), BrokerError>> {
        self.inner.rewind(group, epoch)
    }

    fn epoch(&self) -> Option<watch::Receiver<Option<i64>>> {
        self.inner.epoch()
    }

    fn retention(&self) -> Duration {
        self.inner.retention()
    }
}

impl Subscription for ChaosSubscription {
    fn next(&mut self, at_most: usize) -> BoxFuture<'_, Result<Vec<Delivery>, BrokerError>> {
        Box::pin(async move {
            let deliveries = self.inner.next(at_most).await?;
            // Whoever takes them may be cancelled here; what is dropped is delivered again, by the broker's own rule.
            let late = self.shared.one_in(LATE);
            if late {
                count(&self.shared.tally.late);
                tokio::time::sleep(Duration::from_millis(self.shared.dice.below(LATEST_MS))).await;
            }
            let dress = |(number, delivery): (usize, Delivery)| {
                let what = (Arc::clone(&self.group), delivery.message.id.as_u128());
                let (late, shared) = (late && number == 0, Arc::clone(&self.shared));
                let settle = Box::new(ChaosSettle { inner: delivery.settle, what, late, shared });
                Delivery { settle, ..delivery }
            };
            Ok(deliveries.into_iter().enumerate().map(dress).collect())
        })
    }
}

impl Settle for ChaosSettle {
    fn settle(self: Box<Self>, verdict: Verdict) -> BoxFuture<'static, Result<(), BrokerError>> {
        let Self { inner, what, late, shared } = *self;
        if verdict != Verdict::Done {
            return inner.settle(verdict);
        }
        if late {
            count(&shared.tally.late_handled);
        }
        let mut again = shared.again.lock().unwrap_or_else(PoisonError::into_inner);
        if again.remove(&what) {
            count(&shared.tally.twice_dropped);
        } else if shared.one_in(TWICE) {
            again.insert(what);
            drop(again);
            count(&shared.tally.twice);
            return inner.settle(Verdict::Later("chaos: the acknowledgement was lost".to_owned()));
        }
        drop(again);
        inner.settle(Verdict::Done)
    }
}

impl fmt::Debug for ChaosBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chaos({:?})", self.inner)
    }
}
