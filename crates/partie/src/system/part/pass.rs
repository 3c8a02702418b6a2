//! What a process needs to speak with the others of its system.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{BoxError, Call, Caller, Channel, Client as _, Deadline};
use partie_identity::{Authority, KeyError, Signer, Verifier};
use partie_mesh::discovery::Registry;
use partie_mesh::{Mesh, Origin};
use partie_messaging::{BrokerWireClient, RemoteBroker};
use partie_runtime::Ids;

use super::super::error::StartError;
use super::super::launch::Launch;
use super::secured::{Secured, door};
use super::{BROKER, Meeting, Place, REGISTRY};
use crate::platform::{self, BehindClient, Hand};
use crate::trust::shown;
use crate::wire::{RegistryWireClient, RemoteRegistry, join_grant};

/// How long a call to the platform may take. Long polls are shorter.
const CALL: Duration = Duration::from_secs(30);

/// The process as the others know it.
pub(super) struct Pass {
    registry: Option<RemoteRegistry>,
    engine: Option<Arc<dyn Registry>>,
    has_broker: bool,
    calls: Arc<dyn Fn() -> Call + Send + Sync>,
    origin: Origin,
    ids: Ids,
}

/// The key in a file, which is the system's own: it may serve others.
pub(crate) fn signer(path: &Path, system: &str) -> Result<Signer, KeyError> {
    Signer::from_pkcs8(&document(path)?, &issuer(system))
}

/// The authority of all who have that key.
pub(crate) fn authority(path: &Path, system: &str) -> Result<Authority, StartError> {
    Ok(Authority::derived(&document(path)?, system)?)
}

fn document(path: &Path) -> Result<Vec<u8>, KeyError> {
    std::fs::read(path).map_err(|source| KeyError::File { path: path.to_owned(), doing: "read", source })
}

/// Who signs with that key.
pub(super) fn issuer(system: &str) -> String {
    format!("partie:{system}")
}

// === impl Pass ===

impl Pass {
    /// Leads the mesh to the platform's doors.
    pub(super) fn new(
        place: &Place,
        launch: &Launch<'_>,
        verifier: &Arc<Verifier>,
        secured: Option<&Secured>,
    ) -> Result<Self, StartError> {
        let refused =
            |reason: BoxError| StartError::Join { service: place.part.clone(), reason: reason.to_string() };
        let tokens = launch.proof.tokens(&place.system, &place.part);
        let tokens = tokens.map_err(|error| refused(error.into()))?;
        let ids = launch.environment.ids.clone();
        let calls: Arc<dyn Fn() -> Call + Send + Sync> = Arc::new({
            let (tokens, ids) = (tokens.clone(), ids.clone());
            move || Call::new(Deadline::after(CALL), ids.trace()).with_caller(tokens.caller())
        });
        let origin = Origin::new(place.part.as_str()).with_token(move || shown(&tokens));

        // Who has the key may be anybody. Who was given a token is what that says.
        let join = match (&place.join, launch.proof.signer()) {
            (None, Some(signer)) => signer
                .issue(&join_grant(&place.system, &place.part))
                .map_err(|error| refused(error.into()))?,
            (join, _) => join.clone().unwrap_or_default(),
        };
        let join = verifier.verify(join.trim()).map_err(|fault| {
            refused(
                format!("the join token is no good: {}", fault.detail().unwrap_or("it is of another system"))
                    .into(),
            )
        })?;

        let (platform, engine) = match &place.registry {
            Some(Meeting::Platform(address)) => (Some(*address), None),
            Some(Meeting::Engine(engine)) => (None, Some(Arc::clone(engine))),
            None => (None, None),
        };
        let broker = place.broker.or(platform);
        if let Some(broker) = broker {
            door(&launch.mesh, BROKER, broker, secured);
        }
        if let Some(engine) = &engine {
            launch.mesh.discover(Arc::clone(engine));
            // Who carries the events knows what became of them.
            if let Some(broker) = broker {
                door(&launch.mesh, platform::NAME, broker, secured);
            }
        }
        let registry = platform.map(|address| {
            for name in [REGISTRY, platform::NAME] {
                door(&launch.mesh, name, address, secured);
            }
            let client = RegistryWireClient::over(launch.mesh.channel(origin.clone(), REGISTRY));
            let url = format!("http://{address}");
            let pass = Caller::Verified(join);
            RemoteRegistry::new(url, client, Arc::clone(&calls), Arc::clone(verifier), pass)
        });
        if let Some(registry) = &registry {
            launch.mesh.discover(Arc::new(registry.clone()));
        }
        Ok(Self { registry, engine, has_broker: broker.is_some(), calls, origin, ids })
    }

    pub(super) fn registry(&self) -> Option<&RemoteRegistry> {
        self.registry.as_ref()
    }

    /// The registry somebody else runs, if that is where they meet.
    pub(super) fn engine(&self) -> Option<&Arc<dyn Registry>> {
        self.engine.as_ref()
    }

    /// The platform's registry, as it is asked for what a process needs that has not the key.
    pub(super) fn desk(&self, mesh: &Mesh) -> RegistryWireClient {
        RegistryWireClient::over(self.channel(mesh, REGISTRY))
    }

    /// Makes calls under the process's own identity.
    pub(super) fn calls(&self) -> &Arc<dyn Fn() -> Call + Send + Sync> {
        &self.calls
    }

    /// A channel to a service, under the name of this one.
    pub(super) fn channel(&self, mesh: &Mesh, to: &str) -> Channel {
        mesh.channel(self.origin.clone(), to)
    }

    /// The background work of a service in another process.
    pub(super) fn hand(&self, mesh: Mesh, service: &'static str) -> Hand {
        let origin = self.origin.clone();
        // Found when it is asked for: the platform has nothing to do with services otherwise.
        let client = move || BehindClient::over(mesh.channel(origin.clone(), service));
        Hand::There(Arc::new(client), Arc::clone(&self.calls))
    }

    /// The system's broker.
    pub(super) fn broker(&self, launch: &Launch<'_>) -> Option<RemoteBroker> {
        self.has_broker.then(|| {
            let client = BrokerWireClient::over(self.channel(&launch.mesh, BROKER));
            let handles = (launch.environment.activity.clone(), self.ids.clone());
            RemoteBroker::new(client, Arc::clone(&self.calls), handles, launch.config.broker.retention)
        })
    }
}
