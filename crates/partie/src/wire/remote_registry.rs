//! The registry of another process.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use partie_contract::{BoxError, BoxFuture, Call, Caller, Fault};
use partie_identity::Verifier;
use partie_mesh::discovery::{Instance, Registry, RegistryError, Seen, Standing};
use partie_runtime::monotonic;

use super::registry::{
    After, Announce, RegistryWireClient, RegistryWireError, Which, WireInstance, WireListing,
};

/// How long an announcement stands without being renewed.
const LEASE: Duration = Duration::from_secs(10);
/// How often it is renewed.
const RENEW: Duration = Duration::from_secs(3);
/// How long one question for the next list waits.
const POLL: Duration = Duration::from_secs(20);
/// A question that brings nothing takes so long at least.
const LEAST: Duration = Duration::from_millis(50);
/// How long anything else may take.
const ASK: Duration = Duration::from_secs(3);

/// A registry in another process, reached through the contract [`RegistryWire`](super::RegistryWire). Cheap to clone.
#[derive(Clone)]
pub struct RemoteRegistry(Arc<Inner>);

struct Inner {
    /// For people.
    url: String,
    client: RegistryWireClient,
    calls: Arc<dyn Fn() -> Call + Send + Sync>,
    verifier: Arc<Verifier>,
    /// What this process shows to be let in: its join token, and later what it was given.
    pass: RwLock<Caller>,
}

// === impl RemoteRegistry ===

impl RemoteRegistry {
    /// The registry behind that client. `calls` makes a fresh call under the service's own identity.
    pub fn new(
        url: String,
        client: RegistryWireClient,
        calls: Arc<dyn Fn() -> Call + Send + Sync>,
        verifier: Arc<Verifier>,
        pass: Caller,
    ) -> Self {
        Self(Arc::new(Inner { url, client, calls, verifier, pass: RwLock::new(pass) }))
    }

    /// Announces an instance once.
    ///
    /// # Errors
    /// [`RegistryWireError::JoinRefused`] when this process may not be that service, whatever it tries.
    pub async fn announce(&self, service: &str, instance: &Instance) -> Result<(), Fault<RegistryWireError>> {
        let announce = Announce {
            service: service.to_owned(),
            id: instance.id.to_string(),
            address: instance.address.to_string(),
            weight: instance.weight,
            tls: instance.tls,
            lease_ms: u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX),
        };
        let admitted = self.0.client.announce(&self.pass(), announce).await?;
        self.keep(&admitted.token);
        Ok(())
    }

    /// A call of somebody who is let in.
    fn pass(&self) -> Call {
        let pass = self.0.pass.read().unwrap_or_else(PoisonError::into_inner).clone();
        (self.0.calls)().within(ASK).with_caller(pass)
    }

    fn keep(&self, token: &str) {
        // One that cannot be verified here is of no use there.
        if let Ok(identity) = self.0.verifier.verify(token) {
            *self.0.pass.write().unwrap_or_else(PoisonError::into_inner) = Caller::Verified(identity);
        }
    }

    fn lost(&self, reason: impl Into<BoxError>) -> RegistryError {
        RegistryError::new(&self.0.url, reason)
    }
}

impl Registry for RemoteRegistry {
    fn hold<'a>(
        &'a self,
        service: &'a str,
        instance: &'a Instance,
        standing: &'a Standing,
    ) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move {
            if let Err(fault) = self.announce(service, instance).await {
                return self.lost(told(fault));
            }
            standing.stands();
            loop {
                tokio::time::sleep(RENEW).await;
                let which = Which { service: service.to_owned(), id: instance.id.to_string() };
                match self.0.client.renew(&self.pass(), which).await {
                    Ok(admitted) => self.keep(&admitted.token),
                    Err(fault) => return self.lost(told(fault)),
                }
            }
        })
    }

    fn withdraw<'a>(&'a self, service: &'a str, id: &'a str) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(async move {
            let which = Which { service: service.to_owned(), id: id.to_owned() };
            let withdrawn = self.0.client.withdraw(&self.pass(), which).await;
            withdrawn.map(drop).map_err(|fault| self.lost(told(fault)))
        })
    }

    fn follow<'a>(&'a self, service: &'a str, seen: &'a Seen) -> BoxFuture<'a, RegistryError> {
        Box::pin(async move {
            let mut after = After { service: service.to_owned(), life: 0, index: 0, settling: false };
            loop {
                let (call, begun) = ((self.0.calls)().with_wait(POLL), monotonic());
                match self.0.client.list(&call, after.clone()).await {
                    Ok(WireListing { life, index, settling, instances }) => {
                        let instances = instances.into_iter().filter_map(instance).collect();
                        if settling {
                            seen.at_least(instances)
                        } else {
                            seen.list(instances)
                        }
                        let same = (life, index, settling) == (after.life, after.index, after.settling);
                        after = After { life, index, settling, ..after };
                        // Somebody who is about to go does not let us wait there.
                        if same && begun.elapsed() < LEAST {
                            tokio::time::sleep(LEAST).await;
                        }
                    }
                    Err(fault) => return self.lost(told(fault)),
                }
            }
        })
    }
}

impl fmt::Debug for RemoteRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteRegistry({})", self.0.url)
    }
}

/// An instance whose address we cannot read is of a version we do not know.
fn instance(wire: WireInstance) -> Option<Instance> {
    let WireInstance { id, address, weight, tls } = wire;
    Some(Instance { id: id.into(), address: address.parse().ok()?, weight, tls })
}

/// The reason of a refusal, or what went wrong.
fn told(fault: Fault<RegistryWireError>) -> BoxError {
    match fault {
        Fault::Domain(RegistryWireError::JoinRefused { reason }) => reason.into(),
        Fault::Domain(RegistryWireError::Unknown) => "it has forgotten the instance".into(),
        Fault::Domain(RegistryWireError::NoAuthority) => "it certifies nobody".into(),
        Fault::Domain(RegistryWireError::Full) => "it is full".into(),
        Fault::Platform(fault) => fault.into(),
    }
}
