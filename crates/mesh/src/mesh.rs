//! The mesh: services by name, wherever they run, and channels to them.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwapOption;
use partie_contract::{
    BoxFuture, Call, Channel, Deadline, Operation, Platform, Request, Response, Transport, boxed,
};

use crate::discovery::{Following, Instance, Registry};
use crate::handles::Handles;
use crate::origin::Origin;
use crate::resilience::MeshConfig;
use crate::serve::{Peer, Serve};
use crate::service::MeshService;
use crate::stack::{self, Once};
use crate::target::{Target, Way};
use crate::tls::{ClientTls, Credentials};

/// The one client stack of a program. Cheap to clone.
#[derive(Clone)]
pub struct Mesh(Arc<Shared>);

struct Shared {
    config: Arc<MeshConfig>,
    handles: Handles,
    /// Any number: by it this process chooses among the instances of large fleets.
    process: u64,
    credentials: Arc<ArcSwapOption<Credentials>>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    targets: HashMap<Arc<str>, Target>,
    /// Where services are looked for that are neither attached nor connected, and on which runtime.
    registry: Option<(Arc<dyn Registry>, tokio::runtime::Handle)>,
}

// === impl Mesh ===

impl Mesh {
    /// A mesh that knows no service yet.
    pub fn new(config: MeshConfig, handles: Handles) -> Self {
        let process = handles.ids.below(u64::MAX);
        let (config, known, credentials) = (Arc::new(config), RwLock::default(), Arc::default());
        Self(Arc::new(Shared { config, handles, process, credentials, known }))
    }

    /// Calls to the service stay in this process from now on.
    pub fn attach(&self, service: &str, serve: Arc<dyn Serve>) {
        self.target(service).lead(Way::Here(serve));
    }

    /// Calls to the service go to that address from now on.
    pub fn connect(&self, service: &str, address: SocketAddr) {
        self.connect_all(service, &[address]);
    }

    /// Calls to the service go to one or the other of those addresses from now on.
    pub fn connect_all(&self, service: &str, addresses: &[SocketAddr]) {
        self.connect_instances(service, &at(addresses));
    }

    /// Calls to the service go to one or the other of those instances from now on.
    pub fn connect_instances(&self, service: &str, instances: &[Instance]) {
        self.target(service).lead_to(instances, None);
    }

    /// Calls to the service go to one or the other of those addresses from now on, through TLS.
    pub fn connect_tls(&self, service: &str, addresses: &[SocketAddr], tls: ClientTls) {
        self.target(service).lead_to(&at(addresses), Some(tls));
    }

    /// What is shown to instances that [speak TLS](Instance::tls); they have to prove that they are of the service that is
    /// called. Say so before services are connected or found: without credentials such instances cannot be reached.
    pub fn secure(&self, credentials: Credentials) {
        self.0.credentials.store(Some(Arc::new(credentials)));
    }

    /// Services that are neither attached nor connected are found in that registry from now on, each when it is first
    /// asked for. Call it inside the tokio runtime on which registries are to be followed.
    pub fn discover(&self, registry: Arc<dyn Registry>) {
        let runtime = tokio::runtime::Handle::current();
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        for target in known.targets.values().filter(|target| !target.is_led()) {
            self.0.follow(target, &registry, &runtime);
        }
        known.registry = Some((registry, runtime));
    }

    /// The service is nowhere from now on. Calls under way go on.
    pub fn disconnect(&self, service: &str) {
        self.target(service).lead(Way::Nowhere);
    }

    /// A channel for typed clients. The service may be attached or connected later.
    pub fn channel(&self, origin: Origin, to: &str) -> Channel {
        Channel::new(Line { origin, target: self.target(to) })
    }

    /// The service by that name, whether anybody knows a way there or not.
    pub fn target(&self, service: &str) -> Target {
        let Shared { config, handles, process, credentials, known } = &*self.0;
        if let Some(target) = known.read().unwrap_or_else(PoisonError::into_inner).targets.get(service) {
            return target.clone();
        }
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        let Known { targets, registry } = &mut *known;
        let name: Arc<str> = service.into();
        let entry = targets.entry(Arc::clone(&name));
        let target = entry.or_insert_with(|| {
            let (config, credentials) = (Arc::clone(config), Arc::clone(credentials));
            let target = Target::new(name, config, *process, handles.clone(), credentials);
            if let Some((registry, runtime)) = registry {
                self.0.follow(&target, registry, runtime);
            }
            target
        });
        target.clone()
    }

    /// The service by that name, to be called with plain requests.
    pub fn service(&self, name: &str) -> MeshService {
        MeshService::new(self.target(name))
    }

    /// Forgets a service that was only asked for, and to which nobody knows a way: a registry is not asked about it any
    /// longer. What holds on to it goes on as it is. For programs that are asked for names others make up.
    pub fn forget_unknown(&self, service: &str) {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.targets.get(service).is_some_and(|target| !target.is_known()) {
            known.targets.remove(service);
        }
    }

    /// Forgets a service and the way there: whoever asks for it next gets another one, which nobody has said anything about.
    /// What holds on to it goes on as it is.
    pub fn forget(&self, service: &str) {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner).targets.remove(service);
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
        self.target(to).forward(from, None, request, deadline).await
    }

    /// The table of policies.
    pub fn config(&self) -> &MeshConfig {
        &self.0.config
    }

    /// The program's handles.
    pub fn handles(&self) -> &Handles {
        &self.0.handles
    }
}

impl fmt::Debug for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(known.targets.values()).finish()
    }
}

impl Shared {
    fn follow(&self, target: &Target, registry: &Arc<dyn Registry>, runtime: &tokio::runtime::Handle) {
        let _entered = runtime.enter();
        target.follow(Following::begin(Arc::clone(registry), target.service(), self.handles.ids.clone()));
    }
}

fn at(addresses: &[SocketAddr]) -> Vec<Instance> {
    addresses.iter().map(|address| Instance::new(address.to_string(), *address)).collect()
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
        operation: &'static Operation,
        mut request: Request,
    ) -> BoxFuture<'static, Result<Response, Platform>> {
        let (origin, target) = (self.origin.clone(), self.target.clone());
        let from = Peer::InProcess(Arc::clone(origin.service()));
        if call.is_once() {
            request.extensions_mut().insert(Once);
        }
        boxed(move || async move {
            let sent =
                stack::call(&target.0, from, Some(&origin), Some(operation), &mut request, call.deadline());
            sent.await
        })
    }
}
