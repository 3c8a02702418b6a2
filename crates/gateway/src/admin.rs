//! Where those who run the gateway find out how it does, and tell it to read its configuration again.

use std::fmt;
use std::sync::Arc;

use http::Method;
use partie_contract::{BoxFuture, FaultKind, Platform, Request, Response};
use partie_mesh::{Peer, Serve, check_local};
use serde_json::{Value, json};

use crate::answer::document;
use crate::edge::Edge;
use crate::vitals::{id, read_only, said};

const JSON: &str = "application/json";

/// The pages for those who run the gateway, served by a listener of their own: `/health`, `/ready`, `/metrics`, and for programs of
/// this machine alone `/config`, `/routes` and `POST /reload`.
pub struct Admin {
    edge: Arc<Edge>,
    parts: AdminParts,
}

/// What the pages are made from.
pub struct AdminParts {
    /// The configuration that counts, secrets redacted.
    pub config: Arc<dyn Fn() -> Value + Send + Sync>,
    /// Reads the configuration again. Says why not, if it cannot be used.
    pub reload: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
    /// Why the last configuration that was read is not the one that counts.
    pub broken: Arc<dyn Fn() -> Option<String> + Send + Sync>,
}

impl Serve for Admin {
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        let (asked, _) = request.into_parts();
        Box::pin(async move { said(&asked, self.answer(&peer, &asked).await) })
    }
}

// === impl Admin ===

impl Admin {
    /// The pages of that gateway.
    pub fn new(edge: Arc<Edge>, parts: AdminParts) -> Self {
        Self { edge, parts }
    }

    async fn answer(&self, peer: &Peer, asked: &http::request::Parts) -> Result<Response, Platform> {
        let path = asked.uri.path();
        let local = match path {
            "/health" | "/ready" | "/metrics" => false,
            "/config" | "/routes" | "/reload" => true,
            _ => return Err(Platform::new(FaultKind::NotFound)),
        };
        if path != "/reload" {
            read_only(&asked.method)?;
        } else if asked.method != Method::POST {
            return Err(Platform::new(FaultKind::MethodNotAllowed).with_allow("POST".to_owned()));
        }
        // How it does may be seen by whoever reaches it; what it is, and what it shall be, is for programs of this machine.
        if local {
            check_local(peer, &asked.headers)
                .map_err(|stranger| Platform::new(FaultKind::Forbidden).with_detail(stranger.to_string()))?;
        }
        let vitals = self.edge.vitals();
        Ok(match path {
            "/health" => self.health(),
            "/ready" => vitals.ready(path, id(asked)),
            "/metrics" => vitals.metrics(),
            "/config" => self.show(&(self.parts.config)()),
            "/routes" => self.show(&self.edge.describe()),
            _ => {
                let reloaded = (self.parts.reload)().await;
                reloaded.map_err(|reason| Platform::new(FaultKind::ValidationFailed).with_detail(reason))?;
                self.health()
            }
        })
    }

    fn health(&self) -> Response {
        let broken = (self.parts.broken)();
        self.show(&json!({
            "status": "healthy",
            "configuration": self.edge.generation(),
            "refused": broken,
        }))
    }

    fn show(&self, value: &Value) -> Response {
        document(JSON, format!("{value:#}\n").into_bytes())
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("edge", &self.edge).finish_non_exhaustive()
    }
}

impl fmt::Debug for AdminParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminParts")
    }
}
