//! What can be set of the sidecar: in a file, in the environment, by flags.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use partie_mesh::{Limits, MeshConfig};
use partie_runtime::duration;
use partie_telemetry::Logs;
use serde::{Deserialize, Serialize};

/// Instead of a path: a program that takes connections is well.
pub(crate) const CONNECT_ONLY: &str = "tcp";

/// The settings of `partie sidecar`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The name under which others find the program.
    pub(crate) service: String,
    /// Where the program listens: `HOST:PORT`, looked up once.
    pub(crate) app: String,
    /// Where the sidecar listens for the program's own calls.
    pub(crate) listen: String,
    /// Where others reach the program; any free port on the program's own address if empty.
    pub(crate) inbound: String,
    /// What is announced instead of `inbound`, if others know it by another address.
    pub(crate) announce: String,
    /// Where services find each other, as [`partie_mesh::discovery::RegistryUrl`] has it.
    pub(crate) registry: String,
    /// How long a call may take that says nothing else.
    #[serde(with = "duration")]
    pub(crate) timeout: Duration,
    /// How long a call may take whatever it says.
    #[serde(with = "duration")]
    pub(crate) longest_timeout: Duration,
    /// How long a call waits for a service nobody has heard of yet.
    #[serde(with = "duration")]
    pub(crate) discovery: Duration,
    /// Threads of each listener.
    pub(crate) workers: NonZeroUsize,
    /// How the program's health is found out.
    pub(crate) health: Health,
    /// First segments of paths that belong to a service and stay: `"menu.Menu" = "menu"`, as gRPC needs it.
    pub(crate) routes: BTreeMap<String, String>,
    /// Calls to other services.
    pub(crate) mesh: MeshConfig,
    /// What both listeners put up with.
    pub(crate) limits: Limits,
    /// What is logged, and how.
    pub(crate) logs: Logs,
}

/// How the program's health is found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Health {
    /// What is asked for; any answer from 200 to 299 is good. Of `tcp` only a connection is asked.
    pub(crate) path: String,
    /// How often.
    #[serde(with = "duration")]
    pub(crate) interval: Duration,
    /// How long an answer may take.
    #[serde(with = "duration")]
    pub(crate) timeout: Duration,
    /// After so many failures in a row the program is not announced any longer.
    pub(crate) failures: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: String::new(),
            app: String::new(),
            listen: "127.0.0.1:0".into(),
            inbound: String::new(),
            announce: String::new(),
            registry: String::new(),
            timeout: Duration::from_secs(10),
            longest_timeout: Duration::from_secs(120),
            discovery: Duration::from_secs(2),
            workers: NonZeroUsize::MIN,
            health: Health::default(),
            routes: BTreeMap::new(),
            mesh: MeshConfig::default(),
            limits: Limits::default(),
            logs: Logs::default(),
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: "/health".into(),
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            failures: 3,
        }
    }
}
