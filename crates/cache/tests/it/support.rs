//! What the tests share: caches, calls, loads, and an engine that does as it is told.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use partie_cache::{Cache, Engine, EngineError, Entry, MemoryEngine, Reach, Settings, Slot, Token};
use partie_contract::{BoxFuture, Call, Deadline, Platform, Trace};
use partie_runtime::Ids;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// How long an engine may take for an answer.
pub(crate) const LIMIT: Duration = Duration::from_millis(50);

pub(crate) type Loaded<V = String> = Result<Entry<V>, Platform>;

/// Ends what would wait for ever.
pub(crate) async fn within<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), test).await.expect("it takes too long")
}

pub(crate) fn call() -> Call {
    call_within(MINUTE)
}

pub(crate) fn call_within(time: Duration) -> Call {
    Call::new(Deadline::after(time), Trace::new(1, 1))
}

/// A cache on that engine, as any process would have it.
pub(crate) fn on<V: Send + Sync + 'static>(engine: Arc<dyn Engine<V>>, settings: Settings) -> Cache<str, V> {
    limited(LIMIT, engine, settings)
}

/// The same for engines that may be slow on a busy machine, which must not look like an outage.
pub(crate) fn patient<V: Send + Sync + 'static>(engine: Arc<dyn Engine<V>>) -> Cache<str, V> {
    limited(Duration::from_secs(10), engine, lasting_a_minute())
}

fn limited<V: Send + Sync + 'static>(
    limit: Duration,
    engine: Arc<dyn Engine<V>>,
    settings: Settings,
) -> Cache<str, V> {
    let ids = Ids::from_entropy();
    Cache::over(engine, Reach::new(limit, ids.clone()), "test", "test", settings, ids)
}

pub(crate) fn memory<V: Send + Sync + 'static>() -> Arc<MemoryEngine<V>> {
    Arc::new(MemoryEngine::new(1_000, MINUTE * 60))
}

/// A cache of texts in memory.
pub(crate) fn texts(settings: Settings) -> Cache<str, String> {
    on(memory(), settings)
}

pub(crate) fn lasting_a_minute() -> Settings {
    Settings::lasting(MINUTE).jitter(0.0)
}

pub(crate) fn text(version: i64, text: &str) -> Loaded {
    Ok(Entry::new(version, text.to_owned()))
}

/// What a cache has, or that it would load.
pub(crate) async fn peek<V: Send + Sync + Clone + 'static>(
    cache: &Cache<str, V>,
    key: &str,
) -> Option<Option<V>> {
    let missed = || async { Err(Platform::internal("it was not there")) };
    cache.get(&call(), key, missed).await.ok().map(|value| value.map(|value| (*value).clone()))
}

/// Has that put into a cache.
pub(crate) async fn fill(cache: &Cache<str, String>, key: &str, version: i64) {
    let value = cache.get(&call(), key, || async { text(version, &version.to_string()) }).await.unwrap();
    assert_eq!(value.unwrap().parse(), Ok(version));
}

/// Whether an engine does what it should.
#[derive(Debug, Default)]
pub(crate) struct Moods {
    hangs: AtomicBool,
    fails: AtomicBool,
    pub(crate) asked: AtomicUsize,
}

/// An engine somewhere else, that hangs or fails as it is told.
#[derive(Debug)]
pub(crate) struct Moody<E> {
    pub(crate) engine: Arc<E>,
    pub(crate) moods: Arc<Moods>,
}

// === impl Moods ===

impl Moods {
    pub(crate) fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn suffer(&self) -> Result<(), EngineError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.fails.load(Ordering::SeqCst) {
            return Err(EngineError::new("nowhere", "connection refused"));
        }
        Ok(())
    }
}

// === impl Moody ===

impl<V: Send + Sync + 'static, E: Engine<V>> Engine<V> for Moody<E> {
    fn read<'a>(
        &'a self,
        key: &'a str,
        fresh: Token,
        open: Duration,
    ) -> BoxFuture<'a, Result<Slot<V>, EngineError>> {
        Box::pin(async move {
            self.moods.suffer().await?;
            self.engine.read(key, fresh, open).await
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        token: Token,
        entry: Entry<V>,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, EngineError>> {
        Box::pin(async move {
            self.moods.suffer().await?;
            self.engine.put(key, token, entry, ttl).await
        })
    }

    fn invalidate<'a>(
        &'a self,
        key: &'a str,
        version: i64,
        fresh: Token,
        keep: Duration,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            self.moods.suffer().await?;
            self.engine.invalidate(key, version, fresh, keep).await
        })
    }
}
