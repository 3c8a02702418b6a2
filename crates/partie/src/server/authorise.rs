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

    use partie_contract::Deadline;
    use partie_identity::{Algorithm, Grant, ServiceTokens, Signer};
    use partie_runtime::Ids;

    use super::*;

    /// Who called, and for whom, when that peer shows these tokens.
    async fn who(
        signer: &Signer,
        peer: &Peer,
        user: Option<&str>,
        service: Option<&str>,
    ) -> Result<(Option<String>, Option<String>), FaultKind> {
        let mut headers = HeaderMap::new();
        if let Some(token) = user {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        if let Some(token) = service {
            headers.insert(wire::SERVICE_TOKEN, token.parse().unwrap());
        }
        let call = Call::new(Deadline::after(Duration::from_secs(10)), Ids::seeded(1).trace());
        let call = identify(&signer.verifier("food"), peer, &headers, false, call).await;
        call.map(|call| (call.caller().subject().map(str::to_owned), call.peer().map(str::to_owned)))
            .map_err(|fault| fault.kind())
    }

    #[tokio::test]
    async fn a_certificate_says_who_passes_a_call_on_and_a_token_may_only_agree() {
        let signer = Signer::from_pkcs8(&Signer::generate(Algorithm::EdDsa).unwrap(), "partie:food").unwrap();
        let ada = signer.issue(&Grant::new("food", "ada", Duration::from_secs(60)).role("customer")).unwrap();
        let [orders, menu] =
            ["orders", "menu"].map(|service| ServiceTokens::issue(&signer, "food", service).unwrap());
        let address = "10.0.0.1:9".parse().unwrap();
        let proven = Peer::Service { name: "orders".into(), address };
        let known = |peer: Option<&str>| Ok((Some("ada".to_owned()), peer.map(str::to_owned)));
        // A service that is given its tokens may be without one for a while: users' calls go on.
        assert_eq!(who(&signer, &proven, Some(&ada), None).await, known(Some("orders")));
        assert_eq!(who(&signer, &proven, Some(&ada), Some(&orders)).await, known(Some("orders")));
        assert_eq!(who(&signer, &proven, Some(&ada), Some(&menu)).await, Err(FaultKind::Forbidden));
        // The token of a user is none of a service.
        assert_eq!(who(&signer, &proven, None, Some(&ada)).await, Err(FaultKind::Forbidden));
        // Without a certificate only the token says it.
        let stranger = Peer::Network(address);
        assert_eq!(who(&signer, &stranger, Some(&ada), None).await, known(None));
        assert_eq!(who(&signer, &stranger, Some(&ada), Some(&menu)).await, known(Some("menu")));
    }
}
