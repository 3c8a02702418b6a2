//! gRPC: plain tonic services beside contracts on the same port, and channels to them on the mesh.
//!
//! ```
//! # use std::sync::Arc;
//! # use partie::Service;
//! # use tonic_health::pb::health_server::{Health, HealthServer};
//! # fn service<Desk: Health>(desk: Desk) -> Service {
//! Service::new("factorial")
//!     .start(async |_| Ok(desk))
//!     .grpc(|desk: Arc<Desk>| HealthServer::from_arc(desk))
//!     .into()
//! # }
//! ```
//!
//! A call takes the same steps as one of a contract: its trace goes on, its deadline is the least of `grpc-timeout`, what
//! the mesh says is left and what the edge allows, its caller is whom a verified token names. [`call`] gives a handler
//! the [`Call`]; [`request`] sends one along, so that deadlines shrink over hops of either protocol. Platform faults
//! become statuses and statuses faults by one table ([`partie_contract::grpc`]).
//!
//! Every service that serves gRPC also answers `grpc.health.v1.Health`; [`Serving::reflection`] adds
//! `grpc.reflection.v1`. A call ends with its caller, since in gRPC going away is how one cancels: work that has to be
//! done whoever waits belongs into a job, or an operation with a key.

mod answer;
mod channel;
mod health;
mod mounted;
mod status;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use partie_contract::{BoxError, Call};
use partie_mesh::RetrySafe;
use tonic::Status;
use tonic::server::NamedService;
use tonic_health::pb::health_server::HealthServer;
use tower::Service as TowerService;

pub use self::channel::GrpcChannel;
use self::health::Readiness;
use self::mounted::Mounted;
pub use self::status::{platform, status};
use crate::service::{Service, Serving, Start};

/// The call a request is part of.
///
/// # Errors
/// An internal status when the service is not served by Partie.
pub fn call<T>(request: &tonic::Request<T>) -> Result<&Call, Status> {
    let call = request.extensions().get::<Call>();
    call.ok_or_else(|| Status::internal("the request came without a call"))
}

/// A message to send as part of a call: with its deadline, trace and caller.
pub fn request<T>(cx: &Call, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.extensions_mut().insert(cx.clone());
    request
}

/// The same for a method of which two calls are as good as one, such as one that only reads: the mesh may repeat it
/// when an instance fails.
pub fn repeatable<T>(cx: &Call, message: T) -> tonic::Request<T> {
    let mut request = request(cx, message);
    request.extensions_mut().insert(RetrySafe);
    request
}

impl Service {
    /// Declares that it calls that service by gRPC. [`Start::grpc_channel`] gives the channel out.
    #[must_use]
    pub fn calls_grpc(mut self, service: &'static str) -> Self {
        self.declared.grpc_calls.insert(service);
        self
    }
}

impl Start {
    /// A channel to another service, for any client tonic generates: `FactorialClient::new(s.grpc_channel("factorial"))`.
    ///
    /// # Panics
    /// When the service does not declare the call with [`Service::calls_grpc`]: edges are known without starting
    /// anything.
    #[track_caller]
    pub fn grpc_channel(&self, to: &str) -> GrpcChannel {
        if !self.grpc_calls.contains(to) {
            let from = self.service;
            panic!("{from} does not declare that it calls {to}: add `.calls_grpc(\"{to}\")`");
        }
        GrpcChannel::new(self.service, self.mesh.target(to), Some(self.tokens.clone()), self.ids.clone())
    }

    /// A channel to a service outside of the system, at one or the other of those addresses. Deadline and trace go along;
    /// tokens do not, since nobody knows who answers there.
    pub fn grpc_channel_at(&self, to: &str, addresses: &[SocketAddr]) -> GrpcChannel {
        // Under a name of its own: a service of the system may have the same.
        let name = format!("{to} outside of the system");
        self.mesh.connect_all(&name, addresses);
        GrpcChannel::new(self.service, self.mesh.target(&name), None, self.ids.clone())
    }
}

/// What tonic generates a server for.
pub trait GrpcService:
    TowerService<
        http::Request<tonic::body::Body>,
        Response = http::Response<tonic::body::Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + NamedService
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<G> GrpcService for G where
    G: TowerService<
            http::Request<tonic::body::Body>,
            Response = http::Response<tonic::body::Body>,
            Error = Infallible,
            Future: Send + 'static,
        > + NamedService
        + Clone
        + Send
        + Sync
        + 'static
{
}

impl<S: Send + Sync + 'static> Serving<S> {
    /// Serves a gRPC service on the state: `.grpc(FactorialServer::from_arc)`. Several are told apart by their names.
    #[must_use]
    pub fn grpc<G: GrpcService>(self, service: impl FnOnce(Arc<S>) -> G + 'static) -> Self {
        let serving = if self.declared.grpc.is_empty() {
            self.mount(|_, start| Ok(HealthServer::new(Readiness::of(start))))
        } else {
            self
        };
        serving.mount(|state, _| Ok(service(Arc::clone(state))))
    }

    /// Lets clients ask for the descriptors of the services, as command-line tools do: encoded file descriptor sets.
    #[must_use]
    pub fn reflection(self, descriptors: &'static [&'static [u8]]) -> Self {
        self.mount(move |_, _| {
            let mut builder = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
            for set in descriptors {
                builder = builder.register_encoded_file_descriptor_set(set);
            }
            Ok(builder.build_v1()?)
        })
    }

    fn mount<G: GrpcService>(
        mut self,
        make: impl FnOnce(&Arc<S>, &Start) -> Result<G, BoxError> + 'static,
    ) -> Self {
        self.declared.grpc.push(G::NAME);
        self.beside
            .push(Box::new(|state, start| Ok(Box::new(Mounted::new(start.service, make(state, start)?)))));
        self
    }
}
