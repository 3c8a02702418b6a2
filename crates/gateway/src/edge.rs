//! The edge: what every request meets first, and what it goes by can be swapped meanwhile.

mod keep;
mod road;
mod swap;

use std::fmt;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use http::{Method, Uri, header};
use http_body::Body as _;
use partie_contract::{Body, BoxFuture, FaultKind, Platform, Request, Response, boxed, grpc, wire};
use partie_identity::Verifier;
use partie_mesh::{Mesh, Peer, Serve, request_id};
use partie_runtime::Ids;
use serde_json::{Map, Value};

use crate::answer::problem;
use crate::build::{DemoIdentity, Parts};
use crate::compress::compress;
use crate::config::Gateway;
use crate::log::Entry;
use crate::own::Pages;
use crate::rates::Buckets;
use crate::routes::Routes;
use crate::rules::ConfigError;
use crate::table::Table;
use crate::upstreams::{Upstreams, look_up};
use crate::vitals::Vitals;

pub use self::keep::Watched;
pub(crate) use self::swap::check;

/// The door to all services. Made by [`Gateway::build`], served by a [`Listener`](partie_mesh::Listener).
pub struct Edge {
    /// What requests go by.
    table: ArcSwap<Table>,
    /// One change at a time.
    changing: Mutex<()>,
    /// What contracts say, which does not change.
    routes: Arc<Routes>,
    /// The services of the contracts, by name.
    services: Vec<&'static str>,
    mesh: Mesh,
    upstreams: Upstreams,
    /// How much everybody has sent. Outlives every change.
    buckets: Buckets,
    pages: Pages,
    verifier: Arc<Verifier>,
    demo: Option<DemoIdentity>,
    ids: Ids,
}

impl Serve for Edge {
    fn serve(self: Arc<Self>, peer: Peer, mut request: Request) -> BoxFuture<'static, Response> {
        // Whatever takes a request by value has room for two of them; there is one for each request under way.
        boxed(move || async move { self.answer(peer, &mut request).await })
    }
}

// === impl Edge ===

impl Edge {
    pub(crate) fn new(
        config: &Gateway,
        routes: Routes,
        openapi: Value,
        parts: Parts,
    ) -> Result<Self, ConfigError> {
        let services: Vec<&str> = parts.contracts.iter().map(|contract| contract.service).collect();
        check(config, &services)?;
        let (upstreams, places) = (Upstreams::default(), look_up(config, &services)?);
        upstreams.tell(places, &parts.mesh);
        let routes = Arc::new(routes);
        let table = Table::compile(config, 1, Arc::clone(&routes), &parts.mesh)?;
        let pages = Pages::new(openapi, &parts);
        Ok(Self {
            table: ArcSwap::from_pointee(table),
            changing: Mutex::new(()),
            routes,
            services,
            upstreams,
            buckets: Buckets::new(),
            pages,
            ids: parts.mesh.handles().ids.clone(),
            mesh: parts.mesh,
            verifier: parts.verifier,
            demo: parts.demo,
        })
    }

    /// Whatever comes of a request, it has an id, is logged, and faults become problems here and nowhere else.
    async fn answer(&self, peer: Peer, request: &mut Request) -> Response {
        // One look is enough: a request ends as it began, whatever is changed meanwhile.
        let table = self.table.load_full();
        let request_id = request_id(request.headers(), &self.ids);
        let mut entry = Entry::begin(request.method().clone(), request_id);
        let (uri, is_grpc) = (request.uri().clone(), grpc::is_call(request.headers()));
        let mut answer = match self.road(&table, peer, request, &mut entry).await {
            Ok(answer) => answer,
            Err(fault) if is_grpc => fault.into_grpc_response(),
            Err(fault) => self.explain(fault, &uri, &entry),
        };
        let headers = answer.headers_mut();
        // Who failed is for our own hops.
        headers.remove(wire::FAULT);
        headers.insert(wire::REQUEST_ID, entry.request_id.clone());
        if let Some(left) = entry.left {
            left.write(headers);
        }
        if let Some((cors, origin)) = &entry.cors {
            cors.annotate(origin.as_ref(), headers);
        }
        entry.end(answer.status(), table.config.access_log);
        if entry.method == Method::HEAD {
            return if entry.as_it_is { answer } else { without_body(answer) };
        }
        match (entry.squeeze, table.compression()) {
            (Some(squeeze), Some(config)) => compress(answer, config, squeeze.accepted, squeeze.weakens),
            _ => answer,
        }
    }

    /// How it does.
    pub(crate) fn vitals(&self) -> &Vitals {
        &self.pages.vitals
    }

    fn explain(&self, fault: Platform, uri: &Uri, entry: &Entry<'_>) -> Response {
        if fault.outward_kind().status() >= 500 {
            let (route, request_id) = (entry.route, entry.request_id());
            let cause = std::error::Error::source(&fault).map(ToString::to_string);
            tracing::warn!(route, request_id, %fault, cause, "a request failed at the edge");
        }
        let members = self.tutorial_text(&fault, uri.path());
        problem(fault, uri.path(), entry.request_id(), members)
    }

    /// The text the tutorials have in `error`, on their routes.
    fn tutorial_text(&self, fault: &Platform, path: &str) -> Map<String, Value> {
        let compat = || self.routes.at(path).is_some_and(|resource| resource.is_compat());
        let text = match fault.kind() {
            FaultKind::Unauthenticated if fault.detail().is_none() && compat() => "No token provided",
            FaultKind::Unauthenticated | FaultKind::TokenExpired if compat() => "Invalid token",
            FaultKind::NotFound if self.routes.names_unknown_service(path) => "Service not found",
            _ => return Map::new(),
        };
        Map::from_iter([("error".to_owned(), Value::from(text))])
    }
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge").field("config", &self.table.load().config).finish_non_exhaustive()
    }
}

/// The head as it would be with the body, which is dropped.
fn without_body(answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers.entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
    Response::from_parts(head, Body::empty())
}
