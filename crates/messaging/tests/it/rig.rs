//! A broker that can be made to misbehave.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use partie_contract::BoxFuture;
use partie_messaging::{
    Broker, BrokerError, Delivery, EmbeddedBroker, Group, Message, Parked, Refused, Settle, Skip, Skipped,
    Subscription, Verdict,
};
use uuid::Uuid;

/// An embedded broker behind a bad line.
#[derive(Debug)]
pub(crate) struct Rig {
    inner: EmbeddedBroker,
    faults: Arc<Faults>,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Nothing can be published.
    pub(crate) down: AtomicBool,
    /// So many publications arrive, but their acknowledgement does not.
    pub(crate) lose_acks: AtomicU32,
    /// Keys that are refused.
    pub(crate) refuse: Mutex<HashSet<String>>,
    /// So many settled deliveries come again.
    pub(crate) redeliver: AtomicU32,
    /// Every message anybody tried to publish.
    pub(crate) tried: Mutex<Vec<Uuid>>,
    pub(crate) delivered: AtomicU32,
}

struct RigSubscription {
    inner: Box<dyn Subscription>,
    faults: Arc<Faults>,
}

struct RigSettle {
    inner: Box<dyn Settle>,
    faults: Arc<Faults>,
}

// === impl Rig ===

impl Rig {
    pub(crate) fn new(inner: EmbeddedBroker) -> (Arc<Self>, Arc<Faults>) {
        let faults = Arc::<Faults>::default();
        (Arc::new(Self { inner, faults: Arc::clone(&faults) }), faults)
    }
}

impl Broker for Rig {
    fn publish(&self, batch: Vec<Message>) -> BoxFuture<'_, Result<Vec<Refused>, BrokerError>> {
        Box::pin(async move {
            self.faults.tried.lock().unwrap().extend(batch.iter().map(|message| message.id));
            if self.faults.down.load(Ordering::SeqCst) {
                return Err(BrokerError("down".into()));
            }
            let refuse = self.faults.refuse.lock().unwrap().clone();
            let refused: Vec<_> =
                (0..batch.len()).filter(|index| refuse.contains(&*batch[*index].key)).collect();
            let free = batch.into_iter().filter(|message| !refuse.contains(&*message.key)).collect();
            self.inner.publish(free).await?;
            if count_down(&self.faults.lose_acks) {
                return Err(BrokerError("the line broke".into()));
            }
            let refused = refused.into_iter();
            Ok(refused.map(|index| Refused { index, reason: BrokerError("not this key".into()) }).collect())
        })
    }

    fn subscribe(&self, group: Group) -> BoxFuture<'_, Result<Box<dyn Subscription>, BrokerError>> {
        Box::pin(async move {
            let (inner, faults) = (self.inner.subscribe(group).await?, Arc::clone(&self.faults));
            Ok(Box::new(RigSubscription { inner, faults }) as Box<dyn Subscription>)
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

    fn retention(&self) -> Duration {
        self.inner.retention()
    }
}

impl Subscription for RigSubscription {
    fn next(&mut self, at_most: usize) -> BoxFuture<'_, Result<Vec<Delivery>, BrokerError>> {
        Box::pin(async move {
            let deliveries = self.inner.next(at_most).await?.into_iter();
            Ok(deliveries
                .map(|delivery| {
                    self.faults.delivered.fetch_add(1, Ordering::SeqCst);
                    let settle = RigSettle { inner: delivery.settle, faults: Arc::clone(&self.faults) };
                    Delivery { settle: Box::new(settle), ..delivery }
                })
                .collect())
        })
    }
}

impl Settle for RigSettle {
    fn settle(self: Box<Self>, verdict: Verdict) -> BoxFuture<'static, Result<(), BrokerError>> {
        if verdict == Verdict::Done && count_down(&self.faults.redeliver) {
            return self.inner.settle(Verdict::Later("the acknowledgement was lost".to_owned()));
        }
        self.inner.settle(verdict)
    }
}

fn count_down(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}
