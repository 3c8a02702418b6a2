//! A consumer: takes a group's messages from the broker to its handler, one commit each.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use partie_contract::{Abort, Outcome};
use partie_runtime::{Busy, Stop, failpoint, monotonic};
use partie_store::{Store, Tx};
use partie_telemetry::Counter;
use tracing::{error, warn};

use crate::broker::{Broker, Delivery, Group, Message, Subscription, Verdict};
use crate::failure;
use crate::inbox;

/// What a message does, decoded. Runs in a transaction, perhaps several times.
pub(crate) type Effect = Box<dyn Fn(&mut Tx) -> Result<(), Abort> + Send>;

/// Decodes a message. The error says why it can never be handled.
pub(crate) type Decode = Arc<dyn Fn(&Message) -> Result<Effect, String> + Send + Sync>;

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
}

// === impl Consumer ===

impl Consumer {
    /// Something is going on until there is a subscription; then the broker says whether.
    pub(crate) async fn run(self, begun: Busy) {
        let mut failures = 0;
        let mut busy = Some(begun);
        while !self.stop.is_stopped() {
            let begun = monotonic();
            match self.broker.subscribe(self.group.clone()).await {
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

    /// Until the stage stops or the subscription is over. What was begun is finished.
    async fn consume(&self, mut subscription: Box<dyn Subscription>) {
        let group: Arc<str> = self.group.name.as_str().into();
        let stopped = self.stop.stopped();
        tokio::pin!(stopped);
        let mut running = FuturesUnordered::new();
        loop {
            let next = subscription.next(self.concurrency - running.len());
            tokio::pin!(next);
            let deliveries = loop {
                tokio::select! {
                    biased;
                    () = &mut stopped => break Vec::new(),
                    deliveries = &mut next => match deliveries {
                        Ok(deliveries) => break deliveries,
                        Err(error) => {
                            warn!(group = self.group.name, %error, "the subscription ended");
                            break Vec::new();
                        }
                    },
                    Some(()) = running.next() => {}
                }
            };
            if deliveries.is_empty() {
                break;
            }
            running.extend(deliveries.into_iter().map(|delivery| self.handle(Arc::clone(&group), delivery)));
            while running.len() >= self.concurrency {
                running.next().await;
            }
        }
        while running.next().await.is_some() {}
    }

    async fn handle(&self, group: Arc<str>, delivery: Delivery) {
        let Delivery { message, attempt, busy, settle } = delivery;
        let verdict = self.attempt(group, &message).await;
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

    async fn attempt(&self, group: Arc<str>, message: &Message) -> Verdict {
        let effect = match (self.decode)(message) {
            Ok(effect) => effect,
            Err(reason) => return Verdict::Poison(reason),
        };
        let event = message.id;
        let outcome: Outcome<()> = self
            .store
            .write(move |tx| {
                // A duplicate is acknowledged without effect.
                if inbox::first_time(tx, &group, event)? {
                    effect(tx)?;
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
