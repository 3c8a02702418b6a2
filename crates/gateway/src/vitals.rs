//! How a program does, for whoever watches it: alive, able to do its work, its metrics.

use std::fmt;
use std::sync::Arc;

use http::Method;
use http::request::Parts;
use partie_contract::{Body, BoxFuture, FaultKind, Platform, Request, Response, wire};
use partie_mesh::{Peer, Serve};
use partie_telemetry::Metrics;
use serde_json::{Map, Value, json};

use crate::answer::{document, problem};

const JSON: &str = "application/json";
const READ: &str = "GET, HEAD";

/// How a program does. Served, it has the pages `/health`, `/ready` and `/metrics`, for whoever reaches them.
pub struct Vitals {
    /// The program.
    pub title: String,
    /// Whether each of its parts can do its work now.
    pub ready: Arc<dyn Fn() -> Vec<Readiness> + Send + Sync>,
    /// The metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// Whether one service can do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// The service.
    pub service: String,
    /// Why it cannot, for people; `None` if it can.
    pub problem: Option<String>,
}

impl Serve for Vitals {
    fn serve(self: Arc<Self>, _: Peer, request: Request) -> BoxFuture<'static, Response> {
        let (asked, _) = request.into_parts();
        Box::pin(async move { said(&asked, self.answer(&asked)) })
    }
}

// === impl Vitals ===

impl Vitals {
    fn answer(&self, asked: &Parts) -> Result<Response, Platform> {
        let path = asked.uri.path();
        if !matches!(path, "/health" | "/ready" | "/metrics") {
            return Err(Platform::new(FaultKind::NotFound));
        }
        read_only(&asked.method)?;
        Ok(match path {
            "/health" => self.health(),
            "/ready" => self.ready(path, id(asked)),
            _ => self.metrics(),
        })
    }

    /// Alive.
    pub(crate) fn health(&self) -> Response {
        let health = json!({ "status": "healthy", "emoji": "\u{1F49A}", "system": self.title });
        document(JSON, health.to_string().into_bytes())
    }

    /// Able to do its work, part by part; 503 if one is not.
    pub(crate) fn ready(&self, path: &str, request_id: &str) -> Response {
        let services = (self.ready)();
        let state = |service: &Readiness| {
            let state = service.problem.as_deref().unwrap_or("ready");
            (service.service.clone(), Value::from(state))
        };
        let states: Map<String, Value> = services.iter().map(state).collect();
        let waiting: Vec<&str> =
            services.iter().filter(|s| s.problem.is_some()).map(|s| s.service.as_str()).collect();
        if waiting.is_empty() {
            let body = json!({ "status": "ready", "services": states });
            return document(JSON, body.to_string().into_bytes());
        }
        let fault = Platform::new(FaultKind::UpstreamUnavailable)
            .with_detail(format!("not ready: {}", waiting.join(", ")));
        let members = Map::from_iter([("services".to_owned(), Value::Object(states))]);
        problem(fault, path, request_id, members)
    }

    /// What it has counted.
    pub(crate) fn metrics(&self) -> Response {
        document(Metrics::MEDIA_TYPE, (self.metrics)().into_bytes())
    }
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vitals").field("title", &self.title).finish_non_exhaustive()
    }
}

/// Pages are read.
///
/// # Errors
/// [`FaultKind::MethodNotAllowed`] for any other wish.
pub(crate) fn read_only(method: &Method) -> Result<(), Platform> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    Err(Platform::new(FaultKind::MethodNotAllowed).with_allow(READ.to_owned()))
}

/// A page as it goes out, or the problem.
pub(crate) fn said(asked: &Parts, answer: Result<Response, Platform>) -> Response {
    let answer = answer.unwrap_or_else(|fault| problem(fault, asked.uri.path(), id(asked), Map::new()));
    if asked.method == Method::HEAD { answer.map(|_| Body::empty()) } else { answer }
}

/// The id the listener has given the request.
pub(crate) fn id(asked: &Parts) -> &str {
    asked.headers.get(wire::REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default()
}
