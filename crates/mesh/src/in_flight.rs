//! One request that is being worked on, and that may step aside while it waits for news.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use partie_contract::{Presence, Request};
use partie_runtime::{Activity, Busy};

/// A request that counts as work going on until the last clone of its `Arc` is dropped.
///
/// It travels in the extensions of the request as an `Arc<InFlight>`, so that the pipeline at the end of the road can
/// hand it to the call as its [`Presence`]: the listener that holds it steps aside together with the long poll. Parked
/// any number of times it counts as parked once.
pub struct InFlight {
    busy: Busy,
    parked: AtomicUsize,
}

// === impl InFlight ===

impl InFlight {
    /// The one the request carries; if it has none, it gets one.
    pub fn of(request: &mut Request, activity: &Activity) -> Arc<Self> {
        let extensions = request.extensions_mut();
        Arc::clone(extensions.get_or_insert_with(|| Self::begin(activity)))
    }

    /// A request begins.
    pub fn begin(activity: &Activity) -> Arc<Self> {
        Arc::new(Self { busy: activity.begin(), parked: AtomicUsize::new(0) })
    }
}

impl Presence for InFlight {
    fn park(&self) {
        if self.parked.fetch_add(1, Ordering::AcqRel) == 0 {
            self.busy.park();
        }
    }

    fn resume(&self) {
        if self.parked.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.busy.resume();
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if *self.parked.get_mut() > 0 {
            // The count is about to go down once more.
            self.busy.resume();
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InFlight(parked: {})", self.parked.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parking_nests_and_the_count_comes_out_even() {
        let activity = Activity::default();
        let request = InFlight::begin(&activity);
        request.park();
        request.park();
        assert!(activity.is_quiet());
        request.resume();
        assert!(activity.is_quiet());
        request.resume();
        assert!(!activity.is_quiet());
        request.park();
        drop(request);
        assert!(activity.is_quiet());
        let other = activity.begin();
        assert!(!activity.is_quiet(), "a request dropped while parked leaves no debt");
        drop(other);
    }
}
