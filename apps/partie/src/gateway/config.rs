//! What can be set of the gateway: in a file, in the environment, by flags. A system's `partie.toml` says it the same way.

use std::path::Path;

use partie_gateway::{AdminConfig, Gateway, Page, Watched};
use partie_mesh::MeshConfig;
use partie_runtime::layers::{ConfigError, Layers, Origin};
use partie_telemetry::Logs;
use serde::{Deserialize, Serialize};

/// The settings of `partie gateway`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
    /// Whom tokens are for, and the title of the description of everything behind it.
    pub(super) title: String,
    /// The edge, with its routes.
    pub(super) gateway: Gateway,
    /// Where those who run it find out how it does.
    pub(super) admin: AdminConfig,
    /// Where services are found, as [`partie_mesh::discovery::RegistryUrl`] has it; nowhere if empty.
    pub(super) registry: String,
    /// Whose tokens and API keys are taken. Tokens are for the gateway's title, unless an issuer says otherwise.
    pub(super) identity: partie_identity::Config,
    /// Calls to upstreams.
    pub(super) mesh: MeshConfig,
    /// What is logged, and how.
    pub(super) logs: Logs,
}

/// Where the settings come from, to be read again and again.
pub(super) struct Source {
    file: Watched,
    listen: Option<String>,
    environment: Vec<(String, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            title: "gateway".into(),
            // In front of anything, most addresses are somebody else's.
            gateway: Gateway { pages: vec![Page::Openapi, Page::Docs], ..Gateway::default() },
            admin: AdminConfig::default(),
            registry: String::new(),
            identity: partie_identity::Config::default(),
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
        let (file, listen) = (Watched::now(file), listen.map(str::to_owned));
        Self { file, listen, environment: environment.collect() }
    }

    /// The file, as it was when the program began.
    pub(super) fn watched(&self) -> Watched {
        self.file.clone()
    }

    /// The configuration as the layers make it: defaults, file, environment, flags.
    pub(super) fn read(&self) -> Result<Config, ConfigError> {
        let mut layers = Layers::new(&Config::default())?;
        if let Some(file) = self.file.file() {
            layers.file(file, true)?;
        }
        layers.environment(self.environment.iter().cloned());
        if let Some(listen) = &self.listen {
            layers.set("gateway.listen", listen.as_str().into(), &Origin::Flag("--listen"));
        }
        Ok(layers.finish()?.config)
    }
}
