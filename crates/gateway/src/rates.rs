//! How many requests a client may send: token buckets, as many as memory was set aside for.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use partie_contract::{FaultKind, Platform};
use partie_runtime::monotonic;

use crate::config::{Rate, RatesConfig};

const SHARDS: usize = 16;
/// Buckets of one shard. Beyond that those that are full again are forgotten, and if there are none, somebody's.
const KEPT: usize = 4_096;
/// A shard without room is searched for full buckets this often at most.
const SWEEP: u64 = 100_000_000;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// All buckets of a gateway: up to 65,536, whoever comes.
pub(crate) struct Buckets {
    shards: [Mutex<Shard>; SHARDS],
    /// Keyed at random, so that nobody can aim at a shard or at somebody's bucket.
    hash: RandomState,
    began: Instant,
}

/// Each bucket is the moment at which it will be full again, in nanoseconds ("generic cell rate algorithm").
#[derive(Default)]
struct Shard {
    full_at: HashMap<u64, u64>,
    swept: u64,
}

/// The limits of a route, or of all that have none of their own.
#[derive(Debug)]
pub(crate) struct Rates {
    /// Buckets of different scopes have nothing to do with each other.
    scope: u64,
    pub(crate) address: Option<Limit>,
    pub(crate) user: Option<Limit>,
    pub(crate) key: Option<Limit>,
}

/// One limit.
#[derive(Debug)]
pub(crate) struct Limit {
    by: By,
    rate: Rate,
    /// The value of `RateLimit-Policy`.
    policy: HeaderValue,
}

/// What requests are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum By {
    Address,
    User,
    Key,
}

/// What is left of the tightest limit of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<'t> {
    limit: &'t Limit,
    requests: u64,
    /// Until the bucket is full again, or until the next request if there is none left.
    wait: Duration,
}

// === impl Rates ===

impl Rates {
    /// The limits; nothing if there are none, so that nobody counts.
    pub(crate) fn new(scope: u64, config: &RatesConfig) -> Option<Self> {
        let limit = |by, rate: Option<Rate>| rate.map(|rate| Limit::new(by, rate));
        (!config.is_empty()).then(|| Self {
            scope,
            address: limit(By::Address, config.address),
            user: limit(By::User, config.user),
            key: limit(By::Key, config.key),
        })
    }

    /// Takes one request out of the client's bucket of a limit.
    ///
    /// # Errors
    /// [`FaultKind::RateLimited`] with the wait until the next one, and what the header fields say, when it is empty.
    pub(crate) fn take<'t>(
        &self,
        limit: &'t Limit,
        buckets: &Buckets,
        client: impl Hash,
    ) -> Result<Left<'t>, (Left<'t>, Platform)> {
        let taken = buckets.take((self.scope, limit.by, client), limit.rate, buckets.now());
        let left = |requests, wait| Left { limit, requests, wait: Duration::from_nanos(wait) };
        match taken {
            Ok((requests, wait)) => Ok(left(requests, wait)),
            Err(wait) => {
                let left = left(0, wait);
                let fault = Platform::new(FaultKind::RateLimited)
                    .with_detail(format!("at most {} {}", limit.rate, limit.by.words()))
                    .retry_after(left.wait);
                Err((left, fault))
            }
        }
    }
}

// === impl Limit ===

impl Limit {
    fn new(by: By, rate: Rate) -> Self {
        let policy = format!("\"{}\";q={};w={}", by.name(), rate.burst, rate.per.as_secs());
        let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static(""));
        Self { by, rate, policy }
    }
}

// === impl By ===

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::User => "user",
            Self::Key => "key",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Address => "are taken from one address",
            Self::User => "are taken from one user",
            Self::Key => "are taken with one key",
        }
    }
}

// === impl Left ===

impl Left<'_> {
    /// The tighter of two.
    pub(crate) fn tighter(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.requests < self.requests => other,
            _ => self,
        }
    }

    /// Says what is left (draft-ietf-httpapi-ratelimit-headers).
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let seconds = self.wait.as_secs() + u64::from(self.wait.subsec_nanos() > 0);
        let left = format!("\"{}\";r={};t={seconds}", self.limit.by.name(), self.requests);
        if let Ok(left) = HeaderValue::try_from(left) {
            headers.insert(RATE_LIMIT, left);
        }
        headers.insert(RATE_LIMIT_POLICY, self.limit.policy.clone());
    }
}

// === impl Buckets ===

impl Buckets {
    pub(crate) fn new() -> Self {
        Self { shards: Default::default(), hash: RandomState::new(), began: monotonic() }
    }

    fn now(&self) -> u64 {
        u64::try_from(monotonic().duration_since(self.began).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes one. Says how many are left, and how long until the bucket is full again; or how long until the next one.
    fn take(&self, client: impl Hash, rate: Rate, now: u64) -> Result<(u64, u64), u64> {
        let key = self.hash.hash_one(client);
        let interval = rate.interval();
        let depth = interval.saturating_mul(u64::from(rate.burst));
        let mut shard = self.shards[key as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has no bucket has a full one.
        let full_at = shard.full_at.get(&key).map_or(now, |full_at| (*full_at).max(now));
        let next = full_at.saturating_add(interval);
        let missing = next - now;
        if missing > depth {
            return Err(missing - depth);
        }
        shard.put(key, next, now);
        Ok(((depth - missing) / interval, missing))
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().full_at.len()).sum()
    }
}

impl Shard {
    fn put(&mut self, key: u64, full_at: u64, now: u64) {
        if self.full_at.len() >= KEPT && !self.full_at.contains_key(&key) {
            self.make_room(now);
        }
        self.full_at.insert(key, full_at);
    }

    /// A full bucket is as good as none. Without any somebody gets a full one too soon: better than to refuse whoever is
    /// new, which is what somebody with so many addresses would want.
    fn make_room(&mut self, now: u64) {
        if now.saturating_sub(self.swept) >= SWEEP || self.swept == 0 {
            self.swept = now.max(1);
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        if self.full_at.len() >= KEPT
            && let Some(somebody) = self.full_at.keys().next().copied()
        {
            self.full_at.remove(&somebody);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (buckets, rate) = (Buckets::new(), "2/s burst 3".parse().unwrap());
        let take = |now| buckets.take("a", rate, now);
        assert_eq!(take(0), Ok((2, SECOND / 2)));
        assert_eq!(take(0), Ok((1, SECOND)));
        assert_eq!(take(0), Ok((0, SECOND * 3 / 2)));
        assert_eq!(take(0), Err(SECOND / 2), "the next one comes in half a second");
        assert_eq!(take(SECOND / 4), Err(SECOND / 4), "and refusals cost nothing");
        assert_eq!(take(SECOND / 2), Ok((0, SECOND * 3 / 2)));
        assert_eq!(take(SECOND * 60), Ok((2, SECOND / 2)), "it never gets fuller than full");
        assert_eq!(buckets.take("b", rate, 0), Ok((2, SECOND / 2)), "somebody else has another one");
    }

    #[test]
    fn memory_is_bounded_and_what_is_full_goes_first() {
        let (buckets, rate) = (Buckets::new(), Rate { requests: 1, per: Duration::from_secs(60), burst: 2 });
        let most = SHARDS * KEPT;
        for client in 0..most * 3 {
            // Two of three are full again by the time there is no room.
            buckets.take(client, rate, client as u64 * 2_000_000).unwrap();
        }
        assert!(buckets.len() <= most, "{}", buckets.len());
        let (now, used) = (most as u64 * 6_000_000, ());
        buckets.take(("used", used), rate, now).unwrap();
        assert!(buckets.take(("used", used), rate, now).is_ok());
        assert!(buckets.take(("used", used), rate, now).is_err());
        for client in 0..most {
            buckets.take(("crowd", client), rate, now + 1).unwrap();
        }
        assert!(buckets.len() <= most, "{}", buckets.len());
    }
}
