//! A system that runs in this process.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use partie_contract::{Call, Client, Contract, Deadline};
use partie_gateway::Edge;
use partie_identity::{Grant, IssueError, Signer};
use partie_mesh::discovery::Announcement;
use partie_mesh::{Handles, Mesh, Origin, RunError};
use partie_messaging::{EmbeddedBroker, Stages};
use partie_runtime::{Activity, Clock, Stop};
use partie_store::Store;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::door::Door;
use super::launch::Environment;
use super::prepare::DataDir;
use super::registry::RegistryDoor;
use super::store_doors::StoreDoors;
use crate::chaos::Chaos;
use crate::server::GATEWAY;

/// How long a token from here is good for.
const TOKEN_LIFETIME: Duration = Duration::from_hours(24);
/// How long a call from here may take.
const CALL: Duration = Duration::from_secs(30);

/// How long the registry may take to take an announcement back.
const WITHDRAW: Duration = Duration::from_secs(1);

/// A running system, for demo actors, tests and commands.
pub struct Running {
    name: &'static str,
    address: SocketAddr,
    /// Where the registry listens, if it has a socket of its own.
    registry: Option<SocketAddr>,
    /// Where those who run it find out how it does, if they can.
    admin: Option<SocketAddr>,
    environment: Environment,
    kept: Kept,
    /// Where commands reach the stores.
    doors: StoreDoors,
    /// What a process that is one of several leaves.
    left: Mutex<Leaving>,
    /// Held by whoever waits for the end; gone once it has come.
    serving: Mutex<Option<Serving>>,
}

/// Why a system ended that nobody asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// Its listener died.
    #[error(transparent)]
    Listener(RunError),
    /// A store's disk failed. What was answered is on disk; start again to go on from there.
    #[error("the store {store} failed: {reason}")]
    Store {
        /// Which.
        store: String,
        /// Why.
        reason: Arc<str>,
    },
}

/// What a launch hands over.
pub(crate) struct Kept {
    /// The system's key, if it is here.
    pub(crate) signer: Option<Signer>,
    pub(crate) mesh: Mesh,
    pub(crate) contracts: Vec<&'static Contract>,
    pub(crate) stores: BTreeMap<&'static str, Store>,
    pub(crate) broker: Option<EmbeddedBroker>,
    pub(crate) stages: Stages,
    pub(crate) stop: Stop,
    pub(crate) handles: Handles,
    /// The gateway, if it is here.
    pub(crate) edge: Option<Arc<Edge>>,
    pub(crate) ready: Arc<AtomicBool>,
    /// What goes wrong on purpose.
    pub(crate) chaos: Option<Chaos>,
    /// Removed last, when nothing writes to it any more.
    pub(crate) data: DataDir,
}

/// The listener's task.
pub(crate) type Serving = JoinHandle<Result<(), RunError>>;

/// What ties a process to the others of its system.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    /// Taken back first, so that callers turn to others.
    pub(crate) announced: Option<Announcement>,
    /// Stopped when nothing new is taken any more: whoever waits here for news is to ask again, elsewhere.
    pub(crate) polls: Stop,
    /// How long after the stop that is.
    pub(crate) lame_duck: Duration,
    /// The registry's own socket. It drains first of all: nobody else need be there for it.
    pub(crate) registry: Option<RegistryDoor>,
    /// Ended when nothing is under way any more: what serves the other processes.
    pub(crate) desks: Stop,
    /// Closed last of all: how the process does can be seen to its end.
    pub(crate) admin: Option<Door>,
}

// === impl Running ===

impl Running {
    pub(crate) fn new(
        name: &'static str,
        address: SocketAddr,
        environment: Environment,
        kept: Kept,
        left: Leaving,
        serving: Serving,
    ) -> Self {
        let registry = left.registry.as_ref().map(RegistryDoor::address);
        let admin = left.admin.as_ref().map(Door::address);
        let (left, serving) = (Mutex::new(left), Mutex::new(Some(serving)));
        let owned = kept.stores.values().chain(kept.broker.as_ref().map(EmbeddedBroker::store)).cloned();
        let doors = StoreDoors::open(kept.data.path(), owned);
        Self { name, address, registry, admin, environment, kept, doors, left, serving }
    }

    /// The system's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens, the port in numbers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its data is.
    pub fn data(&self) -> &Path {
        self.kept.data.path()
    }

    /// `http://ADDRESS`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://ADDRESS` of the registry, where programs in other languages announce and find services by Consul's API, if
    /// it is served on a socket of its own.
    pub fn registry_url(&self) -> Option<String> {
        self.registry.map(|address| format!("http://{address}"))
    }

    /// `http://ADDRESS` of the pages `/health`, `/ready` and `/metrics` of this process, if `admin.listen` asks for them.
    pub fn admin_url(&self) -> Option<String> {
        self.admin.map(|address| format!("http://{address}"))
    }

    /// The gateway, if this process has one. Its settings can be swapped while it serves.
    pub fn edge(&self) -> Option<&Arc<Edge>> {
        self.kept.edge.as_ref()
    }

    /// All contracts, in order of declaration.
    pub fn contracts(&self) -> &[&'static Contract] {
        &self.kept.contracts
    }

    /// A token of somebody with these roles, good for a day.
    ///
    /// # Errors
    /// [`IssueError`] for a subject or role no verifier would accept, and [`IssueError::NoKey`] in a process that has joined
    /// without the system's key.
    pub fn token(&self, subject: &str, roles: &[&str]) -> Result<String, IssueError> {
        let grant = Grant::new(self.name, subject, TOKEN_LIFETIME);
        self.signer()?.issue(&roles.iter().fold(grant, |grant, role| grant.role(*role)))
    }

    /// Whether tokens can be signed here.
    pub(crate) fn has_key(&self) -> bool {
        self.kept.signer.is_some()
    }

    fn signer(&self) -> Result<&Signer, IssueError> {
        self.kept.signer.as_ref().ok_or(IssueError::NoKey)
    }

    /// A client that calls as users do, but without a socket.
    pub fn client<C: Client>(&self) -> C {
        C::over(self.kept.mesh.channel(Origin::new(GATEWAY), C::CONTRACT.service))
    }

    /// A call by nobody, with half a minute to go.
    pub fn call(&self) -> Call {
        Call::new(Deadline::after(CALL), self.environment.ids.trace())
    }

    /// A call by somebody with these roles.
    ///
    /// # Errors
    /// As [`token`](Self::token).
    pub fn call_as(&self, subject: &str, roles: &[&str]) -> Result<Call, IssueError> {
        let token = self.token(subject, roles)?;
        let identity = self.signer()?.verifier(self.name).verify(&token).map_err(|_| IssueError::Subject)?;
        Ok(self.call().with_caller(partie_contract::Caller::Verified(identity)))
    }

    /// The store of a service, for tests that look behind the curtain.
    pub fn store(&self, service: &str) -> Option<&Store> {
        self.kept.stores.get(service)
    }

    /// Whether anything is going on.
    pub fn activity(&self) -> &Activity {
        &self.environment.activity
    }

    /// Business time.
    pub fn clock(&self) -> &Clock {
        &self.environment.clock
    }

    /// What carries the events between services, if any service has a store.
    pub fn broker(&self) -> Option<&EmbeddedBroker> {
        self.kept.broker.as_ref()
    }

    /// What goes wrong here on purpose, and what became of it.
    pub(crate) fn chaos(&self) -> Option<&Chaos> {
        self.kept.chaos.as_ref()
    }

    /// Drains the system: the registry's socket and the edge first, then what runs in the background, then the
    /// stores, and last the pages by which it is watched.
    ///
    /// # Errors
    /// [`Ended`], when it had ended by itself before.
    pub async fn stop(&self) -> Result<(), Ended> {
        let left = std::mem::take(&mut *self.left.lock().await);
        if let Some(announced) = left.announced {
            match tokio::time::timeout(WITHDRAW, announced.withdraw()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::info!(%error, "the announcement ends with its lease"),
                Err(_) => {
                    tracing::info!("the announcement ends with its lease: the registry does not answer")
                }
            }
        }
        self.kept.ready.store(false, Ordering::Release);
        if let Some(registry) = left.registry {
            registry.close().await;
        }
        self.kept.stop.stop();
        let (polls, lame_duck) = (left.polls.clone(), left.lame_duck);
        tokio::spawn(async move {
            tokio::time::sleep(lame_duck).await;
            polls.stop();
        });
        let ended = self.ended().await;
        self.kept.handles.detached.finished().await;
        self.kept.stages.consumers.finish().await;
        self.kept.stages.work.finish().await;
        self.kept.stages.relay.finish().await;
        left.desks.finish().await;
        self.doors.close().await;
        if let Some(broker) = &self.kept.broker {
            broker.close().await;
        }
        for store in self.kept.stores.values() {
            store.close().await;
        }
        if let Some(admin) = left.admin {
            admin.close().await;
        }
        ended
    }

    /// Ends when the listener ends: after [`stop`](Self::stop), or because something died.
    ///
    /// # Errors
    /// [`Ended`]: nobody asked for it.
    pub async fn ended(&self) -> Result<(), Ended> {
        let mut serving = self.serving.lock().await;
        let Some(listener) = serving.as_mut() else { return Ok(()) };
        let listened = tokio::select! {
            listened = listener => listened,
            (store, reason) = self.failed_store() => return Err(Ended::Store { store, reason }),
        };
        *serving = None;
        listened.unwrap_or(Err(RunError::Died { address: self.address })).map_err(Ended::Listener)
    }

    /// The first store whose disk fails: what is in memory cannot be trusted any more, what is on disk can.
    async fn failed_store(&self) -> (String, Arc<str>) {
        let stores = self.kept.stores.values().chain(self.kept.broker.as_ref().map(EmbeddedBroker::store));
        let mut failures: FuturesUnordered<_> = stores
            .map(|store| {
                let (name, failed) = (store.name().to_owned(), store.failed());
                async move { (name, failed.await) }
            })
            .collect();
        match failures.next().await {
            Some(failure) => failure,
            None => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Running({} on {})", self.name, self.address)
    }
}
