//! A cache: what is asked often, in front of what is slow to answer.

mod fault;
mod flights;
mod floors;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partie_contract::{Call, FaultKind, Platform};
use partie_runtime::{Ids, monotonic};
use tracing::debug;

use self::fault::shared;
use self::flights::{Flights, Seat};
use self::floors::Floors;
use crate::engine::{Engine, EngineError, Entry, Slot, Token};
use crate::metric_definitions::Metrics;
use crate::reach::Reach;
use crate::settings::Settings;

/// A cache of `V` by `K`. Cheap to clone; clones are the same cache.
///
/// A key is known by how it is displayed.
pub struct Cache<K: ?Sized, V> {
    inner: Arc<Inner<V>>,
    key: PhantomData<fn(&K)>,
}

struct Inner<V> {
    name: String,
    engine: Arc<dyn Engine<V>>,
    /// How an engine is asked that does not answer from memory.
    reach: Option<Reach>,
    flights: Flights<V>,
    floors: Floors,
    settings: Settings,
    ids: Ids,
    metrics: Metrics,
}

// === impl Cache ===

impl<K: fmt::Display + ?Sized, V: Send + Sync + 'static> Cache<K, V> {
    /// A cache of a service's on an engine of one's own. [`Caches`](crate::Caches) makes those of the configuration.
    pub fn over(
        engine: Arc<dyn Engine<V>>,
        reach: Reach,
        service: &str,
        name: &str,
        settings: Settings,
        ids: Ids,
    ) -> Self {
        let inner = Inner {
            name: name.to_owned(),
            reach: (!engine.is_local()).then_some(reach),
            engine,
            flights: Flights::default(),
            floors: Floors::new(settings.longest()),
            settings,
            ids,
            metrics: Metrics::of(service, name),
        };
        Self { inner: Arc::new(inner), key: PhantomData }
    }

    /// What is there under that key, or what `load` gives; `None` for what does not exist.
    ///
    /// Of all who miss the same key at the same time one loads. If he is cancelled or his deadline passes, another one of
    /// them does. If the load fails, all of them fail with it. Nothing else fails: without the engine everything is
    /// loaded.
    ///
    /// # Errors
    /// The fault of the load; [`FaultKind::UpstreamTimeout`] when the call's own deadline passes before it is over.
    pub async fn get<F, L>(&self, cx: &Call, key: &K, load: F) -> Result<Option<Arc<V>>, Platform>
    where
        F: FnOnce() -> L,
        L: Future<Output = Result<Entry<V>, Platform>>,
    {
        let (cache, key) = (&*self.inner, key.to_string());
        let slot = cache.read(&key).await;
        let floor = match cache.reach {
            Some(_) => slot.floor.max(cache.floors.of(&key)),
            None => slot.floor,
        };
        if let Some(entry) = slot.entry
            && entry.version >= floor
        {
            if entry.value.is_some() { &cache.metrics.hits } else { &cache.metrics.negative }.increment(1);
            return Ok(entry.value);
        }
        cache.metrics.misses.increment(1);
        let mut seat = cache.flights.join(&key, slot.token, floor);
        let answer = cache.fly(cx, &key, &mut seat, load);
        match tokio::time::timeout(cx.deadline().remaining(), answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Platform::new(FaultKind::UpstreamTimeout)
                .caused_by(format!("the cache {} waited for {key} to be loaded", cache.name))),
        }
    }

    /// Says that there is a version now. From here on no lower one is served, and none can come back: not from a load that
    /// read it before, however late that ends. Saying it again, or in another order, does no harm.
    ///
    /// It asks the engine, so it is nothing for a transaction: an event's handler enqueues a job that does it.
    ///
    /// # Errors
    /// [`FaultKind::Degraded`] when the engine cannot be told. Call it again later, until it succeeds: other processes may
    /// serve lower versions until then, at most as long as [`Settings::ttl`]. This one does not.
    pub async fn invalidate(&self, key: &K, version: i64) -> Result<(), Platform> {
        let (cache, key) = (&*self.inner, key.to_string());
        let told = cache.engine.invalidate(&key, version, cache.token(), cache.settings.load);
        let told = match &cache.reach {
            None => told.await,
            Some(reach) => {
                // First of all, so that nobody who asks from now on is given what the engine still has.
                cache.floors.raise(&key, version);
                let told = reach.insist(told).await;
                if told.is_ok() {
                    cache.floors.settle(&key, version);
                }
                told
            }
        };
        // What is loaded right now may have been read before.
        cache.flights.detach(&key);
        match told {
            Ok(()) => {
                cache.metrics.invalidations.increment(1);
                Ok(())
            }
            Err(error) => {
                cache.note(&error);
                cache.metrics.invalidation_failures.increment(1);
                let detail = format!("The cache {} cannot be told of a change.", cache.name);
                Err(Platform::new(FaultKind::Degraded).with_detail(detail).caused_by(error))
            }
        }
    }
}

impl<K: ?Sized, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), key: PhantomData }
    }
}

impl<K: ?Sized, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("name", &self.inner.name).field("reach", &self.inner.reach).finish()
    }
}

// === impl Inner ===

impl<V: Send + Sync + 'static> Inner<V> {
    /// What the engine has. An engine that cannot be asked has nothing.
    async fn read(&self, key: &str) -> Slot<V> {
        let slot = self.engine.read(key, self.token(), self.settings.load);
        let slot = match &self.reach {
            None => Some(slot.await),
            Some(_) if self.floors.are_lost() => None,
            Some(reach) => reach.ask(slot).await,
        };
        match slot {
            Some(Ok(slot)) => slot,
            Some(Err(error)) => {
                self.note(&error);
                Slot::unknown()
            }
            None => Slot::unknown(),
        }
    }

    /// Waits for the load of a flight, or makes it when it is one's turn.
    async fn fly<L>(
        &self,
        cx: &Call,
        key: &str,
        seat: &mut Seat<'_, V>,
        load: impl FnOnce() -> L,
    ) -> Result<Option<Arc<V>>, Platform>
    where
        L: Future<Output = Result<Entry<V>, Platform>>,
    {
        let turn = seat.turn().await;
        if let Some(landed) = seat.outcome() {
            self.metrics.shared.increment(1);
            return landed.map(|entry| entry.value).map_err(shared);
        }
        let begun = monotonic();
        match load().await {
            Ok(entry) => {
                self.metrics.loads.increment(1);
                seat.land(Ok(entry.clone()));
                self.keep(key, seat, entry.clone(), begun).await;
                Ok(entry.value)
            }
            Err(fault) => {
                self.metrics.load_failures.increment(1);
                if fault.kind() == FaultKind::UpstreamTimeout && cx.deadline().has_passed() {
                    // It was the time of this call that was over, not that of the others: the next one loads.
                    drop(turn);
                    return Err(fault);
                }
                let fault = Arc::new(fault);
                seat.land(Err(Arc::clone(&fault)));
                Err(shared(fault))
            }
        }
    }

    /// Puts what was loaded where others find it, if they may.
    async fn keep(&self, key: &str, seat: &Seat<'_, V>, entry: Entry<V>, begun: Instant) {
        let (token, floor) = (seat.token(), seat.floor());
        let ttl =
            self.shortened(if entry.value.is_some() { self.settings.ttl } else { self.settings.negative });
        // It is as old as the beginning of its load.
        let ttl = ttl.saturating_sub(monotonic().saturating_duration_since(begun));
        if entry.version < floor {
            self.metrics.load_stale.increment(1);
            return;
        }
        if token == Token::NONE || ttl < Duration::from_millis(1) {
            return;
        }
        let put = self.engine.put(key, token, entry, ttl);
        let put = match &self.reach {
            None => Some(put.await),
            Some(reach) => reach.ask(put).await,
        };
        match put {
            Some(Ok(true)) | None => {}
            Some(Ok(false)) => self.metrics.load_stale.increment(1),
            Some(Err(error)) => self.note(&error),
        }
    }

    fn note(&self, error: &EngineError) {
        self.metrics.engine_errors.increment(1);
        debug!(cache = self.name, %error, "a cache does without its engine");
    }

    fn shortened(&self, ttl: Duration) -> Duration {
        const WHOLE: u64 = 1 << 20;
        let share = self.ids.below(WHOLE) as f64 / WHOLE as f64;
        ttl.mul_f64((1.0 - self.settings.jitter * share).clamp(0.0, 1.0))
    }

    /// Never that of a slot nobody knows.
    fn token(&self) -> Token {
        Token(self.ids.below(u64::MAX) + 1)
    }
}
