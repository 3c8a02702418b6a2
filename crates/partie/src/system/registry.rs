//! The registry of a system in one process: a socket of its own, for programs in other languages.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use partie_mesh::discovery::ConsulApi;
use partie_mesh::{BindError, Handles, Limits, Listener};
use partie_runtime::Stop;
use serde::{Deserialize, Serialize};

use super::door::Door;

/// How long requests to the registry may take to end: nobody waits for news any more then.
const DRAIN: Duration = Duration::from_secs(5);

/// The settings of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct RegistryConfig {
    /// Whether programs in other languages may announce and find services, by Consul's API. Without it a system in one
    /// process has no registry.
    pub consul: bool,
    /// Where, on this machine: Consul's clients look at port 8500. If somebody listens there already it is any free port;
    /// `up` says which.
    pub listen: SocketAddr,
}

/// Whoever can reach the registry can announce anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "registry.listen = {address}: the registry answers programs of this machine only, so listen on a loopback address"
)]
pub struct RegistryOffLoopback {
    /// Where it was to listen.
    pub address: SocketAddr,
}

/// The registry, served.
#[derive(Debug)]
pub(crate) struct RegistryDoor {
    door: Door,
    polls: Stop,
}

// === impl RegistryConfig ===

impl Default for RegistryConfig {
    fn default() -> Self {
        Self { consul: true, listen: SocketAddr::from(([127, 0, 0, 1], 0)) }
    }
}

impl RegistryConfig {
    /// Where it may listen.
    fn address(&self) -> Result<SocketAddr, RegistryOffLoopback> {
        match self.listen.ip().to_canonical().is_loopback() {
            true => Ok(self.listen),
            false => Err(RegistryOffLoopback { address: self.listen }),
        }
    }

    /// Listens there, or at a free port if that one is not.
    pub(crate) fn bind<E>(&self, limits: &Limits, handles: &Handles) -> Result<Listener, E>
    where
        E: From<RegistryOffLoopback> + From<BindError>,
    {
        let address = self.address()?;
        let bind = |address| Listener::bind(address, limits.clone(), 0, handles.clone());
        match bind(address) {
            Err(BindError::Taken { .. }) => {
                let other = bind(SocketAddr::new(address.ip(), 0))?;
                tracing::warn!(taken = %address, listen = %other.local_addr(), "the registry is at another port");
                Ok(other)
            }
            bound => Ok(bound?),
        }
    }
}

// === impl RegistryDoor ===

impl RegistryDoor {
    /// What its listener has to put up with. Nobody balances over it, so it need not be a lame duck.
    pub(super) fn limits() -> Limits {
        Limits { lame_duck: Duration::ZERO, drain: DRAIN, ..ConsulApi::limits() }
    }

    /// Serves from now on. `polls` is what the API is stopped by.
    pub(super) fn open(listener: Listener, api: ConsulApi, polls: Stop) -> Self {
        // What is found already stays found without it.
        Self { door: Door::open("the registry", listener, Arc::new(api)), polls }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// Answers who waits for news, and then those who are left.
    pub(super) async fn close(self) {
        self.polls.stop();
        self.door.close().await;
    }
}
