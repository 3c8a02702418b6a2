//! etcd v3 as the registry, by its JSON gateway: a key with a lease for each instance, and a watch on those of a service.
//!
//! `PREFIX/SERVICE/ID` holds `{"id": ID, "address": "IP:PORT", "weight": 100}`. What else is found there is passed over
//! with a warning.

mod config;
mod gateway;
mod list;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use partie_contract::{BoxError, BoxFuture};
use partie_runtime::monotonic;
use tokio::time::timeout_at;

use self::gateway::{Gateway, Lease, Watched};
use self::list::List;
use super::{Instance, Misconfigured, Registry, RegistryError, Seen, Standing};

pub use self::config::EtcdConfig;

/// A watch says nothing when nothing happens, and neither does one that was cut off. So the whole list is read again
/// after this time, by an answer that needs a majority of the members.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How long changes are gathered before they are told: instances that come in crowds are told of together.
const GATHER: Duration = Duration::from_millis(10);

/// How long instances may take to notice that a cluster has lost their leases, beyond the time of a lease.
const BACK: Duration = Duration::from_secs(5);

/// An etcd cluster.
pub struct EtcdRegistry {
    gateway: Gateway,
    config: EtcdConfig,
    memory: Mutex<Memory>,
}

/// What shows whether a cluster still is the one it was. Its revision only ever grows.
#[derive(Default)]
struct Memory {
    revision: u64,
    /// Until then instances that are missing may only not have come back yet.
    settled: Option<Instant>,
}

// === impl EtcdRegistry ===

impl EtcdRegistry {
    /// The cluster at [`EtcdConfig::endpoints`]. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Misconfigured`] when one of them is no address, or another setting makes no sense.
    pub fn new(config: EtcdConfig) -> Result<Self, Misconfigured> {
        config.check()?;
        Ok(Self { gateway: Gateway::new(&config.endpoints)?, config, memory: Mutex::default() })
    }

    /// Announces the instance and ends when its lease or its key is gone.
    async fn keep(
        &self,
        service: &str,
        instance: &Instance,
        standing: &Standing,
    ) -> Result<RegistryError, BoxError> {
        let key = self.prefix(service) + &instance.id;
        let ttl = self.config.ttl;
        let lease = self.gateway.grant(ttl).await?;
        self.gateway.put(&key, &list::written(instance), lease).await?;
        standing.stands();
        let mut good = monotonic();
        loop {
            tokio::time::sleep(ttl / 3).await;
            match self.is_kept(&key, lease).await {
                Ok(true) => good = monotonic(),
                Ok(false) => return Ok(self.error("the lease of the instance is over, or its key is gone")),
                // As long as the lease may still be good, a cluster that is busy electing is waited for.
                Err(failure) if monotonic().duration_since(good) >= ttl => return Err(failure),
                Err(failure) => tracing::debug!(%service, %failure, "a lease in etcd is not renewed"),
            }
        }
    }

    async fn is_kept(&self, key: &str, lease: Lease) -> Result<bool, BoxError> {
        Ok(self.gateway.renew(lease).await? && self.gateway.exists(key).await?)
    }

    async fn watch(&self, service: &str, seen: &Seen) -> Result<RegistryError, BoxError> {
        let prefix = self.prefix(service);
        loop {
            let mut again = monotonic() + LOOK_AGAIN;
            let mut list = List::new(service, &prefix);
            let (keys, revision) = self.gateway.range(&prefix).await?;
            keys.into_iter().for_each(|key| list.put(key));
            if let Some(settled) = self.settled(revision) {
                (list.settling, again) = (true, again.min(settled));
            }
            list.tell(seen);
            self.watch_from(&prefix, revision + 1, &mut list, again, seen).await?;
        }
    }

    /// Tells what changes, until it is time to read the whole list again.
    async fn watch_from(
        &self,
        prefix: &str,
        revision: u64,
        list: &mut List<'_>,
        again: Instant,
        seen: &Seen,
    ) -> Result<(), BoxError> {
        let mut watch = self.gateway.watch(prefix, revision).await?;
        let mut untold: Option<Instant> = None;
        loop {
            let until = untold.map_or(again, |untold| untold.min(again));
            match timeout_at(until.into(), watch.next()).await {
                Ok(watched) => match watched? {
                    Watched::Events(events) if events.is_empty() => {}
                    Watched::Events(events) => {
                        events.into_iter().for_each(|event| list.apply(event));
                        untold.get_or_insert_with(|| monotonic() + GATHER);
                    }
                    Watched::Compacted => return Ok(()),
                },
                Err(_) => {
                    if untold.take().is_some() {
                        list.tell(seen);
                    }
                    if monotonic() >= again {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Until when lists may be incomplete because the cluster has lost its memory, if it has.
    fn settled(&self, revision: u64) -> Option<Instant> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let now = monotonic();
        if revision < memory.revision {
            tracing::warn!(registry = %self.gateway, revision, before = memory.revision, "the registry has lost its memory");
            memory.settled = Some(now + self.config.ttl + BACK);
        }
        memory.revision = revision;
        memory.settled.filter(|settled| *settled > now)
    }

    fn prefix(&self, service: &str) -> String {
        format!("{}/{service}/", self.config.prefix)
    }

    fn error(&self, reason: impl Into<BoxError>) -> RegistryError {
        RegistryError::new(&self.gateway, reason)
    }
}

impl Registry for EtcdRegistry {
    fn hold<'a>(
        &'a self,
        service: &'a str,
        instance: &'a Instance,
        standing: &'a Standing,
    ) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move {
            self.keep(service, instance, standing).await.unwrap_or_else(|reason| self.error(reason))
        })
    }

    fn withdraw<'a>(&'a self, service: &'a str, id: &'a str) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(async move {
            let key = self.prefix(service) + id;
            self.gateway.delete(&key).await.map_err(|reason| self.error(reason))
        })
    }

    fn follow<'a>(&'a self, service: &'a str, seen: &'a Seen) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move { self.watch(service, seen).await.unwrap_or_else(|reason| self.error(reason)) })
    }
}

impl fmt::Debug for EtcdRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EtcdRegistry({}, {})", self.gateway, self.config.prefix)
    }
}
