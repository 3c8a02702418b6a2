//! The gateway's own addresses: health, metrics, keys, and the description of everything behind it.

mod description;

use std::sync::Arc;

use partie_contract::{FaultKind, Platform, Response};
use partie_identity::Verifier;
use serde_json::{Map, Value, json};

use self::description::Description;
use crate::answer::{document, page, problem};
use crate::build::{Parts, Readiness};
use crate::config::Page;

const JSON: &str = "application/json";

/// One of the gateway's own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    /// Alive.
    Health,
    /// Able to do its work, service by service.
    Ready,
    Metrics,
    Jwks,
    OpenApi,
    Docs,
    DocsScript,
    DocsStyle,
}

/// What they show.
pub(crate) struct Pages {
    title: String,
    verifier: Arc<Verifier>,
    pub(crate) description: Description,
    ready: Arc<dyn Fn() -> Vec<Readiness> + Send + Sync>,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

// === impl Own ===

impl Own {
    pub(crate) const ALLOW: &'static str = "GET, HEAD, OPTIONS";

    pub(crate) fn find(path: &str) -> Option<Self> {
        match path {
            "/health" => Some(Self::Health),
            "/health/ready" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            "/.well-known/jwks.json" => Some(Self::Jwks),
            "/openapi.json" => Some(Self::OpenApi),
            "/docs" => Some(Self::Docs),
            "/docs/page.js" => Some(Self::DocsScript),
            "/docs/page.css" => Some(Self::DocsStyle),
            _ => None,
        }
    }

    /// What it is a part of.
    pub(crate) fn page(self) -> Page {
        match self {
            Self::Health => Page::Health,
            Self::Ready => Page::Ready,
            Self::Metrics => Page::Metrics,
            Self::Jwks => Page::Jwks,
            Self::OpenApi => Page::Openapi,
            Self::Docs | Self::DocsScript | Self::DocsStyle => Page::Docs,
        }
    }
}

// === impl Pages ===

impl Pages {
    pub(crate) fn new(openapi: Value, parts: &Parts) -> Self {
        Self {
            title: parts.title.clone(),
            verifier: Arc::clone(&parts.verifier),
            description: Description::new(openapi),
            ready: Arc::clone(&parts.ready),
            metrics: Arc::clone(&parts.metrics),
        }
    }

    pub(crate) fn show(&self, own: Own, path: &str, request_id: &str) -> Response {
        match own {
            Own::Health => document(
                JSON,
                json!({ "status": "healthy", "emoji": "\u{1F49A}", "system": self.title })
                    .to_string()
                    .into_bytes(),
            ),
            Own::Ready => self.ready(path, request_id),
            Own::Metrics => {
                document("text/plain; version=0.0.4; charset=utf-8", (self.metrics)().into_bytes())
            }
            Own::Jwks => document("application/jwk-set+json", self.verifier.jwks().to_string().into_bytes()),
            Own::OpenApi => document(JSON, self.description.own()),
            Own::Docs => page("text/html; charset=utf-8", include_str!("pages/docs.html")),
            Own::DocsScript => page("text/javascript; charset=utf-8", include_str!("pages/docs.js")),
            Own::DocsStyle => page("text/css; charset=utf-8", include_str!("pages/docs.css")),
        }
    }

    fn ready(&self, path: &str, request_id: &str) -> Response {
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
}
