//! A list that somebody wrote down: no registry at all, and for many systems all they need.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use partie_contract::BoxFuture;

use super::{Instance, Registry, RegistryError, Seen, Standing};

/// Instances that are known beforehand. Nobody announces anything to it, and its lists never change.
#[derive(Debug, Clone, Default)]
pub struct FixedRegistry(BTreeMap<Arc<str>, Vec<Instance>>);

// === impl FixedRegistry ===

impl FixedRegistry {
    /// Adds instances of a service at those addresses. Their addresses are their ids.
    #[must_use]
    pub fn with(mut self, service: &str, addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let instances = addresses.into_iter().map(|address| Instance::new(address.to_string(), address));
        self.0.entry(service.into()).or_default().extend(instances);
        self
    }

    /// Adds an instance of a service.
    #[must_use]
    pub fn with_instance(mut self, service: &str, instance: Instance) -> Self {
        self.0.entry(service.into()).or_default().push(instance);
        self
    }
}

impl Registry for FixedRegistry {
    /// Whoever wrote the list knows about the instance already.
    fn hold<'a>(
        &'a self,
        _: &'a str,
        _: &'a Instance,
        standing: &'a Standing,
    ) -> BoxFuture<'a, RegistryError> {
        standing.stands();
        Box::pin(std::future::pending())
    }

    fn withdraw<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn follow<'a>(&'a self, service: &'a str, seen: &'a Seen) -> BoxFuture<'a, RegistryError> {
        seen.list(self.0.get(service).cloned().unwrap_or_default());
        Box::pin(std::future::pending())
    }
}
