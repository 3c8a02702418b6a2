//! What the platform's socket serves: the wire of the parts, and the registry for programs that know nothing but Consul.

use std::sync::Arc;

use partie_contract::{BoxFuture, Caller, Request, Response};
use partie_identity::Verifier;
use partie_mesh::discovery::{
    ConsulApi, ConsulApiConfig, EmbeddedRegistry, EmbeddedRegistryConfig, Reserved,
};
use partie_mesh::{Limits, Listener, Peer, Serve};
use partie_runtime::Stop;

use super::super::launch::Launch;
use super::super::registry::RegistryDoor;
use crate::server::Server;
use crate::wire::Joined;

/// Where Consul's API is.
const CONSUL: &str = "/v1/";

/// One socket, two servers.
pub(super) struct Doors {
    /// Unless it is turned off.
    pub(super) consul: Option<Arc<ConsulApi>>,
    pub(super) server: Arc<Server>,
}

/// Consul's API over that registry. What the system serves itself is announced with a join token that names it.
pub(super) fn consul(
    launch: &Launch<'_>,
    verifier: &Arc<Verifier>,
    registry: EmbeddedRegistry,
    reserved: &[&'static str],
    polls: Stop,
) -> ConsulApi {
    let verifier = Arc::clone(verifier);
    let reserved = Reserved::new(reserved, move |name, token| {
        let caller = verifier.verify(token).map(Caller::Verified);
        caller.is_ok_and(|caller| Joined::check(&caller, name).is_ok())
    });
    ConsulApi::start(registry, reserved, ConsulApiConfig::default(), launch.environment.ids.clone(), polls)
}

/// The registry of a system in one process: the same API on a socket of its own. What is announced there and is not part of
/// the system is found by the mesh.
pub(in crate::system) fn open(
    launch: &Launch<'_>,
    verifier: &Arc<Verifier>,
    reserved: &[&'static str],
    listener: Listener,
) -> RegistryDoor {
    let registry = EmbeddedRegistry::start(EmbeddedRegistryConfig::default());
    launch.mesh.discover(Arc::new(registry.clone()));
    let polls = Stop::default();
    let api = consul(launch, verifier, registry, reserved, polls.clone());
    RegistryDoor::open(listener, api, polls)
}

/// What a listener behind the edge has to put up with: all callers may be on this machine, and Consul's may wait long.
pub(super) fn limits(edge: &Limits) -> Limits {
    let answer = edge.answer.max(ConsulApi::limits().answer);
    Limits { connections_per_address: edge.connections, answer, ..edge.clone() }
}

impl Serve for Doors {
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        match &self.consul {
            Some(consul) if request.uri().path().starts_with(CONSUL) => {
                Arc::clone(consul).serve(peer, request)
            }
            _ => Arc::clone(&self.server).serve(peer, request),
        }
    }
}
