//! A consumer: takes a group's messages from the broker to its handler, as many in one commit as there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use partie_contract::{Abort, Outcome};
use partie_runtime::{Busy, Stop, failpoint, monotonic};
use partie_store::{Store, Tx};
use partie_telemetry::Counter;
use tracing::{debug, error, warn};
use uuid::Uuid;

use crate::broker::{Broker, BrokerError, Delivery, Group, Message, Subscription, Verdict};
use crate::failure;
use crate::inbox;

/// How many messages share a transaction at most.
const TOGETHER: usize = 32;

/// What a message does, decoded. Runs in a transaction, perhaps several times.
pub(crate) type Effect = Arc<dyn Fn(&mut Tx) -> Result<(), Abort> + Send + Sync>;

/// Decodes a message. The error says why it can never be handled.
pub(crate) type Decode = Arc<dyn Fn(&Message) -> Result<Effect, String> + Send + Sync>;

/// How long, in real time, events wait for a handler.
#[derive(Debug, Default)]
pub(crate) struct Wait(AtomicU64);

/// One handler of one type of event.
pub(crate) struct Consumer {
    pub(crate) group: Group,
    pub(crate) decode: Decode,
    pub(crate) concurrency: usize,
    pub(crate) store: Store,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) stop: Stop,
    pub(crate) handled: Counter,
    pub(crate) failed: Counter,
    pub(crate) wait: Arc<Wait>,
}

// === impl Wait ===

impl Wait {
    /// How long the one waited that was taken last, if there was another one to take.
    pub(crate) fn latest(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn note(&self, waited: Duration) {
        self.0.store(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

// === impl Consumer ===

impl Consumer {
    /// Something is going on until there is a subscription; then the broker says whether.
    pub(crate) async fn run(self, begun: Busy) {
        let mut failures = 0;
        let mut busy = Some(begun);
        while !self.stop.is_stopped() {
            let begun = monotonic();
            match self.subscribe().await {
                Ok(subscription) => {
                    busy = None;
                    self.consume(subscription).await;
                    failures = 0;
                }
                Err(error) => warn!(group = self.group.name, %error, "no subscription; it is tried again"),
            }
            busy.get_or_insert_with(|| self.store.activity().begin());
            failures += 1;
            let wait = self.group.backoff.after(failures, self.store.ids()).saturating_sub(begun.elapsed());
            tokio::select! { () = tokio::time::sleep(wait) => {}, () = self.stop.stopped() => {} }
        }
    }

    /// A service that was restored has forgotten what it did since the backup: it gets that again, before anything else.
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, BrokerError> {
        if self.store.epoch() > 0 {
            self.broker.rewind(&self.group.name, self.store.epoch()).await?;
        }
        self.broker.subscribe(self.group.clone()).await
    }

    /// Until the stage stops or the subscription is over. What was begun is finished.
    async fn consume(&self, mut subscription: Box<dyn Subscription>) {
        let group: Arc<str> = self.group.name.as_str().into();
        let stopped = self.stop.stopped();
        tokio::pin!(stopped);
        let mut running = FuturesUnordered::new();
        let mut under_way = 0;
        loop {
            let next = subscription.next(self.concurrency - under_way);
            tokio::pin!(next);
            let mut is_behind = true;
            let deliveries = loop {
                tokio::select! {
                    biased;
                    () = &mut stopped => break Vec::new(),
                    deliveries = &mut next => match deliveries {
                        Ok(deliveries) => break deliveries,
                        Err(error) => {
                            debug!(group = self.group.name, %error, "the subscription ended; there will be another one");
                            break Vec::new();
                        }
                    },
                    // Nothing waits, whatever is still under way.
                    () = std::future::ready(()), if is_behind => {
                        self.wait.note(Duration::ZERO);
                        is_behind = false;
                    }
                    Some(handled) = running.next() => under_way -= handled,
                }
            };
            if let Some(first) = deliveries.first().filter(|_| is_behind) {
                self.wait.note(first.since.elapsed());
            }
            if deliveries.is_empty() {
                break;
            }
            under_way += deliveries.len();
            let mut deliveries = deliveries.into_iter().peekable();
            while deliveries.peek().is_some() {
                running.push(self.handle(&group, deliveries.by_ref().take(TOGETHER).collect()));
            }
            while under_way >= self.concurrency
                && let Some(handled) = running.next().await
            {
                under_way -= handled;
            }
        }
        while running.next().await.is_some() {}
        self.wait.note(Duration::ZERO);
    }

    /// Handles messages of different keys, and says how many there were.
    async fn handle(&self, group: &Arc<str>, deliveries: Vec<Delivery>) -> usize {
        let count = deliveries.len();
        let effects: Vec<_> = deliveries.iter().map(|delivery| (self.decode)(&delivery.message)).collect();
        let good = deliveries.iter().zip(&effects).filter_map(|(delivery, effect)| {
            effect.as_ref().ok().map(|effect| (delivery.message.id, Arc::clone(effect)))
        });
        let good: Vec<_> = good.collect();
        let together = match good.len() {
            0 | 1 => None,
            _ => match self.attempt(group, good).await {
                // One of them failed, and which one it was shows when each is alone.
                Verdict::Failed(_) => None,
                verdict => Some(verdict),
            },
        };
        let each = deliveries.into_iter().zip(effects).map(async |(delivery, effect)| {
            let verdict = match (effect, &together) {
                (Err(reason), _) => Verdict::Poison(reason),
                (Ok(_), Some(verdict)) => verdict.clone(),
                (Ok(effect), None) => self.attempt(group, vec![(delivery.message.id, effect)]).await,
            };
            self.settle(delivery, verdict).await;
        });
        join_all(each).await;
        count
    }

    async fn settle(&self, delivery: Delivery, verdict: Verdict) {
        let Delivery { message, attempt, busy, settle, .. } = delivery;
        match &verdict {
            Verdict::Done => self.handled.increment(1),
            Verdict::Failed(reason) | Verdict::Later(reason) => {
                self.failed.increment(1);
                warn!(group = self.group.name, event = %message.id, key = %message.key, attempt, reason, "an event was not handled");
            }
            Verdict::Poison(reason) => {
                self.failed.increment(1);
                error!(group = self.group.name, event = %message.id, key = %message.key, reason, "an event cannot be handled; its key is parked");
            }
        }
        failpoint("consumer.before_ack");
        if let Err(error) = settle.settle(verdict).await {
            warn!(group = self.group.name, event = %message.id, %error, "an event will come again; the inbox will drop it");
        }
        failpoint("consumer.after_ack");
        drop(busy);
    }

    /// Handles messages in one transaction.
    async fn attempt(&self, group: &Arc<str>, effects: Vec<(Uuid, Effect)>) -> Verdict {
        let group = Arc::clone(group);
        let outcome: Outcome<()> = self
            .store
            .write(move |tx| {
                for (event, effect) in &effects {
                    // A duplicate is acknowledged without effect.
                    if inbox::first_time(tx, &group, *event)? {
                        effect(tx)?;
                    }
                }
                Ok(())
            })
            .await;
        match failure::of(outcome) {
            None => Verdict::Done,
            Some(failure) if failure.is_ours => Verdict::Later(failure.reason),
            Some(failure) => Verdict::Failed(failure.reason),
        }
    }
}
