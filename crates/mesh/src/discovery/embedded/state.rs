//! What the embedded registry knows: instances by service, their leases, and when which list changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::discovery::Instance;

#[derive(Default)]
pub(super) struct State {
    pub(super) services: HashMap<Arc<str>, Known>,
    pub(super) instances: usize,
    /// The latest change of any list.
    pub(super) index: watch::Sender<u64>,
    /// Counts announcements.
    pub(super) serials: u64,
    /// When the sweeper looks next.
    pub(super) sweep: Option<Instant>,
}

/// One service. It stays known when its last instance is gone, as long as somebody follows it.
pub(super) struct Known {
    pub(super) instances: BTreeMap<Arc<str>, Entry>,
    pub(super) index: watch::Sender<u64>,
}

pub(super) struct Entry {
    pub(super) instance: Instance,
    pub(super) lease: Option<Lease>,
    /// Which announcement this is: the end of an earlier one under the same id must not take it away.
    pub(super) serial: u64,
}

#[derive(Clone, Copy)]
pub(super) struct Lease {
    pub(super) time: Duration,
    pub(super) until: Instant,
}

// === impl State ===

impl State {
    pub(super) fn known(&mut self, service: &str) -> &mut Known {
        // Not from 0: whoever saw the service before it was forgotten saw an older index.
        let nobody = || Known { instances: BTreeMap::new(), index: watch::channel(*self.index.borrow()).0 };
        self.services.entry(service.into()).or_insert_with(nobody)
    }

    /// Forgets an instance, if it is of that announcement or no matter which.
    pub(super) fn remove(&mut self, service: &str, id: &str, serial: Option<u64>) -> bool {
        let Some(known) = self.services.get_mut(service) else { return false };
        let is_it = |entry: &Entry| serial.is_none_or(|serial| entry.serial == serial);
        if !known.instances.get(id).is_some_and(is_it) {
            return false;
        }
        known.instances.remove(id);
        self.instances -= 1;
        self.change(service);
        true
    }

    pub(super) fn change(&mut self, service: &str) {
        self.index.send_modify(|index| *index += 1);
        if let Some(known) = self.services.get(service) {
            known.index.send_replace(*self.index.borrow());
            self.forget_unless_needed(service);
        }
    }

    pub(super) fn forget_unless_needed(&mut self, service: &str) {
        let unneeded = |known: &Known| known.instances.is_empty() && known.index.receiver_count() == 0;
        if self.services.get(service).is_some_and(unneeded) {
            self.services.remove(service);
        }
    }

    /// Forgets instances whose lease is over, and says when the next one may be.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut changed = Vec::new();
        for (service, known) in &mut self.services {
            let before = known.instances.len();
            known.instances.retain(|id, entry| match entry.lease {
                Some(Lease { until, .. }) if until <= now => {
                    tracing::info!(%service, %id, "an instance has not renewed its lease");
                    false
                }
                Some(Lease { until, .. }) => {
                    next = Some(next.map_or(until, |next| next.min(until)));
                    true
                }
                None => true,
            });
            if known.instances.len() < before {
                self.instances -= before - known.instances.len();
                changed.push(Arc::clone(service));
            }
        }
        changed.iter().for_each(|service| self.change(service));
        self.sweep = next;
        next
    }
}
