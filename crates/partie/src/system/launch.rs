//! From a declared system to a running one, in the order that touches nothing before it may.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partie_contract::BoxError;
use partie_gateway::{BuildError, Parts, Readiness};
use partie_identity::{DevelopmentKeyOffLoopback, Grant, KeyError, ServiceTokens, Signer, Verifier};
use partie_mesh::{BindError, Handles, Mesh, Serve};
use partie_runtime::{Activity, Clock, Compute, Ids, Stop};
use partie_store::{Durability, Health, Migration, MigrationSet, OpenError, Store};
use partie_telemetry::Metrics;

use super::System;
use super::edges::{self, EdgeError};
use super::prepare::{DataDir, DataDirError};
use super::running::{Kept, Running};
use crate::config::Config;
use crate::server::{Server, Shared};
use crate::service::{Service, Start, Started};

/// Who an anonymous write on a tutorial's route is by, in development.
const DEMO_CUSTOMER: &str = "demo-customer";
/// How long a demo token is good for.
const DEMO_LIFETIME: Duration = Duration::from_hours(1);
/// Tasks that may wait for the compute pool.
const COMPUTE_QUEUE: usize = 64;

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

/// Why a system does not start. One line, and nothing was touched that was not its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port is taken, or cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The development key may not leave this machine.
    #[error(transparent)]
    Development(#[from] DevelopmentKeyOffLoopback),
    /// The data directory cannot be used.
    #[error(transparent)]
    Data(#[from] DataDirError),
    /// The signing key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The services call each other in a way that cannot work.
    #[error(transparent)]
    Edges(#[from] EdgeError),
    /// The contracts cannot stand behind one door.
    #[error(transparent)]
    Gateway(#[from] BuildError),
    /// A service did not start.
    #[error("{service} did not start: {reason}")]
    Service {
        /// Which.
        service: &'static str,
        /// Why.
        reason: BoxError,
    },
    /// Settings for a service that is not there.
    #[error("[services.{0}]: there is no such service, or it has no settings")]
    UnknownService(String),
}

// === impl Environment ===

impl Default for Environment {
    fn default() -> Self {
        Self { clock: Clock::wall(), ids: Ids::from_entropy(), activity: Activity::default() }
    }
}

impl Environment {
    fn mesh_handles(&self) -> Handles {
        Handles { activity: self.activity.clone(), ids: self.ids.clone(), ..Handles::default() }
    }
}

// === impl System ===

impl System {
    /// Starts the system in this process and returns once it answers. It runs until [`Running::stop`].
    ///
    /// # Errors
    /// [`StartError`], in one line.
    pub async fn launch(self, config: Config, environment: Environment) -> Result<Arc<Running>, StartError> {
        edges::check(self.services.iter().map(|service| &service.declared))?;
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
        let data = if config.ephemeral {
            DataDir::temporary(self.name, environment.ids.below(u64::MAX))?
        } else {
            DataDir::keep(&config.data)?
        };

        let launch = Launch {
            audience: self.name,
            signer: Signer::development(data.path())?,
            mesh: Mesh::new(config.mesh.clone(), handles.clone()),
            compute: compute()?,
            config: &config,
            environment: &environment,
            data: &data,
        };
        let verifier = Arc::new(launch.signer.verifier(self.name));
        let contracts = self.contracts();
        let ready = Arc::new(AtomicBool::new(false));
        let mut stores = BTreeMap::new();
        let mut servers: BTreeMap<&'static str, Arc<dyn Serve>> = BTreeMap::new();
        for service in self.services {
            let name = service.declared.name;
            let (server, store) = launch.service(service, &verifier).await?;
            launch.mesh.attach(name, Arc::clone(&server));
            servers.insert(name, server);
            stores.extend(store.map(|store| (name, store)));
        }

        // One door, or the one service itself.
        let door: Arc<dyn Serve> = if self.has_gateway {
            let parts = launch.parts(contracts.clone(), &servers, &stores, &ready, &verifier);
            Arc::new(config.gateway.build(parts)?)
        } else {
            servers.values().next().cloned().ok_or(StartError::Service {
                service: self.name,
                reason: "there is no service in it".into(),
            })?
        };
        let (signer, mesh) = (launch.signer.clone(), launch.mesh.clone());
        let stop = Stop::default();
        let serving = tokio::spawn(listener.run(door, stop.clone()));
        ready.store(true, Ordering::Release);
        let kept = Kept { data, signer, mesh, contracts, stores, serving, stop, handles, ready };
        Ok(Arc::new(Running::new(self.name, address, environment, kept)))
    }
}

/// What every service is started with.
struct Launch<'l> {
    /// Tokens are for this system.
    audience: &'static str,
    signer: Signer,
    mesh: Mesh,
    compute: Compute,
    config: &'l Config,
    environment: &'l Environment,
    data: &'l DataDir,
}

impl Launch<'_> {
    async fn service(
        &self,
        service: Service,
        verifier: &Arc<Verifier>,
    ) -> Result<(Arc<dyn Serve>, Option<Store>), StartError> {
        let Service { declared, starter } = service;
        let name = declared.name;
        let failed = |reason: BoxError| StartError::Service { service: name, reason };
        let store = declared.migrations.map(|migrations| self.store(name, migrations)).transpose()?;
        let tokens = ServiceTokens::new(self.signer.clone(), self.audience, name);
        let settings = self.config.services.get(name).and_then(|value| value.as_table().cloned());
        let start = Start {
            service: name,
            calls: Arc::new(declared.calls),
            store: store.clone(),
            mesh: self.mesh.clone(),
            clock: self.environment.clock.clone(),
            ids: self.environment.ids.clone(),
            activity: self.environment.activity.clone(),
            compute: self.compute.clone(),
            tokens: tokens.map_err(|error| failed(error.into()))?,
            settings: settings.unwrap_or_default(),
        };
        let Started { endpoints, fallback } = starter(start).await.map_err(failed)?;
        let shared = Shared {
            verifier: Arc::clone(verifier),
            store: store.clone(),
            activity: self.environment.activity.clone(),
            ids: self.environment.ids.clone(),
        };
        let server = Server::new(name, endpoints, fallback, shared).map_err(|error| failed(error.into()))?;
        Ok((Arc::new(server), store))
    }

    fn store(&self, name: &'static str, migrations: &'static [Migration]) -> Result<Store, OpenError> {
        let Environment { clock, ids, activity } = self.environment.clone();
        let handles = partie_store::Handles { clock, ids, activity };
        let mut config = self.config.store.clone();
        if self.config.ephemeral {
            config.durability = Durability::Relaxed;
        }
        let sets = [MigrationSet { name: "service", migrations }];
        Store::open(self.data.path(), name, &sets, handles, config)
    }

    fn parts(
        &self,
        contracts: Vec<&'static partie_contract::Contract>,
        servers: &BTreeMap<&'static str, Arc<dyn Serve>>,
        stores: &BTreeMap<&'static str, Store>,
        ready: &Arc<AtomicBool>,
        verifier: &Arc<Verifier>,
    ) -> Parts {
        let (names, stores): (Vec<_>, _) = (servers.keys().copied().collect(), stores.clone());
        let (ready, metrics) = (Arc::clone(ready), Metrics::install());
        let (signer, demo_verifier, audience) = (self.signer.clone(), Arc::clone(verifier), self.audience);
        let demo = move || {
            let grant = Grant::new(audience, DEMO_CUSTOMER, DEMO_LIFETIME).role("customer").role("demo");
            // Verified like any other token, so that nothing but tokens makes an identity.
            signer.issue(&grant).ok().and_then(|token| demo_verifier.verify(&token).ok())
        };
        Parts {
            title: self.audience.to_owned(),
            contracts,
            mesh: self.mesh.clone(),
            verifier: Arc::clone(verifier),
            jwks: self.signer.jwks(),
            ready: Arc::new(move || {
                let problem = |name: &str| match stores.get(name).map(Store::health) {
                    _ if !ready.load(Ordering::Acquire) => Some("is starting or draining".to_owned()),
                    None | Some(Health::Ready) => None,
                    Some(Health::Closed) => Some("its store is closed".to_owned()),
                    Some(Health::Degraded(reason) | Health::Failed(reason)) => Some(reason.to_string()),
                    Some(other) => Some(format!("its store is {other:?}")),
                };
                names
                    .iter()
                    .map(|name| Readiness { service: (*name).to_owned(), problem: problem(name) })
                    .collect()
            }),
            metrics: Arc::new(move || metrics.render()),
            demo: Some(Arc::new(demo)),
        }
    }
}

/// One thread for each core: the pool is for computing, not for waiting.
fn compute() -> Result<Compute, StartError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    Compute::start(cores, COMPUTE_QUEUE)
        .map_err(|error| StartError::Service { service: "compute", reason: error.into() })
}
