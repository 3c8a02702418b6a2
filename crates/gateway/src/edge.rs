//! The road of every request that comes from outside, as a list of steps.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Uri, header};
use http_body::Body as _;
use partie_contract::{
    Body, BoxFuture, Deadline, FaultKind, Operation, Platform, Request, Response, grpc, wire,
};
use partie_identity::{Verifier, bearer};
use partie_mesh::{Peer, Serve, Target, check_path, request_id};
use partie_runtime::Ids;
use serde_json::{Map, Value};

use crate::answer::{options, problem};
use crate::build::{DemoIdentity, Parts};
use crate::config::Gateway;
use crate::log::Entry;
use crate::own::{Own, Pages};
use crate::routes::{Routes, method_not_allowed};
use crate::{body, headers, identity};

/// The longest time a read may wait for news (`Prefer: wait=N`).
const LONGEST_WAIT: u64 = 30;
/// What the server as a whole takes (`OPTIONS *`).
const EVERYTHING: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The door to all services. Made by [`Gateway::build`], served by a [`Listener`](partie_mesh::Listener).
pub struct Edge {
    config: Gateway,
    routes: Routes,
    pages: Pages,
    verifier: Arc<Verifier>,
    demo: Option<DemoIdentity>,
    ids: Ids,
}

impl Serve for Edge {
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        Box::pin(async move { self.answer(peer, request).await })
    }
}

// === impl Edge ===

impl Edge {
    pub(crate) fn new(config: Gateway, routes: Routes, openapi: String, parts: Parts) -> Self {
        let pages = Pages::new(openapi, &parts);
        let ids = parts.mesh.handles().ids.clone();
        Self { config, routes, pages, verifier: parts.verifier, demo: parts.demo, ids }
    }

    /// Whatever comes of a request, it has an id, is logged, and faults become problems here and nowhere else.
    async fn answer(&self, peer: Peer, request: Request) -> Response {
        let request_id = request_id(request.headers(), &self.ids);
        let mut entry = Entry::begin(request.method().clone(), request_id);
        let (uri, is_grpc) = (request.uri().clone(), grpc::is_call(request.headers()));
        let mut answer = match self.road(peer, request, &mut entry).await {
            Ok(answer) => answer,
            Err(fault) if is_grpc => fault.into_grpc_response(),
            Err(fault) => self.explain(fault, &uri, &entry),
        };
        // Who failed is for our own hops.
        answer.headers_mut().remove(wire::FAULT);
        answer.headers_mut().insert(wire::REQUEST_ID, entry.request_id.clone());
        entry.end(answer.status());
        if entry.method == Method::HEAD { without_body(answer) } else { answer }
    }

    async fn road(&self, peer: Peer, mut request: Request, entry: &mut Entry) -> Result<Response, Platform> {
        // The server as a whole, which is no address.
        if request.uri().path() == "*" && entry.method == Method::OPTIONS {
            return Ok(options(EVERYTHING));
        }

        // An address that could be read in two ways is not read at all.
        check_path(request.uri().path())?;

        // The gateway's own addresses ask nobody.
        if let Some(own) = Own::find(request.uri().path()) {
            return self.own(own, request.uri().path(), entry);
        }

        // gRPC has addresses of its own, and judges its calls itself.
        if let Some(target) = self.routes.grpc(request.uri().path()) {
            return self.grpc(target, peer, request, entry).await;
        }

        // The operation, by the tables of the contracts.
        let resource = self.routes.at(request.uri().path());
        let resource = resource.ok_or_else(|| Platform::new(FaultKind::NotFound))?;
        if entry.method == Method::OPTIONS {
            return Ok(options(resource.allow()));
        }
        let route = resource.route(&entry.method)?;
        entry.route = route.operation.path;
        entry.active = Some(route.metrics.begin());

        // Who calls. Only a verified token says so.
        let who = identity::identify(route, request.headers(), &self.verifier)?;
        let who = who.or_else(|| identity::demo(route, &entry.method, &peer, self.demo.as_ref()));
        identity::authorise(route.operation.access, who.as_deref())?;

        // What it may send.
        let deadline = self.deadline(route.operation, request.headers());
        let (head, sent) = request.into_parts();
        request = Request::from_parts(head, body::limit(sent, self.config.body).await?);

        // What goes on: nothing the client could have made up, and what every request has.
        headers::outbound(request.headers_mut(), who.as_deref(), &entry.request_id);
        headers::client(request.headers_mut(), &peer);
        if let Some(who) = who.as_deref().filter(|_| route.compat) {
            headers::authorize(request.headers_mut(), who);
        }
        if entry.method == Method::HEAD {
            *request.method_mut() = Method::GET;
        }

        // The mesh does the rest, until the deadline.
        route.target.forward(peer, Some(route.operation), request, deadline).await
    }

    async fn grpc(
        &self,
        target: &Target,
        peer: Peer,
        mut request: Request,
        entry: &mut Entry,
    ) -> Result<Response, Platform> {
        entry.route = "grpc";
        let token = bearer(request.headers(), false)?;
        let who = token.map(|token| self.verifier.verify(token)).transpose()?;
        // A stream may take as long as anything may.
        let longest = self.config.longest_timeout;
        let limit = grpc::timeout(request.headers())?.map_or(longest, |wish| wish.min(longest));
        headers::outbound(request.headers_mut(), who.as_deref(), &entry.request_id);
        target.forward(peer, None, request, Deadline::after(limit)).await
    }

    fn own(&self, own: Own, path: &str, entry: &mut Entry) -> Result<Response, Platform> {
        entry.route = "own";
        match entry.method {
            Method::GET | Method::HEAD => Ok(self.pages.show(own, path, entry.request_id())),
            Method::OPTIONS => Ok(options(Own::ALLOW)),
            _ => Err(method_not_allowed(Own::ALLOW.to_owned())),
        }
    }

    /// What the operation says or the default, within the cap; and the wait the client asks for, on reads.
    fn deadline(&self, operation: &Operation, headers: &HeaderMap) -> Deadline {
        let limit = operation.timeout.unwrap_or(self.config.timeout).min(self.config.longest_timeout);
        let wait = if operation.verb.is_read() { wait(headers) } else { Duration::ZERO };
        Deadline::after(limit + wait)
    }

    fn explain(&self, fault: Platform, uri: &Uri, entry: &Entry) -> Response {
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
        f.debug_struct("Edge").field("config", &self.config).finish_non_exhaustive()
    }
}

/// How long the client is willing to wait for news. What cannot be read is no wish (RFC 7240 section 2).
fn wait(headers: &HeaderMap) -> Duration {
    let lines = headers.get_all(wire::PREFER).iter().filter_map(|line| line.to_str().ok());
    let seconds = lines
        .flat_map(|line| line.split(','))
        .find_map(|wish| wish.trim().strip_prefix("wait=")?.trim().parse::<u64>().ok());
    Duration::from_secs(seconds.map_or(0, |seconds| seconds.min(LONGEST_WAIT)))
}

/// The head as it would be with the body, which is dropped.
fn without_body(answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers.entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
    Response::from_parts(head, Body::empty())
}
