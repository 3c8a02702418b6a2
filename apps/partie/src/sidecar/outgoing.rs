//! The program's own calls: `http://localhost:PORT/SERVICE/path` to any service the registry knows.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Method, header};
use partie_contract::{BoxFuture, Deadline, FaultKind, Platform, Request, Response, boxed, grpc, wire};
use partie_mesh::{Known, Mesh, Peer, Serve, check_local};
use partie_telemetry::{HttpServerMetrics, Metrics};
use serde_json::json;

use super::address::{Destination, destination};
use super::deadline;
use super::health::Pulse;
use super::plan::Plan;
use crate::config::Config;

/// Services measured each by itself. What is called beyond that is measured together.
const MEASURED: usize = 256;
/// What the sidecar's own addresses take.
const ALLOW: &str = "GET, HEAD";

/// Takes the program's calls where they are to go.
pub(super) struct Outgoing {
    mesh: Mesh,
    service: Arc<str>,
    registry: String,
    /// Whether only programs of this machine are answered.
    local: bool,
    timeout: Duration,
    longest: Duration,
    discovery: Duration,
    routes: BTreeMap<String, String>,
    pulse: Arc<Pulse>,
    metrics: Mutex<HashMap<String, HttpServerMetrics>>,
}

impl Serve for Outgoing {
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        boxed(move || async move { self.answer(&peer, request).await })
    }
}

// === impl Outgoing ===

impl Outgoing {
    pub(super) fn new(mesh: Mesh, config: &Config, plan: &Plan, pulse: Arc<Pulse>) -> Self {
        Self {
            mesh,
            service: plan.service.as_str().into(),
            registry: plan.registry_url.clone(),
            local: plan.listen.ip().to_canonical().is_loopback(),
            timeout: config.timeout,
            longest: config.longest_timeout,
            discovery: config.discovery,
            routes: config.routes.clone(),
            pulse,
            metrics: Mutex::default(),
        }
    }

    async fn answer(&self, peer: &Peer, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let id = request.headers().get(wire::REQUEST_ID).cloned();
        let is_grpc = grpc::is_call(request.headers());
        self.road(peer, request).await.unwrap_or_else(|fault| {
            let id = id.as_ref().and_then(|id| id.to_str().ok());
            if fault.outward_kind().status() >= 500 {
                let cause = std::error::Error::source(&fault).map(ToString::to_string);
                tracing::warn!(path, request_id = id, %fault, cause, "a call of the program failed");
            }
            if is_grpc { fault.into_grpc_response() } else { fault.into_response(Some(path), id) }
        })
    }

    async fn road(&self, peer: &Peer, mut request: Request) -> Result<Response, Platform> {
        // A door into the mesh on this machine is for its programs, not for pages in its browsers.
        if self.local {
            check_local(peer, request.headers())
                .map_err(|stranger| Platform::new(FaultKind::Forbidden).with_detail(stranger.to_string()))?;
        }

        // The sidecar's own addresses ask nobody.
        if let "/health" | "/metrics" = request.uri().path() {
            return self.own(&request);
        }

        // Which service, and what of it.
        let Destination { service, uri } = destination(request.uri(), &self.routes)?;
        *request.uri_mut() = uri;

        // How long. A stream of gRPC may take as long as anything may.
        let is_grpc = grpc::is_call(request.headers());
        let usual = || if is_grpc { self.longest } else { self.timeout.min(self.longest) };
        let time = deadline::wished(request.headers())?.map_or_else(usual, |wish| wish.min(self.longest));
        let deadline = Deadline::after(time);

        // Somebody has to have heard of it. A name that was made up is not asked for any longer than that.
        let target = self.mesh.target(&service);
        match target.known_within(self.discovery.min(time)).await {
            Known::Somewhere => {}
            known => {
                self.mesh.forget_unknown(&service);
                return Err(self.unknown(&service, known));
            }
        }

        // The mesh does the rest, until the deadline. What the call says about who makes it is the program's own.
        let active = self.metrics_of(&service).begin();
        let from = Peer::InProcess(Arc::clone(&self.service));
        let answer = target.forward(from, None, request, deadline).await;
        active.finish(
            answer
                .as_ref()
                .map_or_else(|fault| fault.outward_kind().status(), |answer| answer.status().as_u16()),
        );
        answer
    }

    fn unknown(&self, service: &str, known: Known) -> Platform {
        let registry = &self.registry;
        match known {
            Known::Unsaid => Platform::new(FaultKind::UpstreamUnavailable)
                .with_detail(format!("{registry} has not said yet where {service} is")),
            _ => Platform::new(FaultKind::NotFound)
                .with_detail(format!("{registry} knows no instance of a service called {service}")),
        }
    }

    fn own(&self, request: &Request) -> Result<Response, Platform> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Platform::new(FaultKind::MethodNotAllowed)
                .with_detail(format!("this address takes {ALLOW}"))
                .with_allow(ALLOW.to_owned()));
        }
        let (kind, text) = if request.uri().path() == "/metrics" {
            (Metrics::MEDIA_TYPE, Metrics::install().render())
        } else {
            let app = json!({ "healthy": self.pulse.is_well(), "announced": self.pulse.is_announced() });
            let health = json!({ "status": "healthy", "service": &*self.service, "app": app });
            ("application/json", health.to_string())
        };
        let mut answer = Response::new(text.into_bytes().into());
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(answer)
    }

    /// Only of services that exist, and of so many: whoever makes up names must not make up metrics.
    fn metrics_of(&self, service: &str) -> HttpServerMetrics {
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = metrics.get(service) {
            return known.clone();
        }
        let name = if metrics.len() < MEASURED { service } else { "others" };
        let new = || HttpServerMetrics::for_operation(name, 0, "outgoing");
        metrics.entry(name.to_owned()).or_insert_with(new).clone()
    }
}
