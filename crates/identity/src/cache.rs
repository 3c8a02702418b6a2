//! Remembers verified tokens, because checking a signature costs more than the rest of a small request.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use partie_contract::Identity;

use crate::claims::is_over;

const SHARDS: usize = 16;
/// The most tokens a shard remembers in one generation; there are two.
const GENERATION: usize = 128;
/// An Ed25519 signature in base64url, at the end of each token.
const SIGNATURE: usize = 86;

/// Up to 4,096 verified tokens. What was not used for a while goes first.
pub(crate) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    /// Keyed at random, so that nobody can aim at a shard.
    hash: RandomState,
}

/// Two generations: what is used moves to the young one; when that is full, the old one is forgotten.
#[derive(Default)]
struct Shard {
    young: HashMap<u64, Arc<Identity>>,
    old: HashMap<u64, Arc<Identity>>,
}

impl Cache {
    pub(crate) fn new() -> Self {
        Self { shards: Default::default(), hash: RandomState::new() }
    }

    /// The identity of a token that was verified before and is not over.
    pub(crate) fn get(&self, token: &str, now: i64) -> Option<Arc<Identity>> {
        let (hash, mut shard) = self.shard(token)?;
        if let Some(identity) = shard.young.get(&hash) {
            // The whole token is compared: a hash proves nothing.
            if identity.token == token && !is_over(identity.expires, now) {
                return Some(Arc::clone(identity));
            }
            return None;
        }
        let identity = shard.old.remove(&hash)?;
        if identity.token != token || is_over(identity.expires, now) {
            return None;
        }
        shard.insert(hash, Arc::clone(&identity));
        Some(identity)
    }

    /// Remembers a verified token.
    pub(crate) fn put(&self, identity: &Arc<Identity>) {
        if let Some((hash, mut shard)) = self.shard(&identity.token) {
            shard.insert(hash, Arc::clone(identity));
        }
    }

    /// Where a token belongs. Its signature alone is hashed: it is what differs between tokens.
    fn shard(&self, token: &str) -> Option<(u64, std::sync::MutexGuard<'_, Shard>)> {
        let signature = token.as_bytes().last_chunk::<SIGNATURE>()?;
        let hash = self.hash.hash_one(signature);
        let shard = &self.shards[hash as usize % SHARDS];
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

impl Shard {
    fn insert(&mut self, hash: u64, identity: Arc<Identity>) {
        if self.young.len() >= GENERATION && !self.young.contains_key(&hash) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, identity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::SKEW;

    fn identity(number: usize) -> Arc<Identity> {
        let token = format!("h.p.{number:086}");
        Arc::new(Identity { subject: "s".to_owned(), roles: vec![], token, expires: 1000 })
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let cache = Cache::new();
        let used = identity(0);
        cache.put(&used);
        for number in 1..50_000 {
            cache.put(&identity(number));
            assert!(cache.get(&used.token, 0).is_some(), "forgotten after {number}");
        }
        assert!(cache.len() <= SHARDS * GENERATION * 2);
        assert!(cache.len() >= SHARDS * GENERATION, "and it is used");
        assert!(cache.get(&identity(1).token, 0).is_none());
    }

    #[test]
    fn a_hit_looks_at_the_end_again() {
        let cache = Cache::new();
        let one = identity(0);
        cache.put(&one);
        assert!(cache.get(&one.token, 1000 + SKEW - 1).is_some());
        assert!(cache.get(&one.token, 1000 + SKEW).is_none());
    }

    #[test]
    fn the_same_signature_under_other_claims_is_no_hit() {
        let cache = Cache::new();
        let one = identity(0);
        cache.put(&one);
        assert!(cache.get(&one.token.replacen('p', "q", 1), 0).is_none());
        assert!(cache.get(&one.token[1..], 0).is_none());
        assert!(cache.get("", 0).is_none());
    }
}
