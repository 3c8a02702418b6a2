//! What a group's consumer holds: it takes turns from memory, and brings verdicts back there.

use std::sync::Arc;

use partie_contract::BoxFuture;
use partie_runtime::{Stop, monotonic};

use super::seat::Seat;
use crate::broker::group::GroupState;
use crate::broker::{BrokerError, Delivery, Settle, Subscription, Verdict};

pub(super) struct LogSubscription {
    seat: Arc<Seat>,
    leave: Stop,
}

/// Brings one delivery's verdict back.
struct Settling {
    seat: Arc<Seat>,
    part: usize,
    key: Arc<str>,
    settled: bool,
}

// === impl LogSubscription ===

impl LogSubscription {
    pub(super) fn new(seat: Arc<Seat>, leave: Stop) -> Self {
        Self { seat, leave }
    }

    fn take(&self, at_most: usize) -> Result<Vec<Delivery>, BrokerError> {
        let now = monotonic();
        let mut deliveries = Vec::new();
        let mut inside = self.seat.lock();
        if inside.over {
            return Err(over());
        }
        let Some(active) = &mut inside.active else { return Ok(deliveries) };
        for (number, part) in active.in_turn() {
            let left = at_most - deliveries.len();
            if left == 0 {
                break;
            }
            for turn in part.state.take(left, now) {
                let settle = Box::new(Settling {
                    seat: Arc::clone(&self.seat),
                    part: number,
                    key: Arc::clone(&turn.message.key),
                    settled: false,
                });
                deliveries.push(Delivery {
                    message: turn.message,
                    attempt: turn.attempt,
                    since: turn.since,
                    busy: part.state.busy(),
                    settle,
                });
            }
        }
        Ok(deliveries)
    }
}

impl Subscription for LogSubscription {
    fn next(&mut self, at_most: usize) -> BoxFuture<'_, Result<Vec<Delivery>, BrokerError>> {
        Box::pin(async move {
            loop {
                let deliveries = self.take(at_most.max(1))?;
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
                let due = {
                    let inside = self.seat.lock();
                    let parts = inside.active.iter().flat_map(|active| &active.parts);
                    parts.filter_map(|part| part.state.next_due()).min()
                };
                let wait =
                    due.map_or(GroupState::LONGEST_WAIT, |due| due.saturating_duration_since(monotonic()));
                tokio::select! {
                    () = self.seat.news.notified() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        })
    }
}

impl Drop for LogSubscription {
    fn drop(&mut self) {
        self.leave.stop();
    }
}

// === impl Settling ===

impl Settle for Settling {
    fn settle(mut self: Box<Self>, verdict: Verdict) -> BoxFuture<'static, Result<(), BrokerError>> {
        let told = self.settle_now(verdict);
        Box::pin(std::future::ready(told.ok_or_else(over)))
    }
}

impl Settling {
    /// Nothing when this subscriber does not read any more.
    fn settle_now(&mut self, verdict: Verdict) -> Option<()> {
        self.settled = true;
        let room = self.seat.with(self.part, |part| {
            part.state.settle(&self.key, verdict, monotonic());
            Arc::clone(&part.room)
        })?;
        room.notify_one();
        self.seat.work.notify_one();
        self.seat.news.notify_one();
        Some(())
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
