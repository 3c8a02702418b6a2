//! The embedded registry: instances in memory, each with a lease that has to be renewed.

mod state;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use partie_contract::BoxFuture;
use partie_runtime::{duration, monotonic};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use self::state::{Entry, Lease, State};
use super::{Instance, Registry, RegistryError, Seen, Standing};

/// How far apart two lists are told. Thousands of instances that come in a crowd are told of in a few lists.
const PACE: Duration = Duration::from_millis(5);

/// The settings of the embedded registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct EmbeddedRegistryConfig {
    /// How many services it takes.
    pub services: usize,
    /// How many instances of all services it takes.
    pub instances: usize,
    /// How long after its start a list may still be incomplete: those who were announced before it started are given
    /// this time to announce themselves again.
    #[serde(with = "duration")]
    pub settling: Duration,
}

/// A registry in this process, for this process and whoever reaches it over a wire. Cheap to clone.
#[derive(Clone)]
pub struct EmbeddedRegistry(Arc<Shared>);

/// What a registry knows of one service at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Grows with every change of the list. To be handed back to [`EmbeddedRegistry::changed`].
    pub index: u64,
    /// Whether instances that are not in the list may only not have come back yet.
    pub settling: bool,
    /// All instances whose lease is good, by id.
    pub instances: Vec<Instance>,
}

/// The registry takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the registry is full: it takes {services} services and {instances} instances")]
pub struct Full {
    /// How many services it takes.
    pub services: usize,
    /// How many instances it takes.
    pub instances: usize,
}

struct Shared {
    config: EmbeddedRegistryConfig,
    settled: Instant,
    state: Mutex<State>,
    /// A lease may end earlier than the sweeper thinks; or the registry is gone.
    earlier: Arc<Notify>,
}

// === impl EmbeddedRegistryConfig ===

impl Default for EmbeddedRegistryConfig {
    fn default() -> Self {
        Self { services: 1_000, instances: 20_000, settling: Duration::from_secs(10) }
    }
}

// === impl EmbeddedRegistry ===

impl EmbeddedRegistry {
    /// A registry that knows nothing yet. Call it inside a tokio runtime, which ends leases.
    pub fn start(config: EmbeddedRegistryConfig) -> Self {
        let settled = monotonic() + config.settling;
        let shared = Shared { config, settled, state: Mutex::default(), earlier: Arc::default() };
        let registry = Self(Arc::new(shared));
        tokio::spawn(sweep(Arc::downgrade(&registry.0)));
        registry
    }

    /// Announces an instance, or replaces what was announced under its id. With a lease it has to be
    /// [renewed](Self::renew) within that time.
    ///
    /// # Errors
    /// [`Full`]: nothing was announced.
    pub fn put(&self, service: &str, instance: &Instance, lease: Option<Duration>) -> Result<(), Full> {
        self.announce(service, instance, lease).map(drop)
    }

    /// Gives the serial of the announcement.
    fn announce(&self, service: &str, instance: &Instance, lease: Option<Duration>) -> Result<u64, Full> {
        let lease = lease.map(|time| Lease { time, until: monotonic() + time });
        let mut state = self.state();
        let EmbeddedRegistryConfig { services, instances, .. } = self.0.config;
        let known = state.services.get(service).filter(|known| !known.instances.is_empty());
        let is_new = !known.is_some_and(|known| known.instances.contains_key(&instance.id));
        // Services that are only followed take nobody's place.
        let named = || state.services.values().filter(|known| !known.instances.is_empty()).count();
        if (known.is_none() && named() >= services) || (is_new && state.instances >= instances) {
            return Err(Full { services, instances });
        }
        if let Some(Lease { until, .. }) = lease
            && state.sweep.is_none_or(|sweep| until < sweep)
        {
            self.0.earlier.notify_one();
        }
        state.instances += usize::from(is_new);
        state.serials += 1;
        let serial = state.serials;
        let known = state.known(service);
        let entry = Entry { instance: instance.clone(), lease, serial };
        let before = known.instances.insert(Arc::clone(&instance.id), entry);
        if before.is_none_or(|before| before.instance != *instance) {
            state.change(service);
        }
        Ok(serial)
    }

    /// Renews the lease of an instance, from now. Says whether there is such an instance: else it has to be announced
    /// again.
    pub fn renew(&self, service: &str, id: &str) -> bool {
        let mut state = self.state();
        let entry = state.services.get_mut(service).and_then(|known| known.instances.get_mut(id));
        let Some(entry) = entry else { return false };
        if let Some(lease) = &mut entry.lease {
            lease.until = monotonic() + lease.time;
        }
        true
    }

    /// Forgets an instance. Says whether there was one.
    pub fn remove(&self, service: &str, id: &str) -> bool {
        self.state().remove(service, id, None)
    }

    /// The instances of a service.
    pub fn list(&self, service: &str) -> Listing {
        let settling = self.is_settling();
        let state = self.state();
        let Some(known) = state.services.get(service) else {
            return Listing { index: *state.index.borrow(), settling, instances: Vec::new() };
        };
        let instances = known.instances.values().map(|entry| entry.instance.clone()).collect();
        Listing { index: *known.index.borrow(), settling, instances }
    }

    /// Ends once the list of a service is another than the one with that index.
    pub async fn changed(&self, service: &str, index: u64) {
        let mut watched = Watched { registry: self, service, changes: None };
        let changes = watched.changes.insert(self.state().known(service).index.subscribe());
        if changes.wait_for(|now| *now != index).await.is_err() {
            std::future::pending().await
        }
    }

    /// Grows with every change of any list.
    pub(super) fn index(&self) -> u64 {
        *self.state().index.borrow()
    }

    /// Ends once any list has changed since that index.
    pub(super) async fn any_changed(&self, index: u64) {
        let mut changes = self.state().index.subscribe();
        if changes.wait_for(|now| *now != index).await.is_err() {
            std::future::pending().await
        }
    }

    /// Wakes those who follow a service: something is new that is not in its list.
    pub(super) fn touch(&self, service: &str) {
        self.state().change(service);
    }

    /// Whether lists may still be incomplete.
    pub(super) fn is_settling(&self) -> bool {
        monotonic() < self.0.settled
    }

    /// How many instances of all services it has.
    pub(super) fn instances(&self) -> usize {
        self.state().instances
    }

    /// The index of a service's [`Listing`].
    pub(super) fn index_of(&self, service: &str) -> u64 {
        let state = self.state();
        let index = state.services.get(service).map_or(&state.index, |known| &known.index);
        *index.borrow()
    }

    /// The bounds it was given.
    pub(super) fn config(&self) -> &EmbeddedRegistryConfig {
        &self.0.config
    }

    /// Ends once no list can be incomplete any more because the registry has just started.
    pub async fn settled(&self) {
        tokio::time::sleep_until(self.0.settled.into()).await;
    }

    /// All services that have instances, by name.
    pub fn services(&self) -> Vec<Arc<str>> {
        let state = self.state();
        let known = state.services.iter().filter(|(_, known)| !known.instances.is_empty());
        let mut names: Vec<_> = known.map(|(name, _)| Arc::clone(name)).collect();
        names.sort_unstable();
        names
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry for EmbeddedRegistry {
    fn hold<'a>(
        &'a self,
        service: &'a str,
        instance: &'a Instance,
        standing: &'a Standing,
    ) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move {
            let serial = match self.announce(service, instance, None) {
                Ok(serial) => serial,
                Err(full) => return RegistryError::new("embedded", full),
            };
            // In one process there is no lease: the announcement lasts as long as whoever holds it.
            let _gone = Gone { registry: self, service, id: &instance.id, serial };
            standing.stands();
            std::future::pending().await
        })
    }

    fn withdraw<'a>(&'a self, service: &'a str, id: &'a str) -> BoxFuture<'a, Result<(), RegistryError>> {
        self.remove(service, id);
        Box::pin(std::future::ready(Ok(())))
    }

    fn follow<'a>(&'a self, service: &'a str, seen: &'a Seen) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move {
            loop {
                let Listing { index, settling, instances } = self.list(service);
                if settling {
                    seen.at_least(instances)
                } else {
                    seen.list(instances)
                }
                tokio::time::sleep(PACE).await;
                tokio::select! {
                    () = self.changed(service, index) => {}
                    () = self.settled(), if settling => {}
                }
            }
        })
    }
}

impl fmt::Debug for EmbeddedRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmbeddedRegistry")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.earlier.notify_one();
    }
}

/// Forgets an instance when dropped.
struct Gone<'a> {
    registry: &'a EmbeddedRegistry,
    service: &'a str,
    id: &'a str,
    serial: u64,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.registry.state().remove(self.service, self.id, Some(self.serial));
    }
}

/// Somebody waits for a service, which may have no other reason to be known.
struct Watched<'a> {
    registry: &'a EmbeddedRegistry,
    service: &'a str,
    changes: Option<watch::Receiver<u64>>,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.changes = None;
        self.registry.state().forget_unless_needed(self.service);
    }
}

/// Ends leases, until the registry is gone.
async fn sweep(registry: Weak<Shared>) {
    loop {
        let (next, earlier) = {
            let Some(shared) = registry.upgrade() else { return };
            let next = shared.state.lock().unwrap_or_else(PoisonError::into_inner).expire(monotonic());
            (next, Arc::clone(&shared.earlier))
        };
        let over = async {
            match next {
                Some(next) => tokio::time::sleep_until(next.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => {}
            () = earlier.notified() => {}
        }
    }
}
