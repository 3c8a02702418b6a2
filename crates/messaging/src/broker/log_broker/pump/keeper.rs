//! Notes how far a group is, brings held messages back from the store, and shows that the reader is alive.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partie_contract::Outcome;
use partie_runtime::monotonic;
use tracing::warn;

use super::Pump;
use crate::broker::BrokerError;
use crate::broker::lane::LANE_LIMIT;
use crate::broker::log_broker::{ByBroker, Inner, tables};

/// How often what was settled is noted while there is more to come.
const FLUSH_EVERY: Duration = Duration::from_millis(20);
/// How long to wait when the store cannot do it now.
const AGAIN: Duration = Duration::from_millis(500);
/// How often a reader shows that it is alive, in parts of a lease.
const BEATS: u32 = 4;

// === impl Pump ===

impl Pump {
    /// Until this subscriber does not read any more.
    pub(super) async fn keep(&self) {
        let Inner { store, config, .. } = &*self.inner;
        let name = &self.group.name;
        let beat = config.lease / BEATS;
        let mut next_beat = config.shared_store.then(|| monotonic() + beat);
        let mut flush_at: Option<Instant> = None;
        loop {
            let due = flush_at.into_iter().chain(next_beat).min();
            tokio::select! {
                () = self.seat.work.notified() => {}
                () = at(due) => {}
            }
            let now = monotonic();
            let kept = async {
                self.refill().await?;
                if next_beat.is_some_and(|due| due <= now) {
                    next_beat = Some(now + beat);
                    flush_at = None;
                    return self.beat().await;
                }
                match (self.seat.is_dirty(), flush_at) {
                    ((true, true), None) => flush_at = Some(now + FLUSH_EVERY),
                    ((true, true), Some(due)) if due > now => {}
                    // While there is work there will be more to note; once there is none, nobody waits for it.
                    ((true, _), _) => {
                        flush_at = None;
                        return self.seat.flush(store, name, false).await;
                    }
                    ((false, _), _) => flush_at = None,
                }
                Ok(true)
            };
            match kept.await {
                Ok(true) => {}
                Ok(false) => {
                    warn!(group = name, "somebody else reads for the group");
                    return;
                }
                Err(error) => {
                    warn!(group = name, %error, "the store cannot note what was settled; it is tried again");
                    tokio::time::sleep(AGAIN).await;
                    self.seat.work.notify_one();
                }
            }
        }
    }

    /// Brings held messages into memory where it is their turn.
    async fn refill(&self) -> Result<(), BrokerError> {
        let store = &self.inner.store;
        loop {
            let wanted = {
                let inside = self.seat.lock();
                let parts = inside.active.iter().flat_map(|active| &active.parts).enumerate();
                parts.filter_map(|(number, part)| Some((number, part.state.refill_wanted()?))).next()
            };
            let Some((part, (key, asked_to))) = wanted else { return Ok(()) };
            // Held messages are on disk before they are read.
            if !self.seat.flush(store, &self.group.name, false).await? {
                return Ok(());
            }
            let (name, of) = (self.group.name.clone(), Arc::clone(&key));
            let rows: Outcome<_> = store.read(move |tx| Ok(tables::held(tx, &name, &of, LANE_LIMIT)?)).await;
            let rows = rows.by_broker()?;
            self.seat.with(part, |part| part.state.refill(&key, rows, asked_to, monotonic()));
            self.seat.news.notify_one();
        }
    }

    /// Shows that the reader is alive, and hears of parked keys that somebody let go on in another process.
    async fn beat(&self) -> Result<bool, BrokerError> {
        let Inner { store, .. } = &*self.inner;
        let parked: HashSet<Arc<str>> = {
            let inside = self.seat.lock();
            let parts = inside.active.iter().flat_map(|active| &active.parts);
            parts.flat_map(|part| part.state.parked_keys().cloned()).collect()
        };
        if !self.seat.flush(store, &self.group.name, true).await? {
            return Ok(false);
        }
        if !parked.is_empty() {
            let name = self.group.name.clone();
            let going_on: Outcome<_> = store.read(move |tx| Ok(tables::going_on(tx, &name)?)).await;
            for key in going_on.by_broker()?.iter().filter(|key| parked.contains(*key)) {
                self.seat.unpark(key);
            }
        }
        Ok(true)
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
