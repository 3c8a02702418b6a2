//! The gateway's own addresses: health, metrics, keys, and the description of everything behind it.

mod description;

use std::sync::Arc;

use partie_contract::Response;
use partie_identity::Verifier;
use serde_json::Value;

use self::description::Description;
use crate::answer::{document, page};
use crate::build::Parts;
use crate::config::Page;
use crate::vitals::Vitals;

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
    pub(crate) vitals: Vitals,
    verifier: Arc<Verifier>,
    pub(crate) description: Description,
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
            vitals: Vitals {
                title: parts.title.clone(),
                ready: Arc::clone(&parts.ready),
                metrics: Arc::clone(&parts.metrics),
            },
            verifier: Arc::clone(&parts.verifier),
            description: Description::new(openapi),
        }
    }

    pub(crate) fn show(&self, own: Own, path: &str, request_id: &str) -> Response {
        match own {
            Own::Health => self.vitals.health(),
            Own::Ready => self.vitals.ready(path, request_id),
            Own::Metrics => self.vitals.metrics(),
            Own::Jwks => document("application/jwk-set+json", self.verifier.jwks().to_string().into_bytes()),
            Own::OpenApi => document(JSON, self.description.own()),
            Own::Docs => page("text/html; charset=utf-8", include_str!("pages/docs.html")),
            Own::DocsScript => page("text/javascript; charset=utf-8", include_str!("pages/docs.js")),
            Own::DocsStyle => page("text/css; charset=utf-8", include_str!("pages/docs.css")),
        }
    }
}
