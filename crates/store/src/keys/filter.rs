//! A filter before the table of keys: most keys are new, and this knows it without asking the database.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use partie_contract::Timestamp;

/// Keys a segment holds: 16 bits each, so that about one new key in 500 is looked up for nothing.
const KEYS: usize = 1 << 16;
/// 128 KiB a segment.
const WORDS: usize = KEYS * 16 / 64;
/// A key sets bits in one cache line of eight words.
const LINE: usize = 8;
const BITS: u32 = 6;
/// 16 MiB, or 8 million keys within the retention. Beyond, every key is looked up.
const SEGMENTS: usize = 128;

/// A Bloom filter that grows with the keys and forgets them with age. It never denies a key that was inserted.
pub(super) struct Filter {
    hasher: RandomState,
    segments: RwLock<Vec<Segment>>,
    /// Whether what the database held at the start is in here too.
    is_loaded: AtomicBool,
    retention: Duration,
}

struct Segment {
    words: Box<[AtomicU64]>,
    keys: AtomicUsize,
    /// The latest `created_at` of its keys, in milliseconds.
    latest: AtomicU64,
    /// It stands for keys that found no place: whoever asks is told that it may hold the key.
    is_saturated: AtomicBool,
}

// === impl Filter ===

impl Filter {
    pub(super) fn new(retention: Duration) -> Self {
        Self {
            hasher: RandomState::new(),
            segments: RwLock::new(vec![Segment::new()]),
            is_loaded: AtomicBool::new(false),
            retention,
        }
    }

    pub(super) fn loaded(&self) {
        self.is_loaded.store(true, Ordering::Release);
    }

    pub(super) fn may_hold(&self, scope: &str, key: &str) -> bool {
        let hash = self.hasher.hash_one((scope, key));
        !self.is_loaded.load(Ordering::Acquire)
            || self.read(|segments| segments.iter().any(|one| one.may_hold(hash)))
    }

    pub(super) fn insert(&self, scope: &str, key: &str, created_at: Timestamp) {
        let hash = self.hasher.hash_one((scope, key));
        let is_full = self.read(|segments| segments.last().is_none_or(|last| !last.insert(hash, created_at)));
        if is_full {
            let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
            if segments.len() < SEGMENTS {
                let fresh = Segment::new();
                fresh.insert(hash, created_at);
                segments.push(fresh);
            } else if let Some(last) = segments.last() {
                last.saturate(created_at);
            }
        }
    }

    /// Drops the segments whose keys are all pruned, or about to be.
    pub(super) fn forget(&self, now: Timestamp) {
        let limit = millis(now - self.retention);
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        let count = segments.len();
        // The last one is still being filled.
        let mut at = 0;
        segments.retain(|one| {
            at += 1;
            at == count || one.latest.load(Ordering::Relaxed) >= limit
        });
    }

    fn read<T>(&self, f: impl FnOnce(&[Segment]) -> T) -> T {
        f(&self.segments.read().unwrap_or_else(PoisonError::into_inner))
    }
}

// === impl Segment ===

impl Segment {
    fn new() -> Self {
        Self {
            words: (0..WORDS).map(|_| AtomicU64::new(0)).collect(),
            keys: AtomicUsize::new(0),
            latest: AtomicU64::new(0),
            is_saturated: AtomicBool::new(false),
        }
    }

    fn may_hold(&self, hash: u64) -> bool {
        self.is_saturated.load(Ordering::Acquire)
            || bits(hash).all(|(word, bit)| self.words[word].load(Ordering::Acquire) & bit != 0)
    }

    /// Whether there was a place.
    fn insert(&self, hash: u64, created_at: Timestamp) -> bool {
        if self.keys.fetch_add(1, Ordering::Relaxed) >= KEYS {
            return false;
        }
        bits(hash).for_each(|(word, bit)| {
            self.words[word].fetch_or(bit, Ordering::Release);
        });
        self.latest.fetch_max(millis(created_at), Ordering::Relaxed);
        true
    }

    fn saturate(&self, created_at: Timestamp) {
        self.latest.fetch_max(millis(created_at), Ordering::Relaxed);
        self.is_saturated.store(true, Ordering::Release);
    }
}

/// The words and bits of a hash: all in one cache line.
fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    let line = hash as usize % (WORDS / LINE) * LINE;
    // Other bits than those that chose the line: nine of them for each of six places.
    let places = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 10;
    (0..BITS).map(move |at| {
        let place = (places >> (9 * at)) as usize % (LINE * 64);
        (line + place / 64, 1 << (place % 64))
    })
}

fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn at(hours: u64) -> Timestamp {
        Timestamp::EPOCH + Duration::from_hours(hours)
    }

    fn held(filter: &Filter, keys: impl Iterator<Item = usize>) -> usize {
        keys.filter(|key| filter.may_hold("scope", &key.to_string())).count()
    }

    fn fill(filter: &Filter, keys: std::ops::Range<usize>, created_at: Timestamp) {
        keys.for_each(|key| filter.insert("scope", &key.to_string(), created_at));
    }

    #[test]
    fn it_never_denies_a_key_and_seldom_suspects_a_new_one() {
        let filter = Filter::new(DAY);
        assert_eq!(held(&filter, 0..10), 10, "before it is loaded every key has to be looked up");
        filter.loaded();
        assert_eq!(held(&filter, 0..10), 0);
        fill(&filter, 0..200_000, at(0));
        assert_eq!(held(&filter, 0..200_000), 200_000);
        let suspected = held(&filter, 1_000_000..1_100_000);
        assert!(suspected < 2_000, "{suspected} of 100,000");
        assert!(!filter.may_hold("other scope", "7"));
    }

    #[test]
    fn it_forgets_what_is_pruned_and_nothing_younger() {
        let filter = Filter::new(DAY);
        filter.loaded();
        fill(&filter, 0..KEYS, at(0));
        fill(&filter, KEYS..2 * KEYS, at(2));
        fill(&filter, 2 * KEYS..2 * KEYS + 10, at(3));
        filter.forget(at(24));
        assert_eq!(held(&filter, 0..2 * KEYS), 2 * KEYS, "exactly a day is not over");
        filter.forget(at(25));
        assert!(held(&filter, 0..KEYS) < KEYS / 50);
        assert_eq!(held(&filter, KEYS..2 * KEYS + 10), KEYS + 10);
    }

    #[test]
    fn beyond_its_size_it_denies_nothing_until_that_has_aged() {
        let filter = Filter::new(DAY);
        filter.loaded();
        // As if the segments before the last were filled.
        filter.segments.write().unwrap().resize_with(SEGMENTS, Segment::new);
        fill(&filter, 0..KEYS + 1, at(5));
        assert!(filter.may_hold("scope", "never inserted"));
        filter.forget(at(28));
        fill(&filter, KEYS + 1..KEYS + 2, at(28));
        assert!(filter.may_hold("scope", "never inserted"), "keys without a place may still be there");
        filter.forget(at(30));
        assert!(!filter.may_hold("scope", "never inserted"));
        assert!(filter.may_hold("scope", &(KEYS + 1).to_string()));
    }
}
