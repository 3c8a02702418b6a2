//! What the platform's socket serves: the wire of the parts, and the registry for programs that know nothing but Consul.

use std::sync::Arc;

use partie_contract::{BoxFuture, Caller, Request, Response};
use partie_identity::Verifier;
use partie_mesh::discovery::{ConsulApi, ConsulApiConfig, EmbeddedRegistry, Reserved};
use partie_mesh::{Limits, Peer, Serve};

use super::super::launch::Launch;
use crate::server::Server;
use crate::wire::Joined;

/// Where Consul's API is.
const CONSUL: &str = "/v1/";

/// One socket, two servers.
pub(super) struct Doors {
    pub(super) consul: Arc<ConsulApi>,
    pub(super) server: Arc<Server>,
}

/// Consul's API over that registry. What the system serves itself is announced with a join token that names it.
pub(super) fn consul(
    launch: &Launch<'_>,
    verifier: &Arc<Verifier>,
    registry: EmbeddedRegistry,
    reserved: &[&'static str],
) -> ConsulApi {
    let verifier = Arc::clone(verifier);
    let reserved = Reserved::new(reserved, move |name, token| {
        let caller = verifier.verify(token).map(Caller::Verified);
        caller.is_ok_and(|caller| Joined::check(&caller, name).is_ok())
    });
    let (ids, closing) = (launch.environment.ids.clone(), launch.closing.clone());
    ConsulApi::start(registry, reserved, ConsulApiConfig::default(), ids, closing)
}

/// What a listener behind the edge has to put up with: all callers may be on this machine, and Consul's may wait long.
pub(super) fn limits(edge: &Limits) -> Limits {
    let answer = edge.answer.max(ConsulApi::limits().answer);
    Limits { connections_per_address: edge.connections, answer, ..edge.clone() }
}

impl Serve for Doors {
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        if request.uri().path().starts_with(CONSUL) {
            return Arc::clone(&self.consul).serve(peer, request);
        }
        Arc::clone(&self.server).serve(peer, request)
    }
}
