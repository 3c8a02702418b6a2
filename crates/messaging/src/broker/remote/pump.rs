//! A subscription at a broker in another process: one long poll after another, from its own task.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use partie_contract::BoxFuture;
use partie_runtime::{Stop, monotonic};
use tokio::sync::Notify;
use tracing::{debug, warn};

use super::settling::{RemoteSettle, Settling, settle_all};
use super::{AGAIN, Line, is_over, over};
use crate::broker::wire::{Deliveries, Leave, Subscribed, SubscriptionId, Wanted};
use crate::broker::{BrokerError, Delivery, Message, Subscription};

/// How many deliveries wait here for the subscriber at most.
const AHEAD: usize = 256;
/// A poll that brings nothing takes so long at least.
const LEAST: Duration = Duration::from_millis(50);
/// How long one poll waits for deliveries.
const POLL: Duration = Duration::from_secs(20);

pub(super) struct RemoteSubscription {
    state: Arc<State>,
    stop: Stop,
}

/// What the subscriber and the tasks share.
pub(super) struct State {
    queue: Mutex<Queue>,
    /// Something came, or nothing will any more.
    news: Notify,
    /// Something was taken.
    room: Notify,
    pub(super) settling: Settling,
}

#[derive(Default)]
struct Queue {
    deliveries: VecDeque<Delivery>,
    over: bool,
}

// === impl RemoteSubscription ===

impl RemoteSubscription {
    pub(super) fn begin(line: Arc<Line>, subscribed: &Subscribed) -> Self {
        let state = Arc::new(State {
            queue: Mutex::default(),
            news: Notify::new(),
            room: Notify::new(),
            settling: Settling::default(),
        });
        let stop = Stop::default();
        let id = subscribed.subscription;
        let lease = Duration::from_millis(subscribed.lease_ms);
        tokio::spawn(settle_all(Arc::clone(&line), id, Arc::clone(&state), stop.clone()));
        tokio::spawn(pump(line, id, lease, Arc::clone(&state), stop.clone()));
        Self { state, stop }
    }
}

impl Subscription for RemoteSubscription {
    fn next(&mut self, at_most: usize) -> BoxFuture<'_, Result<Vec<Delivery>, BrokerError>> {
        Box::pin(async move {
            loop {
                {
                    let mut queue = self.state.queue();
                    let count = queue.deliveries.len().min(at_most.max(1));
                    if count > 0 {
                        let taken = queue.deliveries.drain(..count).collect();
                        self.state.room.notify_one();
                        return Ok(taken);
                    }
                    if queue.over {
                        return Err(over());
                    }
                }
                self.state.news.notified().await;
            }
        })
    }
}

impl Drop for RemoteSubscription {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

// === impl State ===

impl State {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing comes any more, and nothing can be settled.
    fn end(&self) {
        let undelivered = {
            let mut queue = self.queue();
            queue.over = true;
            std::mem::take(&mut queue.deliveries)
        };
        self.settling.end();
        drop(undelivered);
        self.news.notify_one();
    }
}

/// Polls until the subscription is over or left.
async fn pump(line: Arc<Line>, id: SubscriptionId, lease: Duration, state: Arc<State>, stop: Stop) {
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    let (mut after, mut failures, mut heard) = (0, 0, monotonic());
    loop {
        let ahead = state.queue().deliveries.len();
        if ahead >= AHEAD {
            // Full. The other end only has to know that we live.
            tokio::select! {
                () = state.room.notified() => continue,
                () = tokio::time::sleep(lease / 3) => {}
                () = &mut stopped => break,
            }
        }
        let credit = AHEAD.saturating_sub(ahead);
        let call = if credit == 0 { line.call() } else { line.call().with_wait(POLL) };
        let wanted = Wanted { subscription: id, credit, after };
        let begun = monotonic();
        let polled = tokio::select! {
            polled = line.client.deliveries(&call, wanted) => polled,
            () = &mut stopped => break,
        };
        match polled {
            Ok(answer) => {
                (after, failures, heard) = (answer.batch, 0, monotonic());
                let nothing = answer.deliveries.is_empty();
                receive(&line, &state, answer);
                // Somebody who is about to go does not let us wait there.
                if nothing && begun.elapsed() < LEAST {
                    tokio::select! { () = tokio::time::sleep(LEAST) => {}, () = &mut stopped => break }
                }
            }
            Err(fault) if is_over(&fault) => {
                debug!("a subscription is over");
                return state.end();
            }
            Err(fault) if heard.elapsed() > lease => {
                warn!(%fault, "a subscription is lost");
                return state.end();
            }
            Err(fault) => {
                failures += 1;
                debug!(%fault, failures, "the line to the broker is broken");
                tokio::select! {
                    () = tokio::time::sleep(AGAIN.after(failures, &line.ids)) => {}
                    () = &mut stopped => break,
                }
            }
        }
    }
    // Left: whoever subscribes next does not have to wait for the lease.
    state.end();
    if let Err(fault) = line.client.leave(&line.call(), Leave { subscription: id }).await {
        debug!(%fault, "a subscription ends with its lease");
    }
}

fn receive(line: &Line, state: &Arc<State>, answer: Deliveries) {
    if answer.deliveries.is_empty() {
        return;
    }
    let now = monotonic();
    let deliveries = answer.deliveries.into_iter().map(|delivery| Delivery {
        message: Arc::new(Message::from(delivery.message)),
        attempt: delivery.attempt,
        since: now.checked_sub(Duration::from_millis(delivery.waited_ms)).unwrap_or(now),
        busy: line.activity.begin(),
        settle: Box::new(RemoteSettle::new(Arc::clone(state), delivery.loan)),
    });
    let deliveries: Vec<_> = deliveries.collect();
    state.queue().deliveries.extend(deliveries);
    state.news.notify_one();
}
