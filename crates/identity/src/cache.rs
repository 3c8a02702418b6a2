//! Remembers verified tokens, because checking a signature costs more than the rest of a small request.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use partie_contract::Identity;

use crate::claims::is_over;
use crate::hashed::ByHash;
use crate::issuer::Issuer;
use crate::keys::Key;

const SHARDS: usize = 16;
/// The most tokens a shard remembers in one generation; there are two.
const GENERATION: usize = 512;
/// The end of a token, in bytes, is where tokens differ: so long is the shortest signature, that of HS256.
const SIGNATURE: usize = 43;

/// Up to 16,384 verified tokens. What was not used for a while goes first.
pub(crate) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    /// Keyed at random, so that nobody can aim at a shard.
    hash: RandomState,
}

/// A token that was good, and what has to stay good for that.
pub(crate) struct Verified {
    pub(crate) identity: Arc<Identity>,
    /// Trusted until its issuer does not publish it any more.
    pub(crate) key: Arc<Key>,
    pub(crate) issuer: Arc<Issuer>,
}

/// Two generations: what is used moves to the young one; when that is full, the old one is forgotten.
#[derive(Default)]
struct Shard {
    young: Generation,
    old: Generation,
}

type Generation = ByHash<Arc<Verified>>;

// === impl Cache ===

impl Cache {
    pub(crate) fn new() -> Self {
        Self { shards: Default::default(), hash: RandomState::new() }
    }

    /// A token that was verified before, is not over, and whose key is still trusted.
    pub(crate) fn get(&self, token: &str, now: i64) -> Option<Arc<Verified>> {
        let known = self.known(token)?;
        // The whole token is compared: a hash proves nothing.
        let holds =
            known.identity.token == token && !is_over(known.identity.expires, now) && known.key.is_trusted();
        holds.then_some(known)
    }

    fn known(&self, token: &str) -> Option<Arc<Verified>> {
        let (hash, mut shard) = self.shard(token)?;
        if let Some(known) = shard.young.get(&hash) {
            return Some(Arc::clone(known));
        }
        let known = shard.old.remove(&hash)?;
        shard.insert(hash, Arc::clone(&known));
        Some(known)
    }

    /// Remembers a verified token.
    pub(crate) fn put(&self, verified: &Arc<Verified>) {
        if let Some((hash, mut shard)) = self.shard(&verified.identity.token) {
            shard.insert(hash, Arc::clone(verified));
        }
    }

    fn shard(&self, token: &str) -> Option<(u64, std::sync::MutexGuard<'_, Shard>)> {
        let signature = token.as_bytes().last_chunk::<SIGNATURE>()?;
        let hash = self.hash.hash_one(signature);
        // The map takes the low bits.
        let shard = &self.shards[(hash >> 32) as usize % SHARDS];
        Some((hash, shard.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let size = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap();
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(size).sum()
    }
}

// === impl Shard ===

impl Shard {
    fn insert(&mut self, hash: u64, verified: Arc<Verified>) {
        if self.young.len() >= GENERATION && !self.young.contains_key(&hash) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, verified);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::SKEW;
    use crate::keys::Keys;

    fn verified(number: usize) -> Arc<Verified> {
        let token = format!("h.p.{number:086}");
        let key = Arc::new(Key::ed25519([7; 32]));
        let issuer = Arc::new(Issuer::own("i", Arc::clone(&key)));
        Arc::new(Verified { identity: Arc::new(Identity::new("s", token, 1000)), key, issuer })
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let cache = Cache::new();
        let used = verified(0);
        cache.put(&used);
        for number in 1..40_000 {
            cache.put(&verified(number));
            assert!(cache.get(&used.identity.token, 0).is_some(), "forgotten after {number}");
        }
        assert!(cache.len() <= SHARDS * GENERATION * 2);
        assert!(cache.len() >= SHARDS * GENERATION, "and it is used");
        assert!(cache.get(&verified(1).identity.token, 0).is_none());
    }

    #[test]
    fn a_hit_looks_at_the_end_again() {
        let cache = Cache::new();
        let one = verified(0);
        cache.put(&one);
        assert!(cache.get(&one.identity.token, 1000 + SKEW - 1).is_some());
        assert!(cache.get(&one.identity.token, 1000 + SKEW).is_none());
    }

    #[test]
    fn a_hit_looks_at_the_key_again() {
        let cache = Cache::new();
        let one = verified(0);
        cache.put(&one);
        drop(Keys::default().in_place_of(&Keys::of([Arc::clone(&one.key)])));
        assert!(cache.get(&one.identity.token, 0).is_none());
    }

    #[test]
    fn the_same_signature_under_other_claims_is_no_hit() {
        let cache = Cache::new();
        let one = verified(0);
        cache.put(&one);
        let token = &one.identity.token;
        assert!(cache.get(&token.replacen('p', "q", 1), 0).is_none());
        assert!(cache.get(&token[1..], 0).is_none());
        assert!(cache.get("", 0).is_none());
    }
}
