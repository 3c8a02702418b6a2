//! The settings of a gateway, checked: what cannot work is refused before anything is bound.

use std::sync::Arc;

use partie_contract::BoxFuture;
use partie_gateway::{ConfigError, Parts, Readiness, RouteAccess, RouteConfig};
use partie_identity::{FetchError, InvalidIdentity, KeySource, Verifier};
use partie_mesh::Mesh;
use partie_mesh::discovery::{Registry, RegistryUrl, RegistryUrlError};
use partie_runtime::Ids;
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
    Identity(#[from] InvalidIdentity),
    #[error("[identity.issuers.{0}]: service is for systems: say jwks-url or jwks-file")]
    Service(String),
    #[error("route {0} asks for a token, and [identity] says of nobody's that it is taken")]
    NoTokens(String),
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
        Ok(Self { title: config.title.clone(), verifier: Arc::new(verifier(config)?), registry })
    }

    /// What is checked of every configuration, also of one that is to be swapped in.
    pub(super) fn check(config: &Config) -> Result<(), PlanError> {
        let gateway = &config.gateway;
        if gateway.routes.is_empty() {
            return Err(PlanError::NoRoutes);
        }
        gateway.check()?;
        if config.identity == partie_identity::Config::default() {
            let asks = |route: &&RouteConfig| route.access != RouteAccess::Public;
            if let Some(route) = gateway.routes.iter().find(asks) {
                return Err(PlanError::NoTokens(route.name.clone().unwrap_or_else(|| route.prefix.clone())));
            }
        }
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

    /// Who judges tokens.
    pub(super) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// What the edge is built from: no contracts, only what the configuration says.
    pub(super) fn parts(&self, mesh: Mesh) -> Parts {
        let (metrics, verifier) = (Metrics::install(), Arc::clone(&self.verifier));
        let keys = move || vec![Readiness { service: "identity".to_owned(), problem: verifier.problem() }];
        Parts {
            title: self.title.clone(),
            contracts: Vec::new(),
            grpc: Vec::new(),
            mesh,
            verifier: Arc::clone(&self.verifier),
            ready: Arc::new(keys),
            metrics: Arc::new(move || metrics.render()),
            demo: None,
        }
    }
}

fn verifier(config: &Config) -> Result<Verifier, PlanError> {
    let service = config.identity.issuers.iter().find(|(_, issuer)| issuer.service.is_some());
    if let Some((name, _)) = service {
        return Err(PlanError::Service(name.clone()));
    }
    let opened = config.identity.open([], &config.title, &Ids::from_entropy(), |_| Arc::new(Nobody))?;
    Ok(opened.verifier)
}

/// The keys of a service, of which there is none here.
struct Nobody;

impl KeySource for Nobody {
    fn fetch(&self) -> BoxFuture<'_, Result<serde_json::Value, FetchError>> {
        Box::pin(async { Ok(serde_json::json!({ "keys": [] })) })
    }

    fn place(&self) -> String {
        "nowhere".to_owned()
    }
}
