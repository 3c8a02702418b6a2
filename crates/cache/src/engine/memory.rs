//! The engine that is always there: a bounded cache in this process.

use std::fmt;
use std::time::{Duration, Instant};

use moka::ops::compute::Op;
use moka::sync::Cache;
use partie_contract::BoxFuture;
use partie_runtime::monotonic;

use super::{Engine, EngineError, Entry, Slot, Token};

/// Entries in memory, as many as fit. What is asked for often stays (TinyLFU).
pub struct MemoryEngine<V> {
    slots: Cache<String, Held<V>>,
}

/// A slot until its time is over.
struct Held<V> {
    token: Token,
    floor: i64,
    entry: Option<Entry<V>>,
    until: Instant,
}

// === impl MemoryEngine ===

impl<V: Send + Sync + 'static> MemoryEngine<V> {
    /// Room for so many keys. No slot is held longer than `longest`, which frees memory and nothing else.
    pub fn new(capacity: u64, longest: Duration) -> Self {
        Self { slots: Cache::builder().max_capacity(capacity).time_to_live(longest).build() }
    }

    /// Changes a slot, or opens it: no other change of that key comes between.
    fn change(&self, key: &str, change: impl FnOnce(Option<Held<V>>, Instant) -> Op<Held<V>>) {
        let now = monotonic();
        self.slots.entry_by_ref(key).and_compute_with(|held| {
            change(held.map(moka::Entry::into_value).filter(|held| held.until > now), now)
        });
    }

    fn read(&self, key: &str, fresh: Token, open: Duration) -> Slot<V> {
        if let Some(held) = self.slots.get(key)
            && held.entry.is_some()
            && held.until > monotonic()
        {
            return held.slot();
        }
        let mut slot = Slot::unknown();
        self.change(key, |held, now| {
            let until = now + open;
            let held = match held {
                Some(held) if held.entry.is_some() => held,
                Some(held) => Held { until, ..held },
                None => Held { token: fresh, floor: i64::MIN, entry: None, until },
            };
            slot = held.slot();
            Op::Put(held)
        });
        slot
    }

    fn put(&self, key: &str, token: Token, entry: Entry<V>, ttl: Duration) -> bool {
        let mut is_kept = false;
        self.change(key, |held, now| match held {
            Some(held)
                if held.token == token
                    && held.floor <= entry.version
                    && held.entry.as_ref().is_none_or(|there| there.version <= entry.version) =>
            {
                is_kept = true;
                Op::Put(Held { entry: Some(entry), until: now + ttl, ..held })
            }
            _ => Op::Nop,
        });
        is_kept
    }

    fn invalidate(&self, key: &str, version: i64, fresh: Token, keep: Duration) {
        self.change(key, |held, now| {
            let until = now + keep;
            let Some(held) = held else {
                return Op::Put(Held { token: fresh, floor: version, entry: None, until });
            };
            let floor = held.floor.max(version);
            match &held.entry {
                Some(there) if there.version >= version => Op::Put(Held { floor, ..held }),
                _ => Op::Put(Held { floor, entry: None, until, ..held }),
            }
        });
    }
}

impl<V: Send + Sync + 'static> Engine<V> for MemoryEngine<V> {
    fn read<'a>(
        &'a self,
        key: &'a str,
        fresh: Token,
        open: Duration,
    ) -> BoxFuture<'a, Result<Slot<V>, EngineError>> {
        Box::pin(std::future::ready(Ok(self.read(key, fresh, open))))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        token: Token,
        entry: Entry<V>,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, EngineError>> {
        Box::pin(std::future::ready(Ok(self.put(key, token, entry, ttl))))
    }

    fn invalidate<'a>(
        &'a self,
        key: &'a str,
        version: i64,
        fresh: Token,
        keep: Duration,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        self.invalidate(key, version, fresh, keep);
        Box::pin(std::future::ready(Ok(())))
    }

    fn is_local(&self) -> bool {
        true
    }
}

impl<V> fmt::Debug for MemoryEngine<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryEngine")
    }
}

// === impl Held ===

impl<V> Held<V> {
    fn slot(&self) -> Slot<V> {
        Slot { token: self.token, floor: self.floor, entry: self.entry.clone() }
    }
}

impl<V> Clone for Held<V> {
    fn clone(&self) -> Self {
        Self { token: self.token, floor: self.floor, entry: self.entry.clone(), until: self.until }
    }
}
