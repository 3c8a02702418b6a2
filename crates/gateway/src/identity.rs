//! Who calls: what the token says, if there is one, and whether that is enough for the operation.

use std::sync::Arc;

use http::{HeaderMap, Method};
use partie_contract::{Access, FaultKind, Identity, Platform};
use partie_identity::{Verifier, credential};
use partie_mesh::Peer;

use crate::build::DemoIdentity;
use crate::routes::Route;

/// The caller of the request. A token or an API key that is there has to be valid, needed or not. `lenient` also takes a token
/// without a scheme, as the tutorials send it.
///
/// # Errors
/// [`FaultKind::Unauthenticated`] or [`FaultKind::TokenExpired`] for a token that is not.
pub(crate) async fn identify(
    headers: &HeaderMap,
    lenient: bool,
    verifier: &Verifier,
) -> Result<Option<Arc<Identity>>, Platform> {
    match credential(headers, lenient)? {
        Some(shown) => verifier.authenticate(shown).await.map(Some),
        None => Ok(None),
    }
}

/// With development defaults, who an anonymous write on a compat route from this machine is by.
pub(crate) fn demo(
    route: &Route,
    method: &Method,
    peer: &Peer,
    demo: Option<&DemoIdentity>,
) -> Option<Arc<Identity>> {
    let local = matches!(peer, Peer::Network(address) if address.ip().to_canonical().is_loopback());
    let writes = !matches!(*method, Method::GET | Method::HEAD);
    demo.filter(|_| route.compat && writes && local).and_then(|demo| demo())
}

/// Refuses early what the service would refuse anyway. The service has the last word.
///
/// # Errors
/// [`FaultKind::Unauthenticated`] without an identity, [`FaultKind::Forbidden`] without a role.
pub(crate) fn authorise(access: Access, who: Option<&Identity>) -> Result<(), Platform> {
    match (access, who) {
        (Access::Public, _) | (Access::Authenticated, Some(_)) => Ok(()),
        (_, None) => Err(Platform::new(FaultKind::Unauthenticated)),
        (Access::Roles(roles), Some(who)) => {
            if roles.iter().any(|role| who.roles.iter().any(|own| own == role)) {
                return Ok(());
            }
            Err(Platform::new(FaultKind::Forbidden)
                .with_detail(format!("this needs the role {}", roles.join(" or "))))
        }
    }
}
