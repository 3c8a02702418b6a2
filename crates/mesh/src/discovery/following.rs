//! The instances of one service as far as they are known: the last good list, whatever the registry does.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partie_runtime::{Backoff, Ids};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{Instance, Registry};

/// How long to wait before a lost registry is asked again.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Follows the instances of one service until it is dropped.
///
/// The list is empty only until the first instance was ever seen. A registry that is down changes nothing, and one that
/// says that there are none is not believed over the last list: it may have lost its memory, and an instance that is
/// really gone refuses connections by itself.
pub struct Following {
    instances: watch::Receiver<Arc<[Instance]>>,
    task: AbortHandle,
}

/// Where an engine tells what it sees.
#[derive(Debug)]
pub struct Seen {
    service: Arc<str>,
    instances: watch::Sender<Arc<[Instance]>>,
    /// Whether it has told a whole list before: an empty one is news the first time.
    told: AtomicBool,
}

// === impl Following ===

impl Following {
    /// Follows that service from now on. Call it inside a tokio runtime.
    pub fn begin(registry: Arc<dyn Registry>, service: &str, ids: Ids) -> Self {
        let service: Arc<str> = service.into();
        let (sender, instances) = watch::channel(Arc::from([]));
        let seen = Seen { service: Arc::clone(&service), instances: sender, told: AtomicBool::new(false) };
        let task = tokio::spawn(async move {
            let mut failures = 0;
            loop {
                let mut news = seen.instances.subscribe();
                let lost = registry.follow(&service, &seen).await;
                let learned = news.has_changed().unwrap_or_default();
                news.mark_unchanged();
                failures = if learned { 1 } else { failures + 1 };
                tracing::warn!(%service, reason = %lost, "the last list of instances stays");
                tokio::time::sleep(AGAIN.after(failures, &ids)).await;
            }
        });
        Self { instances, task: task.abort_handle() }
    }

    /// The list as it is known now, ordered by id.
    pub fn instances(&self) -> Arc<[Instance]> {
        Arc::clone(&self.instances.borrow())
    }

    /// The list, to be waited for.
    pub fn watch(&self) -> watch::Receiver<Arc<[Instance]>> {
        self.instances.clone()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Following").field(&self.instances.borrow()).finish()
    }
}

// === impl Seen ===

impl Seen {
    /// Instances a registry knows of that does not know of all again: nobody is missed yet.
    pub fn at_least(&self, mut instances: Vec<Instance>) {
        let known = Arc::clone(&self.instances.borrow());
        let back: HashSet<Arc<str>> = instances.iter().map(|instance| Arc::clone(&instance.id)).collect();
        instances.extend(known.iter().filter(|old| !back.contains(&old.id)).cloned());
        if !instances.is_empty() {
            self.list(instances);
        }
    }

    /// The registry's whole list of healthy instances, in any order.
    pub fn list(&self, mut instances: Vec<Instance>) {
        let first = !self.told.swap(true, Ordering::Relaxed);
        instances.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        instances.dedup_by(|a, b| a.id == b.id);
        self.instances.send_if_modified(|known| {
            if instances.is_empty() && !known.is_empty() {
                tracing::warn!(service = %self.service, last = known.len(), "no instance is announced; the last list stays");
                return false;
            }
            let changed = **known != *instances;
            if changed {
                tracing::debug!(service = %self.service, instances = instances.len(), "the list of instances changed");
                *known = instances.into();
            }
            changed || first
        });
    }
}
