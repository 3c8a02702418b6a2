//! The relay: takes the outbox to the broker, in the order of the commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use partie_contract::{Outcome, OutcomeExt, Platform};
use partie_runtime::{Busy, Stop, failpoint, monotonic, trust_now};
use partie_store::Store;
use partie_telemetry::Gauge;
use tracing::{debug, warn};

use crate::broker::{Broker, BrokerError};
use crate::config::RelayConfig;
use crate::outbox::{self, Unsent};
use crate::wake::Hub;

/// How old the oldest unsent event is.
pub(crate) struct Backlog {
    /// Wall clock, in seconds; `NONE` when everything is sent.
    oldest: AtomicI64,
    /// Nobody is blamed for the time before the start.
    started: i64,
    age: Gauge,
}

const NONE: i64 = i64::MAX;

/// The one relay of a store.
pub(crate) struct Relay {
    pub(crate) store: Store,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) config: RelayConfig,
    pub(crate) backlog: Arc<Backlog>,
    pub(crate) stop: Stop,
}

/// Where a relay is.
#[derive(Default)]
struct Progress {
    /// Every row up to here is sent, or belongs to a blocked key.
    scanned: i64,
    blocked: BTreeMap<Arc<str>, Blocked>,
    /// Failures in a row of the broker as a whole.
    outage: u32,
}

/// A key whose event was refused. Its later events wait behind it.
struct Blocked {
    attempts: u32,
    due: Instant,
    /// When its oldest event was queued; wall clock, in seconds.
    since: i64,
}

// === impl Relay ===

impl Relay {
    /// Something is going on from the start on: what an earlier process left behind is there without a ring.
    pub(crate) async fn run(self, begun: Busy) {
        let mut progress = Progress::default();
        let mut busy = Some(begun);
        let mut given_up: Option<Instant> = None;
        loop {
            let due = match self.drain(&mut progress).await {
                Ok(()) => progress.blocked.values().map(|blocked| blocked.due).min(),
                Err(error) => {
                    progress.outage = progress.outage.saturating_add(1);
                    let wait = self.config.backoff.after(progress.outage, self.store.ids());
                    warn!(store = self.store.name(), %error, attempt = progress.outage, "events cannot leave");
                    Some(monotonic() + wait)
                }
            };
            if due.is_none() {
                busy = None;
            }
            if self.stop.is_stopped() {
                let limit = *given_up.get_or_insert_with(|| monotonic() + self.config.flush);
                match due {
                    Some(due) if due < limit => tokio::time::sleep_until(due.into()).await,
                    Some(_) => {
                        return warn!(
                            store = self.store.name(),
                            "events stay in the outbox until the next start"
                        );
                    }
                    None => return,
                }
            } else {
                self.rest(due, &mut busy).await;
            }
        }
    }

    /// Waits until there may be something to do. Something is going on as long as events wait.
    async fn rest(&self, due: Option<Instant>, busy: &mut Option<Busy>) {
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            rung = self.hub.relay.rung() => *busy = Some(rung),
            () = wait => {}
            () = self.stop.stopped() => {}
        }
    }

    /// Sends what can be sent.
    async fn drain(&self, progress: &mut Progress) -> Result<(), RelayError> {
        self.retry_blocked(progress).await?;
        loop {
            let (after, limit) = (progress.scanned, self.config.batch);
            let rows: Outcome<Vec<Unsent>> =
                self.store.read(move |tx| Ok(outbox::unsent(tx, after, limit)?)).await;
            let rows = rows.unexpected()?;
            self.backlog.set(rows.first().map(|row| row.queued_at), progress);
            let Some(last) = rows.last().map(|row| row.position) else { return Ok(()) };
            let complete = rows.len() < limit;
            let free =
                rows.into_iter().filter(|row| !progress.blocked.contains_key(&row.message.key)).collect();
            self.send(free, progress).await?;
            progress.scanned = last;
            if complete {
                self.backlog.set(None, progress);
                return Ok(());
            }
        }
    }

    /// Sends the oldest events of keys that have waited long enough.
    async fn retry_blocked(&self, progress: &mut Progress) -> Result<(), RelayError> {
        let now = monotonic();
        let due: Vec<_> = progress
            .blocked
            .iter()
            .filter(|(_, blocked)| blocked.due <= now)
            .map(|(key, _)| Arc::clone(key))
            .collect();
        for key in due {
            loop {
                let subject = key.split_once('/').map_or(&*key, |(_, subject)| subject).to_owned();
                let (to, limit) = (progress.scanned, self.config.batch);
                let rows: Outcome<Vec<Unsent>> =
                    self.store.read(move |tx| Ok(outbox::unsent_of(tx, &subject, to, limit)?)).await;
                let rows = rows.unexpected()?;
                let complete = rows.len() < limit;
                if self.send(rows, progress).await? > 0 {
                    break;
                }
                if complete {
                    progress.blocked.remove(&key);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Publishes rows and marks those the broker has on disk. Gives back how many were refused.
    async fn send(&self, rows: Vec<Unsent>, progress: &mut Progress) -> Result<usize, RelayError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let places: Vec<_> =
            rows.iter().map(|row| (row.position, Arc::clone(&row.message.key), row.queued_at)).collect();
        failpoint("relay.before_publish");
        let refused = self.broker.publish(rows.into_iter().map(|row| row.message).collect()).await?;
        failpoint("relay.after_publish");
        progress.outage = 0;
        let mut positions: Vec<_> = places.iter().map(|(position, ..)| *position).collect();
        let mut newly = BTreeMap::new();
        for one in &refused {
            let Some((position, key, since)) = places.get(one.index) else { continue };
            positions.retain(|sent| sent != position);
            newly.entry(key).or_insert((*since, &one.reason));
        }
        for (key, (since, reason)) in newly {
            self.block(progress, key, since, reason);
        }
        let sent: Outcome<()> = self.store.write(move |tx| Ok(outbox::mark_sent(tx, &positions)?)).await;
        sent.unexpected()?;
        failpoint("relay.after_mark");
        debug!(store = self.store.name(), sent = places.len() - refused.len(), "events are with the broker");
        Ok(refused.len())
    }

    fn block(&self, progress: &mut Progress, key: &Arc<str>, since: i64, reason: &BrokerError) {
        let attempts = progress.blocked.get(key).map_or(0, |blocked| blocked.attempts).saturating_add(1);
        let due = monotonic() + self.config.backoff.after(attempts, self.store.ids());
        warn!(store = self.store.name(), %key, attempts, error = %reason, "an event was refused; its key waits");
        progress.blocked.insert(Arc::clone(key), Blocked { attempts, due, since });
    }
}

// === impl Backlog ===

impl Backlog {
    pub(crate) fn new(age: Gauge) -> Self {
        Self { oldest: AtomicI64::new(NONE), started: trust_now(), age }
    }

    /// The age of the oldest unsent event.
    pub(crate) fn age(&self) -> Option<Duration> {
        let oldest = self.oldest.load(Ordering::Relaxed);
        let age = trust_now().saturating_sub(oldest.max(self.started));
        (oldest != NONE).then(|| Duration::from_secs(u64::try_from(age).unwrap_or(0)))
    }

    fn set(&self, oldest: Option<i64>, progress: &Progress) {
        let blocked = progress.blocked.values().map(|blocked| blocked.since).min();
        self.oldest.store(oldest.into_iter().chain(blocked).min().unwrap_or(NONE), Ordering::Relaxed);
        self.age.set(self.age().unwrap_or_default().as_secs_f64());
    }
}

/// Why nothing could be sent.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error("the store: {0}")]
    Store(#[from] Platform),
}
