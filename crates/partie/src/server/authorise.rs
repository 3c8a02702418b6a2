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
        Peer::InProcess(service) | Peer::Service { name: service, .. } => {
            call = call.with_peer(Arc::clone(service));
        }
        Peer::Network(_) => {
            if let Some(token) = headers.get(&wire::SERVICE_TOKEN).and_then(|token| token.to_str().ok()) {
                let identity = verifier.verify(token)?;
                let service = identity.subject.strip_prefix("service:");
                match service.filter(|_| identity.roles.iter().any(|role| role == "service")) {
                    Some(GATEWAY) => {}
                    Some(service) => call = call.with_peer(service.into()),
                    None => return Err(Platform::new(FaultKind::Forbidden)),
                }
            }
        }
    }
    Ok(call)
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
