//! Fires the timers of a store.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use partie_contract::{Outcome, OutcomeExt, Platform, Timestamp};
use partie_runtime::{Busy, Stop, failpoint, monotonic};
use partie_store::Store;
use tracing::{error, warn};

use super::{Due, Fire};
use crate::config::TimerConfig;
use crate::failure::{self, Failure};
use crate::wake::Hub;

pub(crate) struct TimerRunner {
    pub(crate) store: Store,
    pub(crate) hub: Arc<Hub>,
    pub(crate) config: TimerConfig,
    pub(crate) handlers: Arc<HashMap<&'static str, Fire>>,
    pub(crate) stop: Stop,
}

/// Timers that failed, by when they are tried again. The number makes the order total.
type Retries = BTreeMap<(Instant, u64), Due>;

// === impl TimerRunner ===

impl TimerRunner {
    /// Something is going on from the start on: what an earlier process left behind is there without a ring.
    pub(crate) async fn run(self, begun: Busy) {
        let mut retries = Retries::new();
        let mut busy = Some(begun);
        let mut outage = 0_u32;
        let mut started = false;
        while !self.stop.is_stopped() {
            let pass = async {
                if !started {
                    self.load_failed(&mut retries).await?;
                    started = true;
                }
                self.pass(&mut retries).await
            };
            match pass.await {
                Ok(Pass::More) => outage = 0,
                Ok(Pass::Until(next)) => {
                    outage = 0;
                    self.rest(next, &retries, &mut busy).await;
                }
                Err(error) => {
                    outage = outage.saturating_add(1);
                    warn!(store = self.store.name(), %error, "timers cannot be fired, and are tried again");
                    let wait = self.config.backoff.after(outage, self.store.ids());
                    tokio::select! { () = tokio::time::sleep(wait) => {}, () = self.stop.stopped() => {} }
                }
            }
        }
    }

    async fn load_failed(&self, retries: &mut Retries) -> Result<(), Platform> {
        let failed: Outcome<Vec<Due>> = self.store.read(|tx| Ok(super::failed(tx)?)).await;
        for due in failed.unexpected()? {
            retries.insert((monotonic(), retries.len() as u64), due);
        }
        Ok(())
    }

    /// Fires what is due, at most one batch of it.
    async fn pass(&self, retries: &mut Retries) -> Result<Pass, Platform> {
        let limit = self.config.batch;
        // Before the look, so that what it does not see rings.
        self.hub.expect_any_timer();
        let found: Outcome<_> = self.store.read(move |tx| Ok(super::due(tx, limit)?)).await;
        let (mut due, next) = found.unexpected()?;
        let now = monotonic();
        while let Some(entry) = retries.first_entry().filter(|entry| entry.key().0 <= now) {
            due.push(entry.remove());
        }
        if due.is_empty() {
            return Ok(Pass::Until(next));
        }
        let mut trouble = None;
        for (due, failure) in self.fire(due).await {
            trouble = self.failed(due, failure, retries).await.err().or(trouble);
        }
        match trouble {
            Some(fault) => Err(fault),
            None => Ok(Pass::More),
        }
    }

    /// Fires timers, each in a transaction of its own, in order: they are queued in order, and a store of this process keeps
    /// that. One that others write to has several transactions at a time, so the next timer waits for the one before.
    async fn fire(&self, due: Vec<Due>) -> Vec<(Due, Failure)> {
        let mut running = FuturesUnordered::new();
        let mut failures = Vec::new();
        for due in due {
            let Some(fire) = self.handlers.get(&*due.kind).cloned() else {
                let reason = format!("the service has no timer of the kind {}", due.kind);
                failures.push((due, Failure { reason, is_ours: false }));
                continue;
            };
            let this = due.clone();
            failpoint("timer.before_fire");
            let fired = self.store.write(move |tx| Ok(super::fire(tx, &this, &fire)?));
            let mut fired = Box::pin(async move { failure::of(fired.await).map(|failure| (due, failure)) });
            // Polled once, so that it stands in the queue before the next one.
            match poll_fn(|cx| Poll::Ready(fired.as_mut().poll(cx))).await {
                Poll::Ready(failure) => failures.extend(failure),
                Poll::Pending if self.store.is_shared() => failures.extend(fired.await),
                Poll::Pending => running.push(fired),
            }
        }
        while let Some(failure) = running.next().await {
            failures.extend(failure);
        }
        failpoint("timer.after_fire");
        failures
    }

    async fn failed(&self, due: Due, failure: Failure, retries: &mut Retries) -> Result<(), Platform> {
        let Failure { reason, is_ours } = failure;
        let Due { id, attempts, .. } = due;
        let park = attempts + 1 >= self.config.attempts || !self.handlers.contains_key(&*due.kind);
        let noted = if is_ours {
            Err(Platform::internal(reason.clone()))
        } else {
            let (this, error) = (due.clone(), reason.clone());
            let noted: Outcome<_> =
                self.store.write(move |tx| Ok(super::note_failure(tx, &this, &error, park)?)).await;
            noted.unexpected()
        };
        let store = self.store.name();
        match noted {
            // Replaced or cancelled meanwhile.
            Ok(None) => {}
            Ok(Some(attempts)) if park => {
                error!(store, kind = %due.kind, %id, attempts, reason, "a timer failed for the last time and is parked");
            }
            Ok(Some(attempts)) => {
                warn!(store, kind = %due.kind, %id, attempts, reason, "a timer failed");
                self.again(Due { attempts, ..due }, retries);
            }
            Err(fault) => {
                // A timer without a failure on record is found again.
                if attempts > 0 {
                    self.again(due, retries);
                }
                return Err(fault);
            }
        }
        Ok(())
    }

    fn again(&self, due: Due, retries: &mut Retries) {
        let wait = self.config.backoff.after(due.attempts, self.store.ids());
        let mut place = (monotonic() + wait, 0);
        while retries.contains_key(&place) {
            place.1 += 1;
        }
        retries.insert(place, due);
    }

    /// Waits until something is due. Something is going on while a failed timer waits, but not while all are in the
    /// future.
    async fn rest(&self, next: Option<Timestamp>, retries: &Retries, busy: &mut Option<Busy>) {
        self.hub.expect_timer(next);
        let sleep = async {
            match next {
                Some(next) => self.store.clock().sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        let mut sleep = pin!(sleep);
        // The sleeper stands with the clock before the system may look quiet.
        if let Poll::Ready(woken) = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await {
            *busy = woken.or_else(|| Some(self.store.activity().begin()));
            return;
        }
        let retry = async {
            match retries.first_key_value() {
                Some(((due, _), _)) => tokio::time::sleep_until((*due).into()).await,
                None => std::future::pending().await,
            }
        };
        if retries.is_empty() {
            *busy = None;
        }
        tokio::select! {
            woken = &mut sleep => *busy = woken.or_else(|| Some(self.store.activity().begin())),
            rung = self.hub.timer_rung() => *busy = Some(rung),
            () = retry => {}
            () = self.stop.stopped() => {}
        }
    }
}

/// What a pass found.
enum Pass {
    /// There may be more.
    More,
    /// Nothing more before that moment.
    Until(Option<Timestamp>),
}
