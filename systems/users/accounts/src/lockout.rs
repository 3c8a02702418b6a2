//! Wrong passwords: counted for an account and where they come from, so that nobody locks somebody else out.

use std::time::Duration;

use partie::contract::Timestamp;
use ring::digest;

/// Where a call came from that came over no network.
const NOWHERE: &str = "local";

/// An account and somebody who tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    /// A digest of the account's address, whether or not anybody has it.
    pub(crate) account: Vec<u8>,
    pub(crate) address: String,
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempts {
    pub(crate) failures: u32,
    /// When the first of them was.
    pub(crate) since: Timestamp,
    pub(crate) locked_until: Option<Timestamp>,
}

// === impl Pair ===

impl Pair {
    pub(crate) fn new(email_key: &str, address: Option<&str>) -> Self {
        Self { account: account(email_key), address: address.unwrap_or(NOWHERE).to_owned() }
    }
}

/// What an account is counted under.
pub(crate) fn account(email_key: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, email_key.as_bytes()).as_ref().to_vec()
}

// === impl Attempts ===

impl Attempts {
    /// How long nobody may try, if nobody may.
    pub(crate) fn locked_for(&self, now: Timestamp) -> Option<Duration> {
        let left = self.locked_until?.since(now);
        (!left.is_zero()).then_some(left)
    }

    /// One more wrong password. Says until when nobody may try if that was one too many.
    pub(crate) fn after_another(before: Option<Self>, now: Timestamp, most: u32, lock: Duration) -> Self {
        let counts = |one: &Self| one.locked_until.is_none() && now.since(one.since) < lock;
        let Self { failures, since, .. } =
            before.filter(counts).unwrap_or(Self { failures: 0, since: now, locked_until: None });
        let failures = failures.saturating_add(1);
        Self { failures, since, locked_until: (failures >= most).then(|| now + lock) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: Duration = Duration::from_secs(300);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn too_many_in_a_while_lock_for_a_while() {
        let mut now = None;
        for second in 0..4 {
            let next = Attempts::after_another(now, at(second), 5, LOCK);
            assert_eq!(next.locked_for(at(second)), None);
            now = Some(next);
        }
        let locked = Attempts::after_another(now, at(4), 5, LOCK);
        assert_eq!(locked.locked_for(at(4)), Some(LOCK));
        assert_eq!(locked.locked_for(at(304)), None);
        // And then one begins again.
        let again = Attempts::after_another(Some(locked), at(305), 5, LOCK);
        assert_eq!((again.failures, again.locked_until), (1, None));
        let slow = Attempts::after_another(now, at(300), 5, LOCK);
        assert_eq!(slow.failures, 1, "what is long past does not count");
    }

    #[test]
    fn a_pair_is_of_one_account_and_one_address() {
        assert_eq!(Pair::new("a@b.c", Some("127.0.0.1")), Pair::new("a@b.c", Some("127.0.0.1")));
        assert_ne!(Pair::new("a@b.c", Some("127.0.0.1")), Pair::new("a@b.c", Some("127.0.0.2")));
        assert_ne!(Pair::new("a@b.c", None), Pair::new("a@b.d", None));
    }
}
