//! A service is announced to the others of its system, if they let it be that service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{Fault, FaultKind};
use partie_mesh::discovery::{Announcement, Instance, Registry};

use super::super::error::StartError;
use super::super::launch::Environment;
use super::pass::Pass;
use crate::wire::{RegistryWireError, RemoteRegistry};

/// How long a start waits until its announcement stands.
const STANDS: Duration = Duration::from_secs(2);

/// Announces a service, if there is where.
pub(super) async fn announce(
    pass: &Pass,
    service: &str,
    (address, tls): (SocketAddr, bool),
    environment: &Environment,
) -> Result<Option<Announcement>, StartError> {
    let unique = environment.ids.below(u64::MAX);
    let id = format!("{service}-{}-{unique:016x}", std::process::id());
    let instance = Instance::new(id, address).with_tls(tls);
    let registry: Arc<dyn Registry> = match (pass.registry(), pass.engine()) {
        (Some(registry), _) => {
            admitted(registry, service, &instance).await?;
            Arc::new(registry.clone())
        }
        (None, Some(engine)) => Arc::clone(engine),
        (None, None) => return Ok(None),
    };
    let announcement = Announcement::make(registry, service, instance, environment.ids.clone());
    if tokio::time::timeout(STANDS, announcement.stands()).await.is_err() {
        tracing::warn!(service, "the registry does not answer yet");
    }
    Ok(Some(announcement))
}

/// What the platform refuses now it will refuse later. One that does not answer is tried again.
async fn admitted(registry: &RemoteRegistry, service: &str, instance: &Instance) -> Result<(), StartError> {
    match registry.announce(service, instance).await.map_err(refusal) {
        Err(Ok(reason)) => Err(StartError::Join { service: service.to_owned(), reason }),
        Ok(()) | Err(Err(_)) => Ok(()),
    }
}

/// Why the platform does not let a process in; or a failure that may pass.
pub(super) fn refusal(fault: Fault<RegistryWireError>) -> Result<String, Fault<RegistryWireError>> {
    match fault {
        Fault::Domain(RegistryWireError::JoinRefused { reason }) => Ok(reason),
        Fault::Domain(RegistryWireError::NoAuthority) => Ok("the platform certifies nobody".to_owned()),
        Fault::Platform(fault) => match fault.kind() {
            FaultKind::TokenExpired => Ok("the token is over".to_owned()),
            FaultKind::Unauthenticated | FaultKind::Forbidden => {
                Ok(fault.detail().unwrap_or("the platform does not know the token").to_owned())
            }
            _ => Err(Fault::Platform(fault)),
        },
        other => Err(other),
    }
}
