//! Consul's agent and health API over the embedded registry, for programs that know nothing but Consul.
//!
//! A client of Consul registers here, is checked here, and finds here what others announced, in whatever way they did:
//! services of this system are in the same lists. Critical instances leave the registry's list; those who ask without
//! `passing` still see them.
//!
//! What is different from Consul: one datacenter, one node, no store and no ACLs. Only programs of this machine are
//! answered. Names of the system's own services are [`Reserved`]. HTTP and TTL checks exist, checks that run programs
//! do not, and an HTTP check may ask at the instance's own address or on this machine only. Registrations are in memory
//! and gone with the process.

mod agent;
mod checks;
mod definition;
mod fields;
mod gate;
mod go_duration;
mod health;
mod query;
mod refusal;
mod render;
mod routes;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use partie_contract::{BoxFuture, Request, Response};
use partie_runtime::{Ids, Stop, duration, trust_now};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use self::agent::Agent;
use super::EmbeddedRegistry;
use crate::listener::Limits;
use crate::serve::{Peer, Serve};

#[cfg(feature = "consul")]
pub(super) use self::agent::WEIGHT_META;
pub use self::gate::Reserved;
#[cfg(feature = "consul")]
pub(super) use self::health::SETTLING;

/// The one datacenter and the one node there are.
const DATACENTER: &str = "dc1";
const NODE: &str = "partie";
/// Longer than the longest blocking query.
const ANSWER: Duration = Duration::from_secs(11 * 60);

/// The settings of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConsulApiConfig {
    /// The longest body of a request, in bytes. More is a 413.
    pub body: usize,
    /// How many HTTP checks ask at the same time. The others wait for their turn.
    pub checks_at_once: usize,
    /// A check that wants to be made more often is made this often.
    #[serde(with = "duration")]
    pub least_interval: Duration,
    /// How long news are gathered before blocking queries are answered.
    #[serde(with = "duration")]
    pub gather: Duration,
}

/// Serves the API. Cheap to clone. Registrations and checks end with the last clone.
#[derive(Clone)]
pub struct ConsulApi(Arc<Shared>);

struct Shared {
    registry: EmbeddedRegistry,
    reserved: Reserved,
    config: ConsulApiConfig,
    ids: Ids,
    stop: Stop,
    runtime: Handle,
    /// What is added to the registry's indices, so that they do not go backwards when the process starts again.
    base: u64,
    turns: Arc<Semaphore>,
    /// Taken before the registry's own lock, never after it.
    agent: Mutex<Agent>,
    lists: Mutex<HashMap<(String, bool), (u64, Bytes)>>,
}

// === impl ConsulApiConfig ===

impl Default for ConsulApiConfig {
    fn default() -> Self {
        Self {
            body: 16 << 10,
            checks_at_once: 32,
            least_interval: Duration::from_secs(1),
            gather: Duration::from_millis(20),
        }
    }
}

// === impl ConsulApi ===

impl ConsulApi {
    /// The API over that registry. Call it inside the tokio runtime that is to run the checks. When told to stop,
    /// blocking queries are answered at once, so that a drain need not wait for them.
    pub fn start(
        registry: EmbeddedRegistry,
        reserved: Reserved,
        config: ConsulApiConfig,
        ids: Ids,
        stop: Stop,
    ) -> Self {
        let base = u64::try_from(trust_now()).unwrap_or_default().saturating_mul(1000);
        let turns = Arc::new(Semaphore::new(config.checks_at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Self(Arc::new(Shared {
            registry,
            reserved,
            config,
            ids,
            stop,
            runtime: Handle::current(),
            base,
            turns,
            agent: Mutex::default(),
            lists: Mutex::default(),
        }))
    }

    /// What a listener of the API has to put up with: blocking queries are answered after up to ten minutes, and all
    /// clients come from one address.
    pub fn limits() -> Limits {
        let usual = Limits::default();
        Limits { answer: ANSWER, connections_per_address: usual.connections, ..usual }
    }
}

impl Serve for ConsulApi {
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.answer(&peer, request).await.unwrap_or_else(Response::from) })
    }
}

impl fmt::Debug for ConsulApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsulApi({:?}, {:?})", self.0.registry, self.0.reserved)
    }
}

// === impl Shared ===

impl Shared {
    fn agent(&self) -> MutexGuard<'_, Agent> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<(String, bool), (u64, Bytes)>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(json: Bytes) -> Response {
    let mut answer = Response::new(json.into());
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
