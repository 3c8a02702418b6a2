//! Who asks, and whether they may.

use std::sync::Arc;

use http::HeaderMap;
use partie_contract::{Access, Call, Caller, FaultKind, Operation, Platform, wire};
use partie_identity::{Verifier, bearer};
use partie_mesh::Peer;

use super::GATEWAY;

/// Adds the verified caller, and the service that forwarded the call if one did.
pub(crate) async fn identify(
    verifier: &Verifier,
    peer: &Peer,
    headers: &HeaderMap,
    lenient: bool,
    mut call: Call,
) -> Result<Call, Platform> {
    if let Some(token) = bearer(headers, lenient)? {
        call = call.with_caller(Caller::Verified(verifier.authenticate(token).await?));
    }
    match peer {
        Peer::InProcess(service) if **service == *GATEWAY => call = from_outside(call, headers),
        Peer::InProcess(service) => call = call.with_peer(Arc::clone(service)),
        Peer::Service { name, .. } => {
            // Somebody else's token is no good in its hands.
            if service_of(verifier, headers).await?.is_some_and(|service| service != *name) {
                return Err(Platform::new(FaultKind::Forbidden));
            }
            call = match **name == *GATEWAY {
                true => from_outside(call, headers),
                false => call.with_peer(Arc::clone(name)),
            };
        }
        Peer::Network(address) => {
            call = call.with_client_address(address.ip().to_canonical());
            call = match service_of(verifier, headers).await? {
                Some(service) if *service == *GATEWAY => from_outside(call, headers),
                Some(service) => call.without_client_address().with_peer(service),
                None => call,
            };
        }
    }
    Ok(call)
}

/// What the gateway alone may say of who called it.
fn from_outside(call: Call, headers: &HeaderMap) -> Call {
    match headers.get(&wire::CLIENT_ADDRESS).and_then(|address| address.to_str().ok()?.parse().ok()) {
        Some(address) => call.with_client_address(address),
        None => call.without_client_address(),
    }
}

/// The service whose token is shown, if one is.
async fn service_of(verifier: &Verifier, headers: &HeaderMap) -> Result<Option<Arc<str>>, Platform> {
    let token = headers.get(&wire::SERVICE_TOKEN).and_then(|token| token.to_str().ok());
    let Some(token) = token else { return Ok(None) };
    let identity = verifier.authenticate(token).await?;
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
