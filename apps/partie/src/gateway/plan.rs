//! The settings of a gateway, checked: what cannot work is refused before anything is bound.

use std::sync::Arc;

use partie_gateway::{ConfigError, Parts};
use partie_identity::{JwksError, Verifier};
use partie_mesh::Mesh;
use partie_mesh::discovery::{Registry, RegistryUrl, RegistryUrlError};
use partie_telemetry::Metrics;

use super::config::Config;

/// What a gateway is to do.
pub(super) struct Plan {
    title: String,
    verifier: Arc<Verifier>,
    pub(super) registry: Option<Arc<dyn Registry>>,
}

/// Settings that cannot work, in one line.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    #[error("{0}")]
    Gateway(#[from] ConfigError),
    #[error("registry: {0}")]
    Registry(#[from] RegistryUrlError),
    #[error("{0}")]
    Keys(#[from] JwksError),
    #[error("no route leads anywhere: say [[gateway.routes]] with prefix and to")]
    NoRoutes,
    #[error(
        "{route} leads to {upstream}, which is no upstream of the configuration, and there is no registry to ask"
    )]
    Unknown { route: String, upstream: String },
}

// === impl Plan ===

impl Plan {
    /// Checks all of it. Blocks while it looks up the names of upstreams.
    pub(super) fn new(config: &Config) -> Result<Self, PlanError> {
        let registry = match &*config.registry {
            "" => None,
            url => Some(url.parse::<RegistryUrl>()?.open()?),
        };
        Self::check(config)?;
        Ok(Self { title: config.title.clone(), verifier: Arc::new(nobodys()?), registry })
    }

    /// What is checked of every configuration, also of one that is to be swapped in.
    pub(super) fn check(config: &Config) -> Result<(), PlanError> {
        let gateway = &config.gateway;
        if gateway.routes.is_empty() {
            return Err(PlanError::NoRoutes);
        }
        gateway.check()?;
        if !config.registry.is_empty() {
            return Ok(());
        }
        for route in &gateway.routes {
            let place =
                |name: &String| gateway.upstreams.get(name).filter(|upstream| !upstream.urls.is_empty());
            if let Some(upstream) = route.to.0.keys().find(|name| place(name).is_none()) {
                let route = format!("route {}", route.name.as_deref().unwrap_or(&route.prefix));
                return Err(PlanError::Unknown { route, upstream: upstream.clone() });
            }
        }
        Ok(())
    }

    /// What the edge is built from: no contracts, only what the configuration says.
    pub(super) fn parts(&self, mesh: Mesh) -> Parts {
        let metrics = Metrics::install();
        Parts {
            title: self.title.clone(),
            contracts: Vec::new(),
            grpc: Vec::new(),
            mesh,
            verifier: Arc::clone(&self.verifier),
            jwks: serde_json::json!({ "keys": [] }),
            ready: Arc::new(Vec::new),
            metrics: Arc::new(move || metrics.render()),
            demo: None,
        }
    }
}

/// Trusts nobody: the key of an example (RFC 8037 appendix A), for an issuer there is not.
fn nobodys() -> Result<Verifier, JwksError> {
    let key = serde_json::json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    });
    Verifier::from_jwks(&serde_json::json!({ "keys": [key] }), "", "")
}
