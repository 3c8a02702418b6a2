//! Discovery: where instances of services are announced, and where they are found.
//!
//! A [`Registry`] is one small trait with three verbs: hold an announcement, withdraw it, follow a list. Engines
//! implement nothing else. What must hold whichever engine it is, is written once around them: [`Announcement`] comes
//! again after every loss, and [`Following`] keeps the last good list when the registry is down or has lost its memory.
//!
//! | engine | feature | announces | finds by |
//! |---|---|---|---|
//! | [`EmbeddedRegistry`] | | in memory, with a lease if wanted | being told |
//! | [`FixedRegistry`] | | nobody | knowing beforehand |
//! | `ConsulRegistry` | `consul` | to an agent, with a TTL or an HTTP check | blocking queries |
//! | `DnsRegistry` | `dns` | nobody | SRV records, asked for again when they are old |
//! | `EtcdRegistry` | `etcd` | a key with a lease | a watch |
//!
//! [`RegistryUrl`] is how a command line names one of them. [`ConsulApi`] serves the embedded registry to programs that know only Consul.

mod announcement;
#[cfg(feature = "consul")]
mod consul;
mod consul_api;
#[cfg(feature = "dns")]
mod dns;
mod embedded;
#[cfg(feature = "etcd")]
mod etcd;
mod fixed;
mod following;
mod http;
mod misconfigured;
mod url;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use partie_contract::{BoxError, BoxFuture};

pub use self::announcement::{Announcement, Standing};
#[cfg(feature = "consul")]
pub use self::consul::{ConsulConfig, ConsulRegistry};
pub use self::consul_api::{ConsulApi, ConsulApiConfig, Reserved};
#[cfg(feature = "dns")]
pub use self::dns::{DnsConfig, DnsRegistry};
pub use self::embedded::{EmbeddedRegistry, EmbeddedRegistryConfig, Full, Listing};
#[cfg(feature = "etcd")]
pub use self::etcd::{EtcdConfig, EtcdRegistry};
pub use self::fixed::FixedRegistry;
pub use self::following::{Following, Seen};
pub use self::misconfigured::Misconfigured;
pub use self::url::{RegistryUrl, RegistryUrlError};

/// The weight of an instance that says nothing else.
pub const USUAL_WEIGHT: u32 = 100;

/// One running copy of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Unique among the instances of its service. A process that starts again is another instance.
    pub id: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its share of the calls, relative to the others'; [`USUAL_WEIGHT`] unless it says otherwise. With 0 it gets none.
    pub weight: u32,
    /// Whether it speaks TLS, and proves by a certificate of the system that it is of its service.
    pub tls: bool,
}

/// Where instances are announced and found. An engine implements this and nothing else.
///
/// The futures may be dropped at any await.
pub trait Registry: fmt::Debug + Send + Sync + 'static {
    /// Announces an instance and keeps the announcement alive. Tells `standing` once it stands, and ends only when it
    /// could not be made or is lost, with the reason. Announcing an id again replaces what was announced under it.
    fn hold<'a>(
        &'a self,
        service: &'a str,
        instance: &'a Instance,
        standing: &'a Standing,
    ) -> BoxFuture<'a, RegistryError>;

    /// Takes an announcement back, so that nobody has to wait until it expires.
    ///
    /// # Errors
    /// [`RegistryError`] when the registry cannot be told; the announcement then expires by itself.
    fn withdraw<'a>(&'a self, service: &'a str, id: &'a str) -> BoxFuture<'a, Result<(), RegistryError>>;

    /// Tells `seen` the whole list of a service's healthy instances, now and whenever it changes. Ends only when the
    /// registry is lost, with the reason.
    fn follow<'a>(&'a self, service: &'a str, seen: &'a Seen) -> BoxFuture<'a, RegistryError>;
}

/// A registry does not do what it was asked to. Everything may be tried again.
#[derive(Debug, thiserror::Error)]
#[error("the registry {registry}: {reason}")]
pub struct RegistryError {
    /// Which, for people: its kind and address.
    pub registry: String,
    /// Why.
    #[source]
    pub reason: BoxError,
}

// === impl Instance ===

impl Instance {
    /// An instance of usual weight.
    pub fn new(id: impl Into<Arc<str>>, address: SocketAddr) -> Self {
        Self { id: id.into(), address, weight: USUAL_WEIGHT, tls: false }
    }

    /// The same, if it speaks TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }
}

// === impl RegistryError ===

impl RegistryError {
    /// That registry, for that reason.
    pub fn new(registry: impl fmt::Display, reason: impl Into<BoxError>) -> Self {
        Self { registry: registry.to_string(), reason: reason.into() }
    }
}
