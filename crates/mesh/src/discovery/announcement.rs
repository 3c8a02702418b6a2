//! An announcement that comes again after every loss, until it is withdrawn.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use partie_runtime::{Backoff, Ids};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{Instance, Registry, RegistryError};

/// How long to wait between attempts to announce.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Keeps one instance announced. Dropped it stops to; the registry forgets the instance when its lease is over.
pub struct Announcement {
    registry: Arc<dyn Registry>,
    service: Arc<str>,
    id: Arc<str>,
    stands: watch::Receiver<bool>,
    task: AbortHandle,
}

/// Where an engine says that an announcement stands.
#[derive(Debug)]
pub struct Standing(watch::Sender<bool>);

// === impl Announcement ===

impl Announcement {
    /// Announces an instance from now on. Call it inside a tokio runtime. A registry that is down is tried again, so
    /// services and registry may start in any order.
    pub fn make(registry: Arc<dyn Registry>, service: &str, instance: Instance, ids: Ids) -> Self {
        let (service, id): (Arc<str>, _) = (service.into(), Arc::clone(&instance.id));
        let (sender, stands) = watch::channel(false);
        let standing = Standing(sender);
        let task = tokio::spawn({
            let (registry, service) = (Arc::clone(&registry), Arc::clone(&service));
            async move {
                let mut failures = 0;
                loop {
                    let lost = registry.hold(&service, &instance, &standing).await;
                    // One that stood is lost for the first time, however often it was before.
                    failures = if standing.0.send_replace(false) { 1 } else { failures + 1 };
                    tracing::warn!(%service, id = %instance.id, reason = %lost, "an instance is not announced");
                    tokio::time::sleep(AGAIN.after(failures, &ids)).await;
                }
            }
        });
        Self { registry, service, id, stands, task: task.abort_handle() }
    }

    /// Ends as soon as the announcement stands.
    pub async fn stands(&self) {
        let mut stands = self.stands.clone();
        if stands.wait_for(|stands| *stands).await.is_err() {
            // The task that would announce it is gone, with its runtime.
            std::future::pending().await
        }
    }

    /// Takes it back: callers learn that the instance is about to go.
    ///
    /// # Errors
    /// [`RegistryError`] when the registry cannot be told; it forgets the instance when its lease is over.
    pub async fn withdraw(self) -> Result<(), RegistryError> {
        self.task.abort();
        self.registry.withdraw(&self.service, &self.id).await
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Announcement({}/{} in {:?})", self.service, self.id, self.registry)
    }
}

// === impl Standing ===

impl Standing {
    /// The announcement stands, until the future that made it ends.
    pub fn stands(&self) {
        self.0.send_replace(true);
    }
}
