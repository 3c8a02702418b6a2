//! The mesh: services by name, wherever they run, and channels to them.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use partie_contract::{
    BoxFuture, Call, Channel, Deadline, FaultKind, Operation, Platform, Request, Response, Transport,
};
use partie_runtime::duration;
use serde::{Deserialize, Serialize};

use crate::handles::Handles;
use crate::origin::Origin;
use crate::serve::{Peer, Serve};
use crate::stack::{self, Bulkhead};
use crate::transport::{Http1, Way};

/// Settings of the client stack, the same for every call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct MeshConfig {
    /// How many calls to one service may be under way, bodies included. The next one is rejected at once.
    pub in_flight: usize,
    /// How long a connection may take to come about.
    #[serde(with = "duration")]
    pub connect: Duration,
    /// How long an unused connection is kept: shorter than servers keep theirs, so that they rarely hang up on us.
    #[serde(with = "duration")]
    pub idle: Duration,
}

/// The one client stack of a program. Cheap to clone.
#[derive(Clone)]
pub struct Mesh(Arc<Shared>);

struct Shared {
    config: MeshConfig,
    handles: Handles,
    targets: RwLock<HashMap<Arc<str>, Target>>,
}

/// One service as its callers see it: a name, a bound, and a way there that may change. Cheap to clone.
#[derive(Clone)]
pub struct Target(Arc<TargetState>);

pub(crate) struct TargetState {
    pub(crate) service: Arc<str>,
    pub(crate) bulkhead: Arc<Bulkhead>,
    pub(crate) handles: Handles,
    way: RwLock<Option<Way>>,
}

// === impl MeshConfig ===

impl Default for MeshConfig {
    fn default() -> Self {
        Self { in_flight: 1024, connect: Duration::from_secs(1), idle: Duration::from_secs(3) }
    }
}

// === impl Mesh ===

impl Mesh {
    /// A mesh that knows no service yet.
    pub fn new(config: MeshConfig, handles: Handles) -> Self {
        Self(Arc::new(Shared { config, handles, targets: RwLock::default() }))
    }

    /// Calls to the service stay in this process from now on.
    pub fn attach(&self, service: &str, serve: Arc<dyn Serve>) {
        self.target(service).lead(Some(Way::InProcess(serve)));
    }

    /// Calls to the service go to that address from now on.
    pub fn connect(&self, service: &str, address: SocketAddr) {
        let Shared { config, .. } = &*self.0;
        self.target(service).lead(Some(Way::Http1(Arc::new(Http1::new(
            address,
            config.connect,
            config.idle,
        )))));
    }

    /// The service is nowhere from now on. Calls under way go on.
    pub fn disconnect(&self, service: &str) {
        self.target(service).lead(None);
    }

    /// A channel for typed clients. The service may be attached or connected later.
    pub fn channel(&self, origin: Origin, to: &str) -> Channel {
        Channel::new(Line { origin, target: self.target(to) })
    }

    /// The service by that name, whether anybody knows a way there or not.
    pub fn target(&self, service: &str) -> Target {
        let Shared { config, handles, targets } = &*self.0;
        if let Some(target) = targets.read().unwrap_or_else(PoisonError::into_inner).get(service) {
            return target.clone();
        }
        let name: Arc<str> = service.into();
        let mut targets = targets.write().unwrap_or_else(PoisonError::into_inner);
        let entry = targets.entry(Arc::clone(&name));
        entry.or_insert_with(|| Target::new(name, config.in_flight, handles.clone())).clone()
    }

    /// Sends a request on to a service, as the gateway does.
    ///
    /// # Errors
    /// As [`Target::forward`].
    pub async fn forward(
        &self,
        to: &str,
        from: Peer,
        request: Request,
        deadline: Deadline,
    ) -> Result<Response, Platform> {
        self.target(to).forward(from, request, deadline).await
    }

    /// The program's handles.
    pub fn handles(&self) -> &Handles {
        &self.0.handles
    }
}

impl fmt::Debug for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets = self.0.targets.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(targets.values()).finish()
    }
}

// === impl Target ===

impl Target {
    fn new(service: Arc<str>, in_flight: usize, handles: Handles) -> Self {
        let bulkhead = Bulkhead::new(Arc::clone(&service), in_flight);
        Self(Arc::new(TargetState { service, bulkhead, handles, way: RwLock::default() }))
    }

    /// Sends a request on, headers and all.
    ///
    /// `from` is who hands it over, if the service is in this process. The gateway passes on the client it serves, so
    /// that the service treats the request as it would one from the network: it trusts nothing but tokens.
    ///
    /// # Errors
    /// [`FaultKind::UpstreamUnavailable`] when the service is nowhere or refuses connections,
    /// [`FaultKind::Overloaded`] at once when too much is under way, [`FaultKind::UpstreamTimeout`] at the deadline,
    /// [`FaultKind::UpstreamFailed`] when the service broke off.
    pub async fn forward(
        &self,
        from: Peer,
        request: Request,
        deadline: Deadline,
    ) -> Result<Response, Platform> {
        stack::call(&self.0, from, None, request, deadline).await
    }

    /// Whether anybody knows a way there.
    pub fn is_known(&self) -> bool {
        self.0.way.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn lead(&self, way: Option<Way>) {
        *self.0.way.write().unwrap_or_else(PoisonError::into_inner) = way;
    }
}

impl TargetState {
    /// The way there, as of now.
    pub(crate) fn way(&self) -> Result<Way, Platform> {
        let way = self.way.read().unwrap_or_else(PoisonError::into_inner).clone();
        way.ok_or_else(|| {
            Platform::new(FaultKind::UpstreamUnavailable)
                .with_detail(format!("no instance of {} is known", self.service))
        })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TargetState { service, way, .. } = &*self.0;
        write!(f, "{service}: {:?}", way.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a typed client holds on to.
struct Line {
    origin: Origin,
    target: Target,
}

impl Transport for Line {
    fn send(
        &self,
        call: Call,
        _: &'static Operation,
        request: Request,
    ) -> BoxFuture<'static, Result<Response, Platform>> {
        let (origin, target) = (self.origin.clone(), self.target.clone());
        let from = Peer::InProcess(Arc::clone(origin.service()));
        Box::pin(async move { stack::call(&target.0, from, Some(&origin), request, call.deadline()).await })
    }
}
