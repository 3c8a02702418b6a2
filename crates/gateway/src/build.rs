//! From settings and parts to an edge.

use std::fmt;
use std::sync::Arc;

use partie_contract::{Contract, Identity, Operation, openapi};
use partie_identity::Verifier;
use partie_mesh::Mesh;

use crate::config::Gateway;
use crate::edge::{Edge, check};
use crate::routes::Routes;
use crate::rules::ConfigError;
use crate::vitals::Readiness;

/// Gives out the identity of the demo customer, with a token that is good now; nothing when none can be issued.
pub type DemoIdentity = Arc<dyn Fn() -> Option<Arc<Identity>> + Send + Sync>;

/// What the gateway is built from.
pub struct Parts {
    /// The title of the OpenAPI document: the system's name.
    pub title: String,
    /// What is served behind it.
    pub contracts: Vec<&'static Contract>,
    /// The gRPC services behind it by their full names, `math.v1.Factorial`, and the services they belong to.
    pub grpc: Vec<(&'static str, &'static str)>,
    /// The way to the services.
    pub mesh: Mesh,
    /// Who judges tokens. The public keys it has to show are at `/.well-known/jwks.json`.
    pub verifier: Arc<Verifier>,
    /// Whether each service can do its work now.
    pub ready: Arc<dyn Fn() -> Vec<Readiness> + Send + Sync>,
    /// The metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// With development defaults: who an anonymous write from this machine on a compat route is by.
    pub demo: Option<DemoIdentity>,
}

/// Contracts that cannot stand behind one door.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// Two operations with the same method and address.
    #[error("{first} and {second} are both {verb} {path}: give one of them another address")]
    Duplicate {
        /// The method.
        verb: &'static str,
        /// The template, as the second has it.
        path: &'static str,
        /// The operation that came first, `orders.place`.
        first: String,
        /// The operation that came second.
        second: String,
    },
    /// A template that is not one, or that cannot be told from another.
    #[error("{operation} cannot be routed by {path}: {reason}")]
    Template {
        /// The operation, `orders.place`.
        operation: String,
        /// Its template.
        path: &'static str,
        /// Why.
        reason: String,
    },
    /// Two services with a gRPC service of the same name.
    #[error("{first} and {second} both serve {name}: give one of them another package")]
    Grpc {
        /// The full name.
        name: &'static str,
        /// The service that came first.
        first: &'static str,
        /// The service that came second.
        second: &'static str,
    },
    /// A template on one of the gateway's own addresses.
    #[error("{operation} is at {path}, which is the gateway's own: give it another address")]
    Own {
        /// The operation, `orders.place`.
        operation: String,
        /// Its template.
        path: &'static str,
    },
    /// Routes or upstreams of the configuration that cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

// === impl Gateway ===

impl Gateway {
    /// The edge for these parts. Blocks while it looks up the names of upstreams.
    ///
    /// # Errors
    /// When two operations have the same address, or one has an impossible one; when a configured route or upstream cannot
    /// work.
    pub fn build(&self, parts: Parts) -> Result<Edge, BuildError> {
        let routes = Routes::new(&parts.contracts, &parts.mesh)?.with_grpc(&parts.grpc, &parts.mesh)?;
        let document = openapi(&parts.title, &parts.contracts);
        Ok(Edge::new(self, routes, document, parts)?)
    }

    /// Whether all of it could work, without a service or a socket. Blocks while it looks up the names of upstreams.
    ///
    /// # Errors
    /// [`ConfigError`] names the first route or upstream that cannot.
    pub fn check(&self) -> Result<(), ConfigError> {
        check(self, &[])
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("title", &self.title)
            .field("contracts", &self.contracts.len())
            .field("mesh", &self.mesh)
            .finish_non_exhaustive()
    }
}

// === impl BuildError ===

impl BuildError {
    pub(crate) fn duplicate(first: &Operation, second: &Operation) -> Self {
        Self::Duplicate {
            verb: second.verb.as_str(),
            path: second.path,
            first: first.full_name(),
            second: second.full_name(),
        }
    }
}
