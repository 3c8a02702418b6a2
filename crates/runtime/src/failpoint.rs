//! Failpoints: named places where a test may let the process die.

use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// `name`, or `name@n` for its n-th passing.
const VARIABLE: &str = "PARTIE_FAILPOINT";

struct Armed {
    name: String,
    /// How often the place is still passed before the process dies there.
    left: AtomicU64,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Dies here, as if killed, if the environment's `PARTIE_FAILPOINT` is this name, or `name@n` and this is the n-th time.
///
/// Nothing is flushed and no destructor runs, so that a test can see what a crash at exactly this place leaves behind.
/// The variable is read once; a place that is not armed costs two loads.
#[inline]
pub fn failpoint(name: &str) {
    if let Some(armed) = ARMED.get_or_init(|| Armed::parse(&std::env::var(VARIABLE).ok()?))
        && armed.strikes(name)
    {
        process::abort();
    }
}

// === impl Armed ===

impl Armed {
    fn parse(text: &str) -> Option<Self> {
        let (name, nth) = match text.rsplit_once('@') {
            Some((name, nth)) => (name, nth.parse().ok().filter(|nth| *nth > 0)?),
            None => (text, 1),
        };
        (!name.is_empty()).then(|| Self { name: name.to_owned(), left: AtomicU64::new(nth) })
    }

    fn strikes(&self, name: &str) -> bool {
        self.name == name && self.left.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failpoint_strikes_at_its_nth_passing() {
        let armed = Armed::parse("store.orders.before_commit@3").unwrap();
        let passings = ["store.orders.before_commit", "other", "store.orders.before_commit"];
        assert!(!passings.iter().any(|name| armed.strikes(name)));
        assert!(armed.strikes("store.orders.before_commit"));
        assert!(!armed.strikes("store.orders.before_commit"));
        assert!(Armed::parse("name").unwrap().strikes("name"));
        for bad in ["", "@1", "name@0", "name@x"] {
            assert!(Armed::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_armed_does_nothing() {
        failpoint("nothing");
    }
}
