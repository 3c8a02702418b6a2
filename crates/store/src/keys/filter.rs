//! A filter before the table of keys: most keys are new, and this knows it without asking the database.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use partie_contract::Timestamp;

use crate::keys::record::Entry;

/// Keys a segment holds: 16 bits each, so that about one new key in 500 is looked up for nothing.
const KEYS: usize = 1 << 16;
/// 128 KiB a segment.
const WORDS: usize = KEYS * 16 / 64;
/// A key sets bits in one cache line of eight words.
const LINE: usize = 8;
const BITS: u32 = 6;
/// 16 MiB, or 8 million keys within the retention. The keys beyond are looked up.
const SEGMENTS: usize = 128;

/// A Bloom filter that grows with the keys and forgets them with age. It never denies a key that was inserted, and
/// says among which ids to look for one that it does not deny.
pub(super) struct Filter {
    state: RwLock<State>,
    retention: Duration,
}

struct State {
    /// In the order of their ids.
    segments: Vec<Segment>,
    /// The ids of before the start, until they are taken in.
    unread: Option<Range>,
    /// The ids that found no place, and the latest `created_at` of them.
    homeless: Option<(Range, Timestamp)>,
}

/// Ids from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

struct Segment {
    words: Box<[AtomicU64]>,
    keys: AtomicUsize,
    first: i64,
    last: AtomicI64,
    /// The latest `created_at`, in milliseconds.
    latest: AtomicI64,
}

// === impl Filter ===

impl Filter {
    /// A filter that knows of those keys in the database, but not which they are.
    pub(super) fn new(retention: Duration, unread: Option<Range>) -> Self {
        Self { state: RwLock::new(State { segments: Vec::new(), unread, homeless: None }), retention }
    }

    /// Where a key with that hash may be. Nowhere, if it is new.
    pub(super) fn places(&self, hash: u64) -> Vec<Range> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let others = state.unread.into_iter().chain(state.homeless.map(|(ids, _)| ids));
        others.chain(state.segments.iter().filter(|one| one.may_hold(hash)).map(Segment::ids)).collect()
    }

    /// What is not read yet.
    pub(super) fn unread(&self) -> Option<Range> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).unread
    }

    /// Inserts a new key. Ids only grow.
    pub(super) fn insert(&self, entry: Entry) {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let is_in = state.segments.last().is_some_and(|last| last.insert(entry));
        drop(state);
        if !is_in {
            self.state.write().unwrap_or_else(PoisonError::into_inner).add(entry);
        }
    }

    /// Takes in the keys of before the start.
    pub(super) fn take_in(&self, read: Reading) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.segments.splice(0..0, read.0.segments);
        state.homeless = merge(state.homeless, read.0.homeless);
        state.unread = None;
    }

    /// Drops what is pruned, or about to be.
    pub(super) fn forget(&self, now: Timestamp) {
        let limit = now - self.retention;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let count = state.segments.len();
        let mut at = 0;
        state.segments.retain(|one| {
            at += 1;
            // The last one is still being filled.
            at == count || one.latest.load(Ordering::Relaxed) >= limit.as_millis()
        });
        state.homeless = state.homeless.filter(|(_, latest)| *latest >= limit);
    }
}

// === impl State ===

impl State {
    fn add(&mut self, entry: Entry) {
        if self.segments.last().is_some_and(|last| last.insert(entry)) {
            return;
        }
        if self.segments.len() < SEGMENTS {
            let fresh = Segment::new(entry.id);
            fresh.insert(entry);
            self.segments.push(fresh);
        } else {
            let ids = Range { first: entry.id, last: entry.id };
            self.homeless = merge(self.homeless, Some((ids, entry.created_at)));
        }
    }
}

fn merge(a: Option<(Range, Timestamp)>, b: Option<(Range, Timestamp)>) -> Option<(Range, Timestamp)> {
    match (a, b) {
        (Some((a, a_latest)), Some((b, b_latest))) => {
            let ids = Range { first: a.first.min(b.first), last: a.last.max(b.last) };
            Some((ids, a_latest.max(b_latest)))
        }
        (a, b) => a.or(b),
    }
}

/// The keys of before the start, while they are being read.
pub(super) struct Reading(State);

impl Reading {
    pub(super) fn new() -> Self {
        Self(State { segments: Vec::new(), unread: None, homeless: None })
    }

    pub(super) fn add(&mut self, entry: Entry) {
        self.0.add(entry);
    }
}

// === impl Segment ===

impl Segment {
    fn new(first: i64) -> Self {
        Self {
            words: (0..WORDS).map(|_| AtomicU64::new(0)).collect(),
            keys: AtomicUsize::new(0),
            first,
            last: AtomicI64::new(first),
            latest: AtomicI64::new(i64::MIN),
        }
    }

    fn ids(&self) -> Range {
        Range { first: self.first, last: self.last.load(Ordering::Acquire) }
    }

    fn may_hold(&self, hash: u64) -> bool {
        bits(hash).all(|(word, bit)| self.words[word].load(Ordering::Acquire) & bit != 0)
    }

    /// Whether there was a place.
    fn insert(&self, entry: Entry) -> bool {
        if self.keys.load(Ordering::Relaxed) == KEYS {
            return false;
        }
        self.keys.fetch_add(1, Ordering::Relaxed);
        self.latest.fetch_max(entry.created_at.as_millis(), Ordering::Relaxed);
        // Before the bits: whoever sees these looks far enough.
        self.last.fetch_max(entry.id, Ordering::Release);
        bits(entry.hash).for_each(|(word, bit)| {
            self.words[word].fetch_or(bit, Ordering::Release);
        });
        true
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

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn at(hours: u64) -> Timestamp {
        Timestamp::EPOCH + Duration::from_hours(hours)
    }

    fn hash(key: i64) -> u64 {
        let mixed = key.cast_unsigned().wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 29).wrapping_mul(0x94d0_49bb_1331_11eb)
    }

    fn fill(keys: std::ops::Range<i64>, created_at: Timestamp, mut insert: impl FnMut(Entry)) {
        keys.for_each(|id| insert(Entry { id, hash: hash(id), created_at }));
    }

    /// Whether the filter leads to the key.
    fn leads_to(filter: &Filter, key: i64) -> bool {
        filter.places(hash(key)).iter().any(|ids| (ids.first..=ids.last).contains(&key))
    }

    const PER: i64 = KEYS as i64;

    #[test]
    fn it_never_denies_a_key_and_seldom_suspects_a_new_one() {
        let filter = Filter::new(DAY, None);
        fill(0..200_000, at(0), |entry| filter.insert(entry));
        assert!((0..200_000).all(|key| leads_to(&filter, key)));
        let suspected = (1_000_000..1_100_000).filter(|key| !filter.places(hash(*key)).is_empty()).count();
        assert!(suspected < 2_000, "{suspected} of 100,000");
    }

    #[test]
    fn what_is_not_read_yet_is_looked_for_and_new_keys_do_not_widen_it() {
        let old = Range { first: 10, last: 50_000 };
        let filter = Filter::new(DAY, Some(old));
        fill(1_000_000..1_000_010, at(1), |entry| filter.insert(entry));
        assert_eq!(filter.places(hash(-1)), [old]);
        let mut reading = Reading::new();
        fill(10..50_001, at(0), |entry| reading.add(entry));
        filter.take_in(reading);
        assert_eq!((filter.places(hash(-1)), filter.unread()), (vec![], None));
        assert_eq!(filter.places(hash(77)), [old]);
        assert_eq!(filter.places(hash(1_000_003)), [Range { first: 1_000_000, last: 1_000_009 }]);
    }

    #[test]
    fn it_forgets_what_is_pruned_and_nothing_younger() {
        let filter = Filter::new(DAY, None);
        fill(0..PER, at(0), |entry| filter.insert(entry));
        fill(PER..2 * PER, at(2), |entry| filter.insert(entry));
        fill(2 * PER..2 * PER + 10, at(3), |entry| filter.insert(entry));
        filter.forget(at(24));
        assert!((0..2 * PER).all(|key| leads_to(&filter, key)), "exactly a day is not over");
        filter.forget(at(25));
        assert!(!(0..PER).any(|key| leads_to(&filter, key)));
        assert!((PER..2 * PER + 10).all(|key| leads_to(&filter, key)));
    }

    #[test]
    fn keys_without_a_place_are_looked_for_until_they_have_aged() {
        let filter = Filter::new(DAY, None);
        // As if the segments before the last were filled.
        filter.state.write().unwrap().segments.resize_with(SEGMENTS, || Segment::new(0));
        fill(0..PER + 2, at(5), |entry| filter.insert(entry));
        let homeless = Range { first: PER, last: PER + 1 };
        assert_eq!(filter.places(hash(-1)), [homeless]);
        filter.forget(at(29));
        fill(PER + 2..PER + 3, at(29), |entry| filter.insert(entry));
        assert_eq!(filter.places(hash(-1)), [homeless]);
        filter.forget(at(30));
        assert_eq!(filter.places(hash(-1)), []);
        assert!(leads_to(&filter, PER + 2));
    }
}
