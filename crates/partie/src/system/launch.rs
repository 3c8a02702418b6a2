//! From a declared system to a running one, in the order that touches nothing before it may.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partie_cache::Caches;
use partie_contract::BoxError;
use partie_gateway::{DemoIdentity, Parts, Readiness};
use partie_identity::{DevelopmentKeyOffLoopback, Grant, Signer, Verifier};
use partie_mesh::{Handles, Mesh, Serve};
use partie_messaging::{EmbeddedBroker, Stages, Worker};
use partie_runtime::{Activity, Clock, Compute, Ids, Stop, monotonic};
use partie_store::{Durability, Migration, MigrationSet, OpenError, Store};
use partie_telemetry::Metrics;

use super::System;
use super::edges;
use super::error::StartError;
use super::part::doors;
use super::prepare::DataDir;
use super::proof::Proof;
use super::readiness::{Dependency, Ready};
use super::registry::RegistryDoor;
use super::running::{Kept, Leaving, Running};
use super::watch::Watch;
use crate::background::{Background, Carrier};
use crate::chaos::Chaos;
use crate::config::{Config, PublicUrl};
use crate::platform::{self, Backstage, Behind, Front, Hand};
use crate::server::{Endpoint, GATEWAY, LARGEST_BODY, Server, Shared, SlowLane};
use crate::service::{Service, Start, Started};
use crate::trust::Trust;

/// Who an anonymous write on a tutorial's route is by, in development.
const DEMO_CUSTOMER: &str = "demo-customer";
/// How long a demo token is good for.
const DEMO_LIFETIME: Duration = Duration::from_hours(1);
/// Tasks that may wait for the compute pool.
const COMPUTE_QUEUE: usize = 64;
/// How long to wait before a lock that is held is tried again.
const LOCK_AGAIN: Duration = Duration::from_millis(20);
/// How often idempotency keys that are old enough are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// The handles a system runs with. The default is the real world.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Business time.
    pub clock: Clock,
    /// Ids and jitter.
    pub ids: Ids,
    /// Whether anything is going on.
    pub activity: Activity,
}

// === impl Environment ===

impl Default for Environment {
    fn default() -> Self {
        Self { clock: Clock::wall(), ids: Ids::from_entropy(), activity: Activity::default() }
    }
}

impl Environment {
    pub(super) fn mesh_handles(&self) -> Handles {
        Handles { activity: self.activity.clone(), ids: self.ids.clone(), ..Handles::default() }
    }
}

// === impl System ===

impl System {
    /// Starts the system in this process and returns once it answers. It runs until [`Running::stop`].
    ///
    /// # Errors
    /// [`StartError`], in one line.
    pub fn launch(
        self,
        config: Config,
        environment: Environment,
    ) -> impl Future<Output = Result<Arc<Running>, StartError>> {
        // It is large, and is held by the future of whoever awaits it.
        Box::pin(self.rise(config, environment))
    }

    async fn rise(self, config: Config, environment: Environment) -> Result<Arc<Running>, StartError> {
        super::check(&self)?;
        // Stores measure for the recorder that is there when they open.
        Metrics::install();
        if let Some(unknown) = config.services.keys().find(|name| !self.defaults.services.contains_key(*name))
        {
            return Err(StartError::UnknownService(unknown.clone()));
        }
        // The port first: a second start of the same system must not touch the first one's data.
        let handles = environment.mesh_handles();
        let listener = config.gateway.bind(handles.clone())?;
        let address = listener.local_addr();
        // The development key may not serve others, and is not even made then.
        if !address.ip().to_canonical().is_loopback() {
            return Err(DevelopmentKeyOffLoopback { addr: address }.into());
        }
        let registry = match config.registry.consul {
            true => Some(config.registry.bind::<StartError>(&RegistryDoor::limits(), &handles)?),
            false => None,
        };
        let watch = Watch::open(&config.admin, &handles, self.name, self.name)?;
        let data = if config.ephemeral {
            DataDir::temporary(self.name, environment.ids.below(u64::MAX))?
        } else {
            DataDir::keep(&config.data)?
        };

        let ready = Arc::new(AtomicBool::new(false));
        let chaos = self.chaos.map(Chaos::new);
        let launch = Launch {
            chaos: chaos.clone(),
            audience: self.name,
            ready: Arc::clone(&ready),
            proof: Proof::Key(Signer::development(data.path())?),
            mesh: Mesh::new(config.mesh.clone(), handles.clone()),
            compute: compute()?,
            config: &config,
            public_url: config.public_url(address),
            environment: &environment,
            data: &data,
            patience: Duration::ZERO,
            waits: || {},
            closing: Stop::default(),
            alone: false,
            lane: Arc::default(),
        };
        let trust = launch.trust(GATEWAY)?;
        let verifier = Arc::clone(&trust.verifier);
        let registry = registry.map(|listener| doors::open(&launch, &verifier, &self.parts(), listener));
        let contracts = self.contracts();
        let grpc = self.grpc();
        let has_platform = self.has_platform();

        // What carries the events, then the services, callees first, then what looks at them.
        let has_events = self.services.iter().any(|service| service.declared.migrations.is_some());
        let vendor = Carrier::vendor(&config.broker)?;
        let broker = if has_events && vendor.is_none() { Some(launch.broker()?) } else { None };
        let carrier = broker.clone().map(|broker| Carrier::Broker(Arc::new(broker)));
        let background = Background {
            carrier: vendor.or(carrier),
            chaos: launch.chaos.clone(),
            stages: Stages::default(),
            config: config.messaging.clone(),
        };
        let judging = trust.readiness();
        let backstage = Backstage::default();
        let mut services = edges::callees_first(self.services);
        if has_platform {
            services.push(platform::service(backstage.clone()));
        }
        let mut members: BTreeMap<&'static str, Member> = BTreeMap::new();
        for service in services {
            let name = service.declared.name;
            let member = launch.service(service, &background, &verifier).await?;
            launch.mesh.attach(name, Arc::clone(&member.server));
            member.worker.iter().for_each(|worker| backstage.add(name, Hand::Here(worker.clone())));
            members.insert(name, member);
        }
        let stores: BTreeMap<_, _> =
            members.iter().filter_map(|(name, member)| Some((*name, member.store.clone()?))).collect();
        background
            .stages
            .work
            .spawn(prune(stores.values().cloned().collect(), background.stages.work.clone()));

        // One door, or the one service itself.
        let dependencies = members.iter().map(|(name, member)| Dependency::of(name, member));
        let able = launch.ready(dependencies.chain(broker.as_ref().map(Dependency::broker)), judging);
        let edge = if self.has_gateway {
            let parts = launch.parts(contracts.clone(), grpc, Arc::clone(&able), &verifier);
            Some(Arc::new(config.gateway.build(parts)?))
        } else {
            None
        };
        let door: Arc<dyn Serve> = match &edge {
            Some(edge) => Arc::clone(edge) as Arc<dyn Serve>,
            None => members.values().next().map(|member| Arc::clone(&member.server)).ok_or(
                StartError::Service { service: self.name, reason: "there is no service in it".into() },
            )?,
        };
        let (signer, mesh) = (launch.proof.signer().cloned(), launch.mesh.clone());
        let stop = Stop::default();
        let serving = tokio::spawn(listener.run(door, stop.clone()));
        ready.store(true, Ordering::Release);
        // Services of this process are asked for their keys too, so they have to be there.
        trust.keep_fresh(&background.stages.work);
        let stages = background.stages;
        let left = Leaving { registry, admin: watch.started(able), ..Leaving::default() };
        let kept =
            Kept { signer, mesh, contracts, stores, broker, stages, stop, handles, edge, ready, chaos, data };
        Ok(Arc::new(Running::new(self.name, address, environment, kept, left, serving)))
    }
}

/// A service that runs.
pub(super) struct Member {
    pub(super) server: Arc<dyn Serve>,
    pub(super) store: Option<Store>,
    pub(super) worker: Option<Worker>,
}

/// What every service is started with.
pub(super) struct Launch<'l> {
    /// Tokens are for this system.
    pub(super) audience: &'l str,
    /// Whether it serves, and nothing drains.
    pub(super) ready: Arc<AtomicBool>,
    pub(super) proof: Proof,
    pub(super) mesh: Mesh,
    pub(super) compute: Compute,
    pub(super) config: &'l Config,
    /// Where people reach the system.
    pub(super) public_url: PublicUrl,
    pub(super) environment: &'l Environment,
    pub(super) data: &'l DataDir,
    /// How long to wait for a store that another process owns.
    pub(super) patience: Duration,
    /// Told when it has to wait.
    pub(super) waits: fn(),
    /// Stopped when nobody may wait for news any more.
    pub(super) closing: Stop,
    /// Whether the platform is in another process.
    pub(super) alone: bool,
    /// For operations of all services that hold up their thread.
    pub(super) lane: Arc<SlowLane>,
    /// What goes wrong on purpose.
    pub(super) chaos: Option<Chaos>,
}

impl Launch<'_> {
    /// Whom this process believes; it asks others as `part`.
    pub(super) fn trust(&self, part: &str) -> Result<Trust, StartError> {
        let tokens = self.proof.tokens(self.audience, part);
        let tokens =
            tokens.map_err(|error| StartError::Service { service: "identity", reason: error.into() })?;
        let ids = &self.environment.ids;
        let own = self.proof.trusted(self.audience);
        Ok(Trust::open(self.config, self.audience, own, &self.mesh, ids, &tokens)?)
    }

    pub(super) async fn service(
        &self,
        service: Service,
        background: &Background,
        verifier: &Arc<Verifier>,
    ) -> Result<Member, StartError> {
        let Service { declared, starter } = service;
        let name = declared.name;
        let failed = |reason: BoxError| StartError::Service { service: name, reason };
        let store = match declared.migrations {
            Some(migrations) => Some(self.patiently(|| self.store(name, migrations)).await?),
            None => None,
        };
        let tokens = self.proof.tokens(self.audience, name);
        let settings = self.config.services.get(name).and_then(|value| value.as_table().cloned());
        let start = Start {
            service: name,
            calls: Arc::new(declared.calls),
            grpc_calls: Arc::new(declared.grpc_calls),
            grpc: declared.grpc.into(),
            ready: Arc::clone(&self.ready),
            store: store.clone(),
            caches: Caches::open(&self.config.cache, self.audience, name, self.environment.ids.clone()),
            background: background.clone(),
            data: self.data.path().into(),
            mesh: self.mesh.clone(),
            clock: self.environment.clock.clone(),
            ids: self.environment.ids.clone(),
            activity: self.environment.activity.clone(),
            compute: self.compute.clone(),
            tokens: tokens.map_err(|error| failed(error.into()))?,
            settings: settings.unwrap_or_default(),
            public_url: self.public_url.clone(),
        };
        let Started { mut endpoints, beside, fallback, worker } = starter(start).await.map_err(failed)?;
        if let (true, Some(worker)) = (self.alone, worker.clone()) {
            endpoints.extend(Endpoint::all(Behind::routes(), &Arc::new(Front { service: name, worker })));
        }
        let shared = Shared {
            verifier: Arc::clone(verifier),
            store: store.clone(),
            worker: worker.clone(),
            activity: self.environment.activity.clone(),
            ids: self.environment.ids.clone(),
            largest_body: LARGEST_BODY,
            closing: self.closing.clone(),
            lane: Arc::clone(&self.lane),
        };
        let server =
            Server::new(name, endpoints, beside, fallback, shared).map_err(|error| failed(error.into()))?;
        let server: Arc<dyn Serve> = Arc::new(server);
        let server = match &self.chaos {
            Some(chaos) => chaos.serve(name, server),
            None => server,
        };
        Ok(Member { server, store, worker })
    }

    fn store(&self, name: &'static str, migrations: &'static [Migration]) -> Result<Store, OpenError> {
        let config = self.durable(self.config.store.clone());
        let sets = [MigrationSet { name: "service", migrations }, partie_messaging::MIGRATIONS];
        match config.url.clone() {
            None => Store::open(self.data.path(), name, &sets, self.store_handles(), config),
            Some(url) => Store::connect(url.reveal(), name, &sets, self.store_handles(), config),
        }
    }

    /// Opens a store. One that another process owns is waited for as long as this start may wait: in a rolling restart
    /// that process is about to go.
    pub(super) async fn patiently<T>(&self, open: impl Fn() -> Result<T, OpenError>) -> Result<T, OpenError> {
        let until = monotonic() + self.patience;
        let mut told = false;
        loop {
            match open() {
                Err(locked @ OpenError::Locked { .. }) if monotonic() < until => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::info!(reason = %locked, "waiting for the store");
                        (self.waits)();
                    }
                    tokio::time::sleep(LOCK_AGAIN).await;
                }
                opened => return opened,
            }
        }
    }

    pub(super) fn broker(&self) -> Result<EmbeddedBroker, OpenError> {
        let mut config = self.config.broker.clone();
        config.store = self.durable(config.store);
        EmbeddedBroker::open(self.data.path(), self.store_handles(), config)
    }

    fn store_handles(&self) -> partie_store::Handles {
        let Environment { clock, ids, activity } = self.environment.clone();
        partie_store::Handles { clock, ids, activity }
    }

    /// What is gone at the end anyway is not forced to disk.
    fn durable(&self, mut config: partie_store::Config) -> partie_store::Config {
        if self.config.ephemeral {
            config.durability = Durability::Relaxed;
        }
        config
    }

    /// Whether all that can do its work, and tokens can be judged.
    pub(super) fn ready(
        &self,
        dependencies: impl IntoIterator<Item = Dependency>,
        judging: impl Fn() -> Option<Readiness> + Send + Sync + 'static,
    ) -> Ready {
        let dependencies: Vec<Dependency> = dependencies.into_iter().collect();
        let ready = Arc::clone(&self.ready);
        Arc::new(move || {
            let starting = !ready.load(Ordering::Acquire);
            dependencies.iter().map(|dependency| dependency.readiness(starting)).chain(judging()).collect()
        })
    }

    pub(super) fn parts(
        &self,
        contracts: Vec<&'static partie_contract::Contract>,
        grpc: Vec<(&'static str, &'static str)>,
        ready: Ready,
        verifier: &Arc<Verifier>,
    ) -> Parts {
        let metrics = Metrics::install();
        let (demo_verifier, audience) = (Arc::clone(verifier), self.audience.to_owned());
        // Whoever has not the key makes up nobody.
        let demo = self.proof.signer().cloned().map(|signer| {
            let demo = move || {
                let grant =
                    Grant::new(&*audience, DEMO_CUSTOMER, DEMO_LIFETIME).role("customer").role("demo");
                // Verified like any other token, so that nothing but tokens makes an identity.
                signer.issue(&grant).ok().and_then(|token| demo_verifier.verify(&token).ok())
            };
            Arc::new(demo) as DemoIdentity
        });
        Parts {
            title: self.audience.to_owned(),
            contracts,
            grpc,
            mesh: self.mesh.clone(),
            verifier: Arc::clone(verifier),
            ready,
            metrics: Arc::new(move || metrics.render()),
            demo,
        }
    }
}

/// Removes idempotency keys that are old enough.
pub(super) async fn prune(stores: Vec<Store>, stop: Stop) {
    let stopped = stop.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! { () = tokio::time::sleep(PRUNE_EVERY) => {}, () = &mut stopped => return }
        for store in &stores {
            if let Err(error) = store.prune().await {
                tracing::warn!(store = store.name(), %error, "old keys could not be removed");
            }
        }
    }
}

/// One thread for each core: the pool is for computing, not for waiting.
pub(super) fn compute() -> Result<Compute, StartError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    Compute::start(cores, COMPUTE_QUEUE)
        .map_err(|error| StartError::Service { service: "compute", reason: error.into() })
}
