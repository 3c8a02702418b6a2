//! Sugar for calls in tests.

use std::sync::atomic::{AtomicU64, Ordering};

use partie_contract::Call;

/// What tests add to calls.
pub trait CallExt {
    /// The same call under a key nobody used before.
    #[must_use]
    fn keyed(self) -> Call;
}

impl CallExt for Call {
    fn keyed(self) -> Call {
        self.with_key(fresh_key())
    }
}

impl CallExt for &Call {
    fn keyed(self) -> Call {
        self.clone().keyed()
    }
}

/// An idempotency key nobody used before in this process.
pub fn fresh_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
