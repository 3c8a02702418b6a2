//! Periodic work, by business time.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use partie_contract::{Call, Timestamp};
use partie_runtime::{Busy, Stop, failpoint};
use partie_store::Store;
use tracing::warn;

use crate::handlers::BoundPeriodic;

/// One piece of periodic work.
pub(crate) struct PeriodicRunner {
    pub(crate) work: Arc<BoundPeriodic>,
    pub(crate) store: Store,
    /// Makes a call under the service's own identity.
    pub(crate) calls: Arc<dyn Fn() -> Call + Send + Sync>,
    pub(crate) stop: Stop,
}

// === impl PeriodicRunner ===

impl PeriodicRunner {
    /// Something is going on until the first sleep has begun.
    pub(crate) async fn run(self, begun: Busy) {
        let BoundPeriodic { interval, name, run } = &*self.work;
        let (clock, activity) = (self.store.clock(), self.store.activity());
        let mut busy = Some(begun);
        let stopped = self.stop.stopped();
        tokio::pin!(stopped);
        loop {
            let mut sleep = pin!(clock.sleep_until(next(clock.now(), *interval)));
            // The sleeper stands with the clock before the system may look quiet.
            busy = match poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await {
                Poll::Ready(woken) => woken.or(busy),
                Poll::Pending => {
                    drop(busy);
                    tokio::select! { woken = sleep => woken, () = &mut stopped => return }
                }
            };
            let held = busy.take().unwrap_or_else(|| activity.begin());
            failpoint("periodic.before_run");
            if let Err(abort) = run((self.calls)()).await {
                warn!(store = self.store.name(), name, error = %abort, "periodic work failed");
            }
            busy = Some(held);
            if self.stop.is_stopped() {
                return;
            }
        }
    }
}

/// The first whole multiple of the interval after now.
fn next(now: Timestamp, interval: Duration) -> Timestamp {
    let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let into = now.as_millis().rem_euclid(interval);
    Timestamp::from_millis(now.as_millis().saturating_add(interval - into))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_fall_on_whole_multiples() {
        for (now, next_run) in [(0, 60), (59, 60), (60, 120), (-1, 0), (-60, 0)] {
            let at = next(Timestamp::from_millis(now * 1000), Duration::from_secs(60));
            assert_eq!(at, Timestamp::from_millis(next_run * 1000), "{now}");
        }
    }
}
