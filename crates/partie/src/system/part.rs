//! One part of a system, alone in a process: a service, the gateway, or the platform they meet at.

mod announced;
pub(super) mod doors;
mod guest;
mod pass;
mod secured;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partie_contract::Contract;
use partie_gateway::{Edge, Readiness};
use partie_identity::{Authority, Joins, Signer, Verifier};
use partie_mesh::discovery::{EmbeddedRegistry, EmbeddedRegistryConfig, Registry};
use partie_mesh::{BindError, Listener, Mesh, Serve};
use partie_messaging::{BrokerDesk, BrokerWire, Stages};
use partie_runtime::Stop;
use partie_telemetry::Metrics;

use self::announced::{announce, refusal};
use self::doors::Doors;
use self::guest::Guest;
use self::pass::Pass;
pub(crate) use self::pass::{authority, signer};
use self::secured::Secured;
use super::error::StartError;
use super::launch::{Environment, Launch, compute, prune};
use super::prepare::DataDir;
use super::proof::Proof;
use super::readiness::{Dependency, Ready, found};
use super::running::{Kept, Leaving, Running};
use super::watch::Watch;
use super::{System, edges};
use crate::background::{Background, Carrier};
use crate::chaos::Chaos;
use crate::config::Config;
use crate::platform::{self, Backstage};
use crate::server::{Endpoint, GATEWAY, Server, Shared};
use crate::wire::{Admission, RegistryDesk, RegistryWire};

/// The names under which the mesh knows the platform's doors.
const REGISTRY: &str = "registry";
const BROKER: &str = "broker";
/// All it is known as.
const NAMES: &[&str] = &[platform::NAME, REGISTRY, BROKER];
/// The largest request to the platform, in bytes: batches of events.
const LARGEST_BATCH: usize = 16 << 20;
/// How long a process waits for a store whose owner is about to go.
const PATIENCE: Duration = Duration::from_secs(60);
/// In the platform's data directory: which join tokens have been used.
const JOINS: &str = "joins";

/// Where and as what one process of a system runs.
#[derive(Debug)]
pub(crate) struct Place {
    /// The service, `gateway` or `platform`.
    pub(crate) part: String,
    /// The system it is part of: whom tokens are for.
    pub(crate) system: String,
    /// Where to listen.
    pub(crate) listen: Listen,
    /// Where the parts find each other. The platform needs none: it is one.
    pub(crate) registry: Option<Meeting>,
    /// Where the broker is.
    pub(crate) broker: Option<SocketAddr>,
    /// What lets it be that service. Who has the key needs none.
    pub(crate) join: Option<String>,
    /// The key of the system, if it is not the development key.
    pub(crate) key: Option<PathBuf>,
    /// Told when all that is missing is a store that another process owns.
    pub(crate) waits: fn(),
}

/// Where the parts of a system find each other.
#[derive(Debug)]
pub(crate) enum Meeting {
    /// At the system's platform.
    Platform(SocketAddr),
    /// In a registry that somebody else runs.
    Engine(Arc<dyn Registry>),
}

/// Where a process listens.
#[derive(Debug)]
pub(crate) enum Listen {
    /// On sockets of its own.
    At(SocketAddr),
    /// On one that outlives it.
    Inherited(TcpListener),
}

impl System {
    /// Starts one part of the system in this process.
    pub(crate) async fn launch_part(
        mut self,
        mut place: Place,
        config: Config,
        environment: Environment,
    ) -> Result<Arc<Running>, StartError> {
        edges::check_part(self.services.iter().map(|service| &service.declared))?;
        Metrics::install();
        let known: Vec<&'static str> = self.parts();
        if !known.contains(&&*place.part) {
            return Err(StartError::UnknownPart { name: place.part, known });
        }
        let (contracts, grpc) = (self.contracts(), self.grpc());
        let service = self.services.iter().position(|service| service.declared.name == place.part);
        let service = service.map(|at| self.services.swap_remove(at));
        let carried = place.broker.is_some()
            || config.broker.url.is_some()
            || matches!(place.registry, Some(Meeting::Platform(_)));
        if let Some(service) = service.as_ref().map(|service| &service.declared)
            && service.migrations.is_some()
            && !carried
        {
            return Err(StartError::NoBroker { service: service.name });
        }

        let handles = environment.mesh_handles();
        let listener = place.listen.bind(&place.part, &config, handles.clone())?;
        let address = listener.local_addr();
        let watch = Watch::open(&config.admin, &handles, &place.system, &place.part)?;
        let data = if config.ephemeral {
            DataDir::temporary(self.name, environment.ids.below(u64::MAX))?
        } else {
            DataDir::keep(&config.data)?
        };
        // Who has joined without the key is given what the others come to by themselves.
        let mut guest = Guest::join(&place, &config, data.path(), &environment).await?;
        let proof = match (&guest, &place.key) {
            (Some(guest), _) => guest.proof(),
            (None, Some(path)) => Proof::Key(signer(path, &place.system)?),
            (None, None) => Proof::Key(Signer::development(data.path())?),
        };
        proof.signer().map_or(Ok(()), |signer| signer.check_listen(address))?;
        let secured = match &guest {
            Some(guest) => Some(Secured::given(guest.credentials())),
            None => Secured::new(&place, &config)?,
        };
        if let Some(guest) = &guest {
            place.join = Some(guest.member().to_owned());
        }
        let listener = match &secured {
            Some(secured) => secured.protect(&place.part, listener),
            None => listener,
        };
        if !secured::is_here(address) && !listener.speaks_tls() {
            let part = &place.part;
            tracing::warn!(%address, %part, "reached from elsewhere without TLS: the network there has to be a trusted one");
        }
        let chaos = self.chaos.map(Chaos::new);
        if let Some(chaos) = chaos.clone() {
            tokio::spawn(chaos.keep_leaving(place.part.clone(), data.path().to_owned()));
        }
        let launch = Launch {
            chaos: chaos.clone(),
            audience: &place.system,
            ready: Arc::default(),
            proof,
            mesh: Mesh::new(config.mesh.clone(), handles.clone()),
            compute: compute()?,
            config: &config,
            public_url: config.public_url(config.gateway.listen),
            environment: &environment,
            data: &data,
            patience: PATIENCE,
            waits: place.waits,
            closing: Stop::default(),
            alone: true,
            lane: Arc::default(),
        };
        if let Some(secured) = &secured {
            secured.show(&launch.mesh);
        }
        let trust = launch.trust(&place.part)?;
        let pass = Pass::new(&place, &launch, &trust.verifier, secured.as_ref())?;
        if let Some(guest) = &mut guest {
            guest.renew_if_due(&pass.desk(&launch.mesh), pass.calls()).await;
        }
        let mut parts = Assembly::new(Arc::clone(&trust.verifier), Arc::clone(&launch.ready));
        let judging = trust.readiness();
        trust.keep_fresh(&parts.stages.work);
        let (door, able) = match service {
            Some(service) => parts.service(&launch, &pass, service, judging).await?,
            None if place.part == GATEWAY => {
                let services = self.services.iter().map(|service| service.declared.name);
                parts.gateway(&launch, contracts.clone(), grpc, services, judging)?
            }
            None => {
                let services = self.services.iter().filter(|service| service.declared.migrations.is_some());
                let names = services.map(|service| service.declared.name);
                let authority = secured.as_ref().map(Secured::authority).transpose()?.flatten();
                parts.platform(&launch, &pass, names, &known, authority).await?
            }
        };

        let (signer, mesh) = (launch.proof.signer().cloned(), launch.mesh.clone());
        let stop = Stop::default();
        let tls = secured.is_some() && listener.speaks_tls();
        if let Some(secured) = secured {
            secured.keep(stop.clone());
        }
        if let Some(guest) = guest {
            guest.keep(pass.desk(&mesh), Arc::clone(pass.calls()), stop.clone());
        }
        let serving = tokio::spawn(listener.run(door, stop.clone()));
        parts.ready.store(true, Ordering::Release);
        // Callers may come now.
        let mut left = Leaving {
            announced: None,
            polls: launch.closing.clone(),
            lame_duck: config.gateway.limits.lame_duck,
            desks: parts.desks,
            registry: None,
            admin: None,
        };
        if place.part != GATEWAY {
            left.announced = announce(&pass, &place.part, (address, tls), &environment).await?;
        }
        // Whoever is told that it is ready may take it that others find it.
        left.admin = watch.started(able);
        let Assembly { edge, ready, stores, broker, stages, .. } = parts;
        let kept =
            Kept { signer, mesh, contracts, stores, broker, stages, stop, handles, edge, ready, chaos, data };
        Ok(Arc::new(Running::new(self.name, address, environment, kept, left, serving)))
    }

    /// Everything that can be a process of its own, in the order to start it.
    pub(crate) fn parts(&self) -> Vec<&'static str> {
        let mut parts = vec![platform::NAME];
        parts.extend(self.services.iter().map(|service| service.declared.name));
        if self.has_gateway {
            parts.push(GATEWAY);
        }
        parts
    }
}

/// A process in the making.
struct Assembly {
    verifier: Arc<Verifier>,
    ready: Arc<AtomicBool>,
    stores: BTreeMap<&'static str, partie_store::Store>,
    broker: Option<partie_messaging::EmbeddedBroker>,
    stages: Stages,
    desks: Stop,
    edge: Option<Arc<Edge>>,
}

// === impl Assembly ===

impl Assembly {
    fn new(verifier: Arc<Verifier>, ready: Arc<AtomicBool>) -> Self {
        Self {
            verifier,
            ready,
            stores: BTreeMap::new(),
            broker: None,
            stages: Stages::default(),
            desks: Stop::default(),
            edge: None,
        }
    }

    /// A service: its events go and come over the wire, and whom it calls is found in the registry.
    async fn service(
        &mut self,
        launch: &Launch<'_>,
        pass: &Pass,
        service: crate::Service,
        judging: impl Fn() -> Option<Readiness> + Send + Sync + 'static,
    ) -> Result<(Arc<dyn Serve>, Ready), StartError> {
        let name = service.declared.name;
        let carrier = match Carrier::vendor(&launch.config.broker)? {
            Some(vendor) => Some(vendor),
            None => pass.broker(launch).map(|broker| Carrier::Broker(Arc::new(broker))),
        };
        let background = Background {
            carrier,
            chaos: launch.chaos.clone(),
            stages: self.stages.clone(),
            config: launch.config.messaging.clone(),
        };
        let member = launch.service(service, &background, &self.verifier).await?;
        let server = Arc::clone(&member.server);
        if let Some(store) = member.store.clone() {
            let work = &self.stages.work;
            work.spawn(prune(vec![store.clone()], work.clone()));
            self.stores.insert(name, store);
        }
        Ok((server, launch.ready([Dependency::of(name, &member)], judging)))
    }

    /// The edge: every service is found in the registry.
    fn gateway(
        &mut self,
        launch: &Launch<'_>,
        contracts: Vec<&'static Contract>,
        grpc: Vec<(&'static str, &'static str)>,
        services: impl Iterator<Item = &'static str>,
        judging: impl Fn() -> Option<Readiness> + Send + Sync + 'static,
    ) -> Result<(Arc<dyn Serve>, Ready), StartError> {
        let targets: Vec<_> = services.map(|name| launch.mesh.target(name)).collect();
        let starting = Arc::clone(&self.ready);
        let able: Ready = Arc::new(move || {
            let starting = !starting.load(Ordering::Acquire);
            targets.iter().map(|target| found(target, starting)).chain(judging()).collect()
        });
        let parts = launch.parts(contracts, grpc, Arc::clone(&able), &self.verifier);
        let edge = Arc::new(launch.config.gateway.build(parts)?);
        self.edge = Some(Arc::clone(&edge));
        Ok((edge, able))
    }

    /// Registry and broker.
    async fn platform(
        &mut self,
        launch: &Launch<'_>,
        pass: &Pass,
        services: impl Iterator<Item = &'static str>,
        reserved: &[&'static str],
        authority: Option<Authority>,
    ) -> Result<(Arc<dyn Serve>, Ready), StartError> {
        let ids = &launch.environment.ids;
        let registry = EmbeddedRegistry::start(EmbeddedRegistryConfig::default());
        if pass.engine().is_none() {
            launch.mesh.discover(Arc::new(registry.clone()));
        }
        let backstage = Backstage::default();
        for service in services {
            backstage.add(service, pass.hand(launch.mesh.clone(), service));
        }
        let consul = launch.config.registry.consul.then(|| {
            let polls = launch.closing.clone();
            Arc::new(doors::consul(launch, &self.verifier, registry.clone(), reserved, polls))
        });
        let joins = Joins::open(&launch.data.path().join(JOINS))?;
        let admission = Admission { joins: Some(joins), authority, reserved: NAMES };
        let signer = launch.proof.signer().cloned().ok_or_else(|| StartError::Join {
            service: platform::NAME.to_owned(),
            reason: "it takes the key of the system: --key FILE".to_owned(),
        })?;
        let registry =
            RegistryDesk::open(registry, launch.audience, signer, admission, ids, launch.closing.clone());
        let mut endpoints = Endpoint::all(RegistryWire::routes(), &Arc::new(registry));
        if launch.config.broker.url.is_none() {
            let broker = launch.patiently(|| launch.broker()).await?;
            let (carried, polls) = (Arc::new(broker.clone()), launch.closing.clone());
            let desk = BrokerDesk::open(carried, ids.clone(), polls, &self.desks);
            endpoints.extend(Endpoint::all(BrokerWire::routes(), &Arc::new(desk)));
            self.broker = Some(broker);
        }
        endpoints.extend(platform::endpoints(backstage));
        let shared = Shared {
            verifier: Arc::clone(&self.verifier),
            store: None,
            worker: None,
            activity: launch.environment.activity.clone(),
            ids: ids.clone(),
            largest_body: LARGEST_BATCH,
            closing: launch.closing.clone(),
            lane: Arc::clone(&launch.lane),
        };
        let server = Server::new(platform::NAME, endpoints, Vec::new(), None, shared);
        let server =
            server.map_err(|error| StartError::Service { service: platform::NAME, reason: error.into() })?;
        // Those who issue tokens find each other here, so it cannot wait for them.
        let own = [Dependency::started(platform::NAME)];
        let able = launch.ready(own.into_iter().chain(self.broker.as_ref().map(Dependency::broker)), || None);
        Ok((Arc::new(Doors { consul, server: Arc::new(server) }), able))
    }
}

// === impl Listen ===

impl Listen {
    fn bind(
        &self,
        part: &str,
        config: &Config,
        handles: partie_mesh::Handles,
    ) -> Result<Listener, StartError> {
        let limits = match part {
            GATEWAY => config.gateway.limits.clone(),
            _ => doors::limits(&config.gateway.limits),
        };
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let workers = config.gateway.workers.unwrap_or_else(cores);
        let failed = |source| BindError::Io { address: config.gateway.listen, source };
        let listener = match self {
            Self::At(address) => Listener::bind(*address, limits, workers, handles)?,
            Self::Inherited(socket) => {
                Listener::adopt(socket.try_clone().map_err(failed)?, limits, workers, handles)?
            }
        };
        Ok(if part == GATEWAY { config.gateway.show(listener)? } else { listener })
    }
}
