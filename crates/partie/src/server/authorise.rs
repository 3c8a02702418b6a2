//! Who asks, and whether they may.

use std::sync::Arc;

use http::HeaderMap;
use partie_contract::{Access, Call, Caller, FaultKind, Operation, Platform, wire};
use partie_identity::{Verifier, bearer};
use partie_mesh::Peer;

use super::GATEWAY;

/// Adds the verified caller, and the service that forwarded the call if one did.
pub(crate) fn identify(
    verifier: &Verifier,
    peer: &Peer,
    headers: &HeaderMap,
    lenient: bool,
    mut call: Call,
) -> Result<Call, Platform> {
    if let Some(token) = bearer(headers, lenient)? {
        call = call.with_caller(Caller::Verified(verifier.verify(token)?));
    }
    match peer {
        Peer::InProcess(service) | Peer::Service { name: service, .. } if **service == *GATEWAY => {}
        Peer::InProcess(service) => call = call.with_peer(Arc::clone(service)),
        Peer::Service { name, .. } => {
            // Somebody else's token is no good in its hands.
            if service_of(verifier, headers)?.is_some_and(|service| service != *name) {
                return Err(Platform::new(FaultKind::Forbidden));
            }
            call = call.with_peer(Arc::clone(name));
        }
        Peer::Network(_) => match service_of(verifier, headers)? {
            Some(service) if *service != *GATEWAY => call = call.with_peer(service),
            _ => {}
        },
    }
    Ok(call)
}

/// The service whose token is shown, if one is.
fn service_of(verifier: &Verifier, headers: &HeaderMap) -> Result<Option<Arc<str>>, Platform> {
    let token = headers.get(&wire::SERVICE_TOKEN).and_then(|token| token.to_str().ok());
    let Some(token) = token else { return Ok(None) };
    let identity = verifier.verify(token)?;
    let service = identity.subject.strip_prefix("service:");
    let service = service.filter(|_| identity.roles.iter().any(|role| role == "service"));
    service.map(|service| Some(service.into())).ok_or_else(|| Platform::new(FaultKind::Forbidden))
}

/// Lets the caller through or says why not.
pub(crate) fn authorise(operation: &Operation, caller: &Caller) -> Result<(), Platform> {
    match operation.access {
        Access::Public => Ok(()),
        _ if caller.identity().is_none() => Err(Platform::new(FaultKind::Unauthenticated)),
        Access::Authenticated => Ok(()),
        Access::Roles(roles) if roles.iter().any(|role| caller.has_role(role)) => Ok(()),
        Access::Roles(_) => Err(Platform::new(FaultKind::Forbidden)),
    }
}
