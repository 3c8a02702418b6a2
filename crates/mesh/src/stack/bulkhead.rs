//! A static bound on what may be under way to one service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use partie_contract::{FaultKind, Platform};

/// So many calls, no more, and no queue.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    service: Arc<str>,
    limit: usize,
    under_way: AtomicUsize,
}

/// One call that is under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Bulkhead>);

// === impl Bulkhead ===

impl Bulkhead {
    pub(crate) fn new(service: Arc<str>, limit: usize) -> Arc<Self> {
        Arc::new(Self { service, limit, under_way: AtomicUsize::new(0) })
    }

    /// How many calls there are.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Takes a place, or says at once that there is none.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Permit, Platform> {
        let before = self.under_way.fetch_add(1, Ordering::AcqRel);
        let permit = Permit(Arc::clone(self));
        if before >= self.limit {
            return Err(Platform::new(FaultKind::Overloaded)
                .with_detail(format!("{} calls to {} are under way", self.limit, self.service)));
        }
        Ok(permit)
    }
}

// === impl Permit ===

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}
