//! The relay: takes the outbox to the broker, in the order of the commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use partie_contract::{Outcome, OutcomeExt, Platform};
use partie_runtime::{Busy, Stop, failpoint, monotonic, trust_now};
use partie_store::{Horizon, Store};
use partie_telemetry::Gauge;
use tracing::{debug, info, warn};

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

/// So many events at once show that there are more to come.
const CROWD: usize = 8;

/// How soon to look again for rows that others, still writing, may get in front of.
const SETTLING: Duration = Duration::from_millis(5);

/// Where a relay is.
#[derive(Default)]
struct Progress {
    /// Every row up to here is sent, or noted as refused. Not known before the first look.
    sent_to: Option<i64>,
    /// The broker's epoch in which that is so.
    broker_epoch: i64,
    /// Up to where rows may be sent: where several write at a time, later ones may be there before earlier ones.
    horizon: Horizon,
    /// By subject.
    blocked: BTreeMap<Arc<str>, Blocked>,
    /// Failures in a row of the broker as a whole.
    outage: u32,
}

/// A subject whose event was refused. Its later events wait behind it.
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
            let begun = monotonic();
            let (due, is_crowd) = match self.drain(&mut progress).await {
                Ok((sent, is_more)) => {
                    let blocked = progress.blocked.values().map(|blocked| blocked.due);
                    let unsettled = is_more.then(|| monotonic() + SETTLING);
                    (blocked.chain(unsettled).min(), sent >= CROWD)
                }
                Err(error) => {
                    progress.outage = progress.outage.saturating_add(1);
                    let wait = self.config.backoff.after(progress.outage, self.store.ids());
                    warn!(store = self.store.name(), %error, attempt = progress.outage, "events cannot leave");
                    (Some(monotonic() + wait), false)
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
                self.rest(due, progress.broker_epoch, &mut busy).await;
                if is_crowd {
                    self.keep_pace(begun).await;
                }
            }
        }
    }

    /// Lets others join the next batch.
    async fn keep_pace(&self, begun: Instant) {
        tokio::select! {
            () = tokio::time::sleep_until((begun + self.config.pace).into()) => {}
            () = self.stop.stopped() => {}
        }
    }

    /// Waits until there may be something to do. Something is going on as long as events wait.
    async fn rest(&self, due: Option<Instant>, known: i64, busy: &mut Option<Busy>) {
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        let restored = async {
            match &mut self.broker.epoch() {
                // Whoever failed a moment ago finds out at the next attempt.
                Some(epoch) if due.is_none() => {
                    _ = epoch.wait_for(|epoch| epoch.is_some_and(|epoch| epoch != known)).await
                }
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            rung = self.hub.relay.rung() => *busy = Some(rung),
            () = restored => *busy = Some(self.store.activity().begin()),
            () = wait => {}
            () = self.stop.stopped() => {}
        }
    }

    /// Sends what can be sent, and says how much that was, and whether there is more that may not leave yet.
    async fn drain(&self, progress: &mut Progress) -> Result<(usize, bool), RelayError> {
        let mut sent_to = self.sent_to(progress).await?;
        let mut sent = self.retry_blocked(progress).await?;
        loop {
            let (from, limit, horizon) = (sent_to, self.config.batch, progress.horizon.clone());
            let rows: Outcome<(Vec<Unsent>, bool)> =
                self.store.read(move |tx| Ok(outbox::after(tx, &horizon, from, limit)?)).await;
            let (rows, is_more) = rows.unexpected()?;
            self.backlog.set(rows.first().map(|row| row.queued_at), progress);
            let Some(last) = rows.last().map(|row| row.position) else {
                return Ok((sent, is_more));
            };
            let complete = rows.len() < limit;
            sent += self.send(rows, last, progress).await?;
            sent_to = last;
            if complete {
                self.backlog.set(None, progress);
                return Ok((sent, is_more));
            }
        }
    }

    /// How far it has sent, with the subjects that were refused.
    async fn sent_to(&self, progress: &mut Progress) -> Result<i64, RelayError> {
        if let Some(known) = progress.sent_to {
            return self.in_this_epoch(known, progress).await;
        }
        // Nothing is said, only heard in which epoch the broker is. One that does not answer is heard of with the next event.
        if self.broker.epoch().is_some_and(|epoch| epoch.borrow().is_none())
            && let Err(error) = self.broker.publish(Vec::new()).await
        {
            debug!(store = self.store.name(), %error, "the broker's epoch is not known yet");
        }
        let read: Outcome<_> = self.store.read(|tx| Ok((outbox::sent_to(tx)?, outbox::waiting(tx)?))).await;
        let ((sent_to, broker_epoch), refused) = read.unexpected()?;
        let due = monotonic();
        let blocked = |(subject, since)| (subject, Blocked { attempts: 0, due, since });
        progress.blocked.extend(refused.into_iter().map(blocked));
        progress.sent_to = Some(sent_to);
        progress.broker_epoch = broker_epoch;
        self.in_this_epoch(sent_to, progress).await
    }

    /// How far it has sent what this broker has. One that was put back to an earlier state gets everything again: it knows
    /// by their ids what it has, and so do its consumers.
    async fn in_this_epoch(&self, sent_to: i64, progress: &mut Progress) -> Result<i64, RelayError> {
        let Some(epoch) = self.broker.epoch().and_then(|epoch| *epoch.borrow()) else { return Ok(sent_to) };
        if epoch == progress.broker_epoch {
            return Ok(sent_to);
        }
        let noted: Outcome<()> = self.store.write(move |tx| Ok(outbox::send_again(tx, epoch)?)).await;
        noted.unexpected()?;
        info!(
            store = self.store.name(),
            epoch, "the broker was restored: what is in the outbox is sent again"
        );
        progress.broker_epoch = epoch;
        progress.sent_to = Some(0);
        Ok(0)
    }

    /// Sends rows, except for those that wait behind a refused one, and notes how far it is.
    async fn send(&self, rows: Vec<Unsent>, last: i64, progress: &mut Progress) -> Result<usize, RelayError> {
        let is_blocked = |row: &Unsent| progress.blocked.contains_key(&row.subject);
        let (behind, free): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_blocked);
        let places = places(&free);
        let refused = self.publish(free, &places, progress).await?;
        let sent = places.len() - refused.len();
        let except: Vec<_> = behind.iter().map(Unsent::place).chain(refused).collect();
        let noted: Outcome<()> = self.store.write(move |tx| Ok(outbox::note_sent(tx, last, &except)?)).await;
        noted.unexpected()?;
        failpoint("relay.after_mark");
        // Not before: a store that takes no mark would be asked at once again, and the broker given the same once more.
        progress.outage = 0;
        progress.sent_to = Some(last);
        debug!(store = self.store.name(), sent, "events are with the broker");
        Ok(sent)
    }

    /// Sends the oldest events of subjects that have waited long enough, and says how many.
    async fn retry_blocked(&self, progress: &mut Progress) -> Result<usize, RelayError> {
        let now = monotonic();
        let due: Vec<_> = progress
            .blocked
            .iter()
            .filter(|(_, blocked)| blocked.due <= now)
            .map(|(subject, _)| Arc::clone(subject))
            .collect();
        let mut sent = 0;
        for subject in due {
            loop {
                let (of, limit) = (Arc::clone(&subject), self.config.batch);
                let rows: Outcome<Vec<Unsent>> =
                    self.store.read(move |tx| Ok(outbox::refused(tx, &of, limit)?)).await;
                let rows = rows.unexpected()?;
                let complete = rows.len() < limit;
                let places = places(&rows);
                let refused = self.publish(rows, &places, progress).await?;
                let is_refused = !refused.is_empty();
                let taken: Vec<_> = places
                    .into_iter()
                    .map(|(place, _)| place)
                    .filter(|place| !refused.contains(place))
                    .collect();
                sent += taken.len();
                let noted: Outcome<()> =
                    self.store.write(move |tx| Ok(outbox::note_taken(tx, &taken)?)).await;
                noted.unexpected()?;
                progress.outage = 0;
                if is_refused {
                    break;
                }
                if complete {
                    progress.blocked.remove(&subject);
                    break;
                }
            }
        }
        Ok(sent)
    }

    /// Publishes rows and blocks the subjects of those that are refused. Gives back their places.
    async fn publish(
        &self,
        rows: Vec<Unsent>,
        places: &[(Place, i64)],
        progress: &mut Progress,
    ) -> Result<Vec<Place>, RelayError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        failpoint("relay.before_publish");
        let refused = self.broker.publish(rows.into_iter().map(|row| row.message).collect()).await?;
        failpoint("relay.after_publish");
        let mut waiting = Vec::new();
        let mut newly = BTreeMap::new();
        for one in &refused {
            let Some((place, since)) = places.get(one.index) else { continue };
            newly.entry(Arc::clone(&place.0)).or_insert((*since, &one.reason));
            waiting.push(place.clone());
        }
        for (subject, (since, reason)) in newly {
            self.block(progress, &subject, since, reason);
        }
        Ok(waiting)
    }

    fn block(&self, progress: &mut Progress, subject: &Arc<str>, since: i64, reason: &BrokerError) {
        let attempts = progress.blocked.get(subject).map_or(0, |blocked| blocked.attempts).saturating_add(1);
        let due = monotonic() + self.config.backoff.after(attempts, self.store.ids());
        warn!(store = self.store.name(), %subject, attempts, error = %reason, "an event was refused; its subject waits");
        progress.blocked.insert(Arc::clone(subject), Blocked { attempts, due, since });
    }
}

/// A row by its subject and position.
type Place = (Arc<str>, i64);

/// The places of rows, with the time they were queued.
fn places(rows: &[Unsent]) -> Vec<(Place, i64)> {
    rows.iter().map(|row| (row.place(), row.queued_at)).collect()
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
        self.note(oldest.into_iter().chain(blocked).min());
    }

    /// When the oldest unsent event was queued; wall clock, in seconds.
    pub(crate) fn note(&self, oldest: Option<i64>) {
        self.oldest.store(oldest.unwrap_or(NONE), Ordering::Relaxed);
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
