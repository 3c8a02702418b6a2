//! From the name of a registry to the engine.

use std::sync::Arc;

use super::{RegistryUrl, RegistryUrlError};
#[cfg(feature = "consul")]
use crate::discovery::{ConsulConfig, ConsulRegistry};
#[cfg(feature = "dns")]
use crate::discovery::{DnsConfig, DnsRegistry};
#[cfg(feature = "etcd")]
use crate::discovery::{EtcdConfig, EtcdRegistry};
use crate::discovery::{FixedRegistry, Registry};

// === impl RegistryUrl ===

impl RegistryUrl {
    /// The engine, with its usual settings. Nothing is asked of the registry yet.
    ///
    /// # Errors
    /// [`RegistryUrlError::NotBuilt`] when the engine was left out, [`RegistryUrlError::Misconfigured`] when it does not
    /// take what was said.
    pub fn open(&self) -> Result<Arc<dyn Registry>, RegistryUrlError> {
        match self {
            // Our own registry speaks Consul's API, which every client of it can count on.
            Self::Own(at) | Self::Consul(at) => self.consul(at),
            Self::Etcd(members) => self.etcd(members),
            Self::Dns { domain, server } => self.dns(domain, server.as_slice()),
            Self::Fixed(services) => {
                let registry =
                    services.iter().fold(FixedRegistry::default(), |registry, (name, addresses)| {
                        registry.with(name, addresses.iter().copied())
                    });
                Ok(Arc::new(registry))
            }
        }
    }

    #[cfg(feature = "consul")]
    fn consul(&self, at: &str) -> Result<Arc<dyn Registry>, RegistryUrlError> {
        let config = ConsulConfig { url: format!("http://{at}"), ..ConsulConfig::default() };
        Ok(Arc::new(ConsulRegistry::new(config)?))
    }

    #[cfg(not(feature = "consul"))]
    fn consul(&self, _: &str) -> Result<Arc<dyn Registry>, RegistryUrlError> {
        Err(self.not_built("consul"))
    }

    #[cfg(feature = "etcd")]
    fn etcd(&self, members: &[String]) -> Result<Arc<dyn Registry>, RegistryUrlError> {
        let endpoints = members.iter().map(|member| format!("http://{member}")).collect();
        Ok(Arc::new(EtcdRegistry::new(EtcdConfig { endpoints, ..EtcdConfig::default() })?))
    }

    #[cfg(not(feature = "etcd"))]
    fn etcd(&self, _: &[String]) -> Result<Arc<dyn Registry>, RegistryUrlError> {
        Err(self.not_built("etcd"))
    }

    #[cfg(feature = "dns")]
    fn dns(
        &self,
        domain: &str,
        servers: &[std::net::SocketAddr],
    ) -> Result<Arc<dyn Registry>, RegistryUrlError> {
        let name = format!("_{{service}}._tcp.{domain}");
        Ok(Arc::new(DnsRegistry::new(DnsConfig { name, servers: servers.to_vec(), ..DnsConfig::default() })?))
    }

    #[cfg(not(feature = "dns"))]
    fn dns(&self, _: &str, _: &[std::net::SocketAddr]) -> Result<Arc<dyn Registry>, RegistryUrlError> {
        Err(self.not_built("dns"))
    }

    #[cfg(not(all(feature = "consul", feature = "dns", feature = "etcd")))]
    fn not_built(&self, feature: &'static str) -> RegistryUrlError {
        RegistryUrlError::NotBuilt { url: self.to_string(), feature }
    }
}
