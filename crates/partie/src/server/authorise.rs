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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use partie_contract::Deadline;
    use partie_identity::{ServiceTokens, Signer};
    use partie_runtime::Ids;

    use super::*;

    #[tokio::test]
    async fn a_service_is_who_its_connection_or_its_token_says_and_never_two() {
        // PKCS#8 of an Ed25519 key (RFC 8410).
        let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let signer = Signer::from_pkcs8(&[&head[..], &[7; 32]].concat(), "test").unwrap();
        let verifier = signer.verifier("food");
        let token = |service| {
            let tokens = ServiceTokens::new(signer.clone(), "food", service).unwrap();
            HeaderValue::from_str(&tokens.identity().token).unwrap()
        };
        let address = "10.0.0.1:9".parse().unwrap();
        let proven = |name: &str| Peer::Service { name: name.into(), address };
        for (peer, shown, is) in [
            (Peer::Network(address), None, Ok(None)),
            (Peer::Network(address), Some("orders"), Ok(Some("orders"))),
            (Peer::Network(address), Some(GATEWAY), Ok(None)),
            (proven("orders"), None, Ok(Some("orders"))),
            (proven("orders"), Some("orders"), Ok(Some("orders"))),
            (proven("orders"), Some("menu"), Err(FaultKind::Forbidden)),
            (proven("orders"), Some(GATEWAY), Err(FaultKind::Forbidden)),
            (proven(GATEWAY), None, Ok(None)),
            (Peer::InProcess("menu".into()), None, Ok(Some("menu"))),
        ] {
            let call = Call::new(Deadline::after(Duration::from_secs(9)), Ids::seeded(1).trace());
            let mut headers = HeaderMap::new();
            if let Some(service) = shown {
                headers.insert(wire::SERVICE_TOKEN, token(service));
            }
            let call = identify(&verifier, &peer, &headers, false, call).await;
            let call = call.as_ref().map(Call::peer).map_err(Platform::kind);
            assert_eq!(call, is, "{peer:?} {shown:?}");
        }
    }
}
