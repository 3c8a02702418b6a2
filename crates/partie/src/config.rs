//! Configuration: built-in defaults, `partie.toml`, the environment and flags, in that order; every value knows where
//! it comes from, and an unknown key is an error.

mod layers;

use std::path::PathBuf;

use partie_gateway::Gateway;
use partie_mesh::MeshConfig;
use partie_messaging::BrokerConfig;
use partie_telemetry::Logs;
use serde::{Deserialize, Serialize};

pub use self::layers::{ConfigError, Origin};
pub(crate) use self::layers::{Effective, Layers};

/// The settings of a program.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Config {
    /// Where the databases and the development key are.
    pub data: PathBuf,
    /// Whether the data is in a temporary directory, removed at the end. Nothing in it outlives the program, so writes
    /// are not forced to disk.
    pub ephemeral: bool,
    /// Whether the system's demo actors play.
    pub demo: bool,
    /// The edge.
    pub gateway: Gateway,
    /// Calls between services.
    pub mesh: MeshConfig,
    /// The stores of all services.
    pub store: partie_store::Config,
    /// Events, timers, jobs and sagas of all services.
    pub messaging: partie_messaging::Config,
    /// What carries the events.
    pub broker: BrokerConfig,
    /// What is logged, and how.
    pub logs: Logs,
    /// The services' own settings, by their names.
    pub services: toml::Table,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: ".partie".into(),
            ephemeral: false,
            demo: true,
            gateway: Gateway::default(),
            mesh: MeshConfig::default(),
            store: partie_store::Config::default(),
            messaging: partie_messaging::Config::default(),
            broker: BrokerConfig::default(),
            logs: Logs::default(),
            services: toml::Table::new(),
        }
    }
}
