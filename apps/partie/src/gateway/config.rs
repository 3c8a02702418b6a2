//! What can be set of the gateway: in a file, in the environment, by flags. A system's `partie.toml` says it the same way.

use std::path::{Path, PathBuf};

use partie_gateway::{Gateway, Page};
use partie_mesh::MeshConfig;
use partie_runtime::layers::{ConfigError, Layers, Origin};
use partie_telemetry::Logs;
use serde::{Deserialize, Serialize};

/// The settings of `partie gateway`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
    /// The title of the description of everything behind it.
    pub(super) title: String,
    /// The edge, with its routes.
    pub(super) gateway: Gateway,
    /// Where services are found, as [`partie_mesh::discovery::RegistryUrl`] has it; nowhere if empty.
    pub(super) registry: String,
    /// Calls to upstreams.
    pub(super) mesh: MeshConfig,
    /// What is logged, and how.
    pub(super) logs: Logs,
}

/// Where the settings come from, to be read again and again.
pub(super) struct Source {
    file: Option<PathBuf>,
    listen: Option<String>,
    environment: Vec<(String, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            title: "gateway".into(),
            // In front of anything, most addresses are somebody else's.
            gateway: Gateway { pages: vec![Page::Openapi, Page::Docs], ..Gateway::default() },
            registry: String::new(),
            mesh: MeshConfig::default(),
            logs: Logs::default(),
        }
    }
}

// === impl Source ===

impl Source {
    pub(super) fn new(
        file: Option<&Path>,
        listen: Option<&str>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Self {
        let (file, listen) = (file.map(Path::to_owned), listen.map(str::to_owned));
        Self { file, listen, environment: environment.collect() }
    }

    /// The file, if there is one.
    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The configuration as the layers make it: defaults, file, environment, flags.
    pub(super) fn read(&self) -> Result<Config, ConfigError> {
        let mut layers = Layers::new(&Config::default())?;
        if let Some(file) = &self.file {
            layers.file(file, true)?;
        }
        layers.environment(self.environment.iter().cloned());
        if let Some(listen) = &self.listen {
            layers.set("gateway.listen", listen.as_str().into(), &Origin::Flag("--listen"));
        }
        Ok(layers.finish()?.config)
    }
}
