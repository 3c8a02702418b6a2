//! Ids and trace ids, from entropy or from a seed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use partie_contract::{Id, Timestamp, Trace};
use uuid::Uuid;

/// Makes ids that follow business time: UUIDv7, increasing within a process even inside one millisecond.
#[derive(Clone)]
pub struct Ids(Arc<Mutex<State>>);

struct State {
    random: fastrand::Rng,
    millis: i64,
    /// The 12 bits after the timestamp count within a millisecond (RFC 9562 section 6.2, method 1).
    count: u16,
}

// === impl Ids ===

impl Ids {
    /// Ids nobody can foresee across processes.
    pub fn from_entropy() -> Self {
        Self::with(fastrand::Rng::new())
    }

    /// The same ids every time.
    pub fn seeded(seed: u64) -> Self {
        Self::with(fastrand::Rng::with_seed(seed))
    }

    fn with(random: fastrand::Rng) -> Self {
        Self(Arc::new(Mutex::new(State { random, millis: i64::MIN, count: 0 })))
    }

    /// A fresh id at that business time.
    pub fn fresh<T: Id>(&self, now: Timestamp) -> T {
        T::from_uuid(self.uuid(now))
    }

    /// A fresh UUIDv7 at that business time.
    pub fn uuid(&self, now: Timestamp) -> Uuid {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.as_millis().max(0);
        if now > state.millis {
            state.millis = now;
            state.count = state.random.u16(..0x400);
        } else {
            state.count += 1;
            if state.count > 0xFFF {
                // 4,096 ids in one millisecond: borrow from the next, as the RFC allows.
                state.millis += 1;
                state.count = 0;
            }
        }
        let millis = u128::from(state.millis.unsigned_abs() & 0xFFFF_FFFF_FFFF);
        let random = u128::from(state.random.u64(..) >> 2);
        Uuid::from_u128(millis << 80 | 7 << 76 | u128::from(state.count) << 64 | 2 << 62 | random)
    }

    /// A new trace.
    pub fn trace(&self) -> Trace {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Trace::new(state.random.u128(..), state.random.u64(..))
    }

    /// A random number below `limit`, for jitter.
    pub fn below(&self, limit: u64) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random.u64(..limit.max(1))
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_increase_and_are_version_7() {
        let ids = Ids::seeded(1);
        let now = Timestamp::from_millis(1_732_159_534_007);
        let made: Vec<Uuid> = (0..10_000).map(|_| ids.uuid(now)).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        assert!(
            made.iter().all(|id| id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122)
        );
        assert!(
            ids.uuid(Timestamp::EPOCH) > made[9_999],
            "a clock that went back does not disturb the order"
        );
    }

    #[test]
    fn a_seed_repeats_itself() {
        let (a, b) = (Ids::seeded(7), Ids::seeded(7));
        assert_eq!(a.uuid(Timestamp::EPOCH), b.uuid(Timestamp::EPOCH));
        assert_ne!(Ids::seeded(8).uuid(Timestamp::EPOCH), Ids::seeded(9).uuid(Timestamp::EPOCH));
    }
}
