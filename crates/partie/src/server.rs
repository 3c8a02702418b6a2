//! The server of one service: every request goes through the same steps, whoever sends it and however it came.

mod authorise;
mod beside;
mod endpoint;
mod keyed;
mod lane;
mod router;

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use partie_contract::{
    Body, BoxFuture, Call, Deadline, FaultKind, IfMatch, Inbound, Operation, Platform, Request, Response,
    Verb, boxed, grpc, wire,
};
use partie_identity::Verifier;
use partie_mesh::{ClientAddress, InFlight, Limit, Limited, Peer, Serve, refuse_misdirected};
use partie_messaging::Worker;
use partie_runtime::{Activity, Ids, Stop};
use partie_store::{Replay, Store};
use partie_telemetry::SlowPolls;

pub(crate) use self::authorise::identify;
pub(crate) use self::beside::Beside;
pub(crate) use self::endpoint::{Endpoint, Endpoints};
pub(crate) use self::lane::SlowLane;
use self::router::{Found, Router};

/// The largest body a service reads, in bytes (`contract.md`).
pub(crate) const LARGEST_BODY: usize = 1 << 20;
/// How long a call may take that carries no deadline and whose operation names none.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// On answers that carry a secret, and so on every other answer of such an operation.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// The name under which the gateway hands over requests: users' requests, to be read strictly.
pub(crate) const GATEWAY: &str = "gateway";

/// Answers the requests of one service.
pub(crate) struct Server {
    service: &'static str,
    router: Router,
    /// Other protocols beside the contracts.
    beside: Vec<Box<dyn Beside>>,
    /// Plain axum routes beside the contracts.
    fallback: Option<axum::Router>,
    shared: Shared,
}

/// What the steps need.
pub(crate) struct Shared {
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) store: Option<Store>,
    /// What runs in the background of the service.
    pub(crate) worker: Option<Worker>,
    pub(crate) activity: Activity,
    pub(crate) ids: Ids,
    /// The largest body, in bytes.
    pub(crate) largest_body: usize,
    /// Stopped when nobody may wait for news here any more.
    pub(crate) closing: Stop,
    /// For operations that hold up their thread.
    pub(crate) lane: Arc<SlowLane>,
}

// === impl Server ===

impl Server {
    pub(crate) fn new(
        service: &'static str,
        endpoints: Endpoints,
        beside: Vec<Box<dyn Beside>>,
        fallback: Option<axum::Router>,
        shared: Shared,
    ) -> Result<Self, router::Conflict> {
        Ok(Self { service, router: Router::new(endpoints)?, beside, fallback, shared })
    }

    /// Whether the operation has lately held up its thread: others must not wait for it again.
    fn stalls(&self, request: &Request) -> bool {
        SlowPolls::any_stalls()
            && match self.router.find(request.method(), request.uri().path()) {
                Found::Operation(endpoint, _) => endpoint.polls.stalls(),
                Found::Nothing | Found::Refused(_) => false,
            }
    }

    async fn answer(&self, peer: Peer, mut request: Request) -> Response {
        if let Some(refusal) = refuse_misdirected(self.service, &request) {
            return refusal;
        }
        let presence = InFlight::of(&mut request, &self.shared.activity);
        let (endpoint, params) = match self.router.find(request.method(), request.uri().path()) {
            Found::Operation(endpoint, params) => (endpoint, params),
            Found::Nothing => return self.look_beside(peer, request, presence).await,
            Found::Refused(fault) => return self.refuse(fault, &request),
        };
        let mut measured = endpoint.metrics.begin();
        let deadline = deadline_of(request.headers(), endpoint.operation, measured.since());
        let call = Call::from_headers(request.headers(), deadline, self.shared.ids.trace())
            .map(|call| call.with_presence(presence));
        let mut response = match call {
            Ok(call) => {
                let request_id = call.request_id_shared();
                let (head, body) = request.into_parts();
                let waits = !call.wait().is_zero();
                let steps = pin!(self.run(endpoint, params, peer, call, &head, body));
                // One timer for everything: the deadline covers reading the body as well as the work. A poll of any
                // step that holds up its thread is counted.
                let steps = Limited::new(Limit::At(deadline), steps);
                // A passed deadline is not worth a token's verification.
                let late = deadline.instant() <= measured.since();
                let steps = measured.watch(&endpoint.polls, steps);
                let ran = match (late, waits) {
                    (true, _) => None,
                    (false, false) => steps.await,
                    (false, true) => self.unless_closing(steps).await,
                };
                ran.unwrap_or_else(|| Err(Platform::new(FaultKind::UpstreamTimeout))).unwrap_or_else(
                    |fault| fault.into_response(Some(head.uri.path().to_owned()), Some(&request_id)),
                )
            }
            Err(fault) => self.refuse(fault, &request),
        };
        if endpoint.operation.no_store {
            response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
        }
        self.log(&response, endpoint.operation);
        measured.finish(response.status().as_u16());
        response
    }

    /// Ends what waits for news when the service is about to go, so that it is asked of the next one: only reads wait.
    async fn unless_closing(
        &self,
        steps: impl Future<Output = Option<Result<Response, Platform>>>,
    ) -> Option<Result<Response, Platform>> {
        tokio::select! {
            biased;
            ran = steps => ran,
            () = self.shared.closing.stopped() => {
                let going = Platform::new(FaultKind::Degraded).with_detail("the service is about to restart");
                Some(Err(going.retry_after(Duration::from_secs(1))))
            }
        }
    }

    /// The road of a request to its operation. Nothing has an effect before the last step.
    async fn run(
        &self,
        endpoint: &Endpoint,
        params: partie_contract::Params,
        peer: Peer,
        call: Call,
        head: &Parts,
        body: Body,
    ) -> Result<Response, Platform> {
        let operation = endpoint.operation;
        // Who asks, and may they? Services verify tokens themselves, whoever forwarded them.
        let call = identify(&self.shared.verifier, &peer, &head.headers, endpoint.lenient, call).await?;
        // The edge of this process, and nobody who sends bytes, can say so this way.
        let call = match head.extensions.get::<ClientAddress>() {
            Some(ClientAddress(address)) => call.with_client_address(*address),
            None => call,
        };
        authorise::authorise(operation, call.caller())?;
        // Complaints about the form come before the body is read.
        check_content(operation, &head.headers)?;
        check_precondition(operation, &call)?;
        let body = body.collect(self.shared.largest_body).await?;
        let (path, query) = (head.uri.path().to_owned(), head.uri.query().map(str::to_owned));
        let mut inbound = Inbound { call, operation, path, params, query, body };
        // A known key answers from the store, before the handler looks at a world that has moved on.
        let _claim = match keyed::bind(&mut inbound, self.shared.store.as_ref()).await? {
            Replay::Stored(stored) => return Ok(keyed::replayed(stored)),
            Replay::New(claim) => claim,
        };
        // What cannot leave must not pile up.
        if let (true, Some(worker)) = (has_consequences(operation), &self.shared.worker) {
            worker.admit()?;
        }
        let keyed = operation.keyed.then(|| inbound.call.clone());
        let response = endpoint.run(inbound).await;
        let replayed = keyed.is_some_and(|call| call.is_replayed());
        Ok(if replayed { keyed::mark_replayed(response) } else { response })
    }

    /// No contract has the address.
    async fn look_beside(&self, peer: Peer, request: Request, presence: Arc<InFlight>) -> Response {
        if let Some(beside) = self.beside.iter().find(|beside| beside.has(request.uri().path())) {
            return beside.answer(peer, request, presence, &self.shared).await;
        }
        if grpc::is_call(request.headers()) {
            return Platform::new(FaultKind::NotFound).into_grpc_response();
        }
        let Some(router) = self.fallback.clone() else {
            return self.refuse(Platform::new(FaultKind::NotFound), &request);
        };
        let request = request.map(axum::body::Body::new);
        let response =
            tower::ServiceExt::oneshot(router, request).await.unwrap_or_else(|never| match never {});
        response.map(Body::stream)
    }

    fn refuse(&self, fault: Platform, request: &Request) -> Response {
        let id = request.headers().get(&wire::REQUEST_ID).and_then(|id| id.to_str().ok());
        fault.into_response(Some(request.uri().path().to_owned()), id)
    }

    /// The cause of a failure is told here, once, and nowhere outside.
    fn log(&self, response: &Response, operation: &Operation) {
        let Some(fault) = response.extensions().get::<Arc<Platform>>() else { return };
        let (service, operation) = (self.service, operation.name);
        if fault.kind() == FaultKind::Internal {
            tracing::error!(service, operation, ?fault, "an operation failed");
        } else if response.status().is_server_error() {
            tracing::warn!(service, operation, ?fault, "an operation could not be carried out");
        }
    }
}

impl Serve for Server {
    fn serve(self: Arc<Self>, peer: Peer, request: Request) -> BoxFuture<'static, Response> {
        boxed(move || async move {
            if self.stalls(&request) {
                let this = Arc::clone(&self);
                return self.shared.lane.answer(async move { this.answer(peer, request).await }).await;
            }
            self.answer(peer, request).await
        })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.service)
    }
}

// === steps ===

/// What the sender has left; the edge has capped it, and added what a reader asked to wait. Without that, what the
/// operation may take.
fn deadline_of(headers: &HeaderMap, operation: &Operation, now: Instant) -> Deadline {
    let own = operation.timeout.unwrap_or(DEFAULT_TIMEOUT);
    let sent = headers.get(&wire::TIMEOUT_MS).and_then(|value| value.to_str().ok()?.parse().ok());
    Deadline::counted_from(now, sent.map_or(own, Duration::from_millis))
}

/// Whether the operation may say something to others: those with a key or a precondition, and those that replace.
fn has_consequences(operation: &Operation) -> bool {
    operation.keyed
        || operation.precondition
        || matches!(operation.verb, Verb::Put | Verb::Patch | Verb::Delete)
}

/// A body has to be JSON (415), and what is produced has to be acceptable (406).
fn check_content(operation: &Operation, headers: &HeaderMap) -> Result<(), Platform> {
    if operation.body.is_some() {
        let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        // RFC 7396: what a PATCH takes is a merge patch, whether or not it is called one.
        let is_patch =
            operation.verb == Verb::Patch && essence.eq_ignore_ascii_case(b"application/merge-patch+json");
        if !is_patch && !essence.eq_ignore_ascii_case(b"application/json") {
            return Err(Platform::new(FaultKind::UnsupportedMediaType));
        }
    }
    let produced = if operation.is_stream() { wire::EVENT_STREAM } else { "application/json" };
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut asked = false;
    for range in accepted.flat_map(|value| value.split(',')) {
        asked = true;
        let essence = range.split(';').next().unwrap_or_default().trim();
        let is_group = || {
            essence.strip_suffix('*').is_some_and(|group| group.ends_with('/') && produced.starts_with(group))
        };
        if essence == "*/*" || essence.eq_ignore_ascii_case(produced) || is_group() {
            return Ok(());
        }
    }
    if asked { Err(Platform::new(FaultKind::NotAcceptable)) } else { Ok(()) }
}

fn check_precondition(operation: &Operation, call: &Call) -> Result<(), Platform> {
    match call.if_match() {
        None if operation.precondition => Err(Platform::new(FaultKind::PreconditionRequired)),
        None | Some(IfMatch::Any | IfMatch::Version(_)) => Ok(()),
    }
}
