//! The call: the one explicit context of every operation.

mod headers;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use self::headers::{Field, Found, LONGEST_WAIT, if_match_from, is_plain, key_from, wait_from};
use crate::caller::Caller;
use crate::deadline::Deadline;
use crate::operation::Operation;
use crate::platform::{FaultKind, Platform};
use crate::trace::Trace;
use crate::wire;

/// The context of one call: who calls, until when, in which trace, under which key.
///
/// It is cheap to clone, survives a spawn, and passing it on is how identity, deadline and trace propagate.
#[derive(Clone)]
pub struct Call {
    caller: Caller,
    /// The service that sent the call on the caller's behalf; `None` when it came from outside.
    peer: Option<Arc<str>>,
    client_address: Option<IpAddr>,
    deadline: Deadline,
    trace: Trace,
    request_id: Arc<str>,
    key: Option<IdempotencyKey>,
    attempt: u32,
    once: bool,
    if_match: Option<IfMatch>,
    last_event_id: Option<Arc<str>>,
    wait: Duration,
    /// Shared with the server, which learns from it what became of the key.
    marks: Arc<Marks>,
    presence: Option<Arc<dyn Presence>>,
}

/// The key of a keyed operation. The server adds what the key is compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The client's key, 1 to 255 visible ASCII characters.
    pub key: Arc<str>,
    /// Principal, method and route template. Empty on the client's side.
    pub scope: Arc<str>,
    /// A digest of path parameters and canonical body. Zero on the client's side.
    pub fingerprint: [u8; 32],
}

/// The precondition of a write: `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMatch {
    /// Any current version.
    Any,
    /// Exactly this row version.
    Version(i64),
}

/// Told when a call only waits for news, so that "is anything going on?" has an answer.
pub trait Presence: Send + Sync {
    /// The call waits from now on.
    fn park(&self);
    /// The call works again.
    fn resume(&self);
}

#[derive(Default)]
struct Marks {
    recorded: AtomicBool,
    replayed: AtomicBool,
}

// === impl Call ===

impl Call {
    /// A call by nobody, with a deadline and a trace.
    pub fn new(deadline: Deadline, trace: Trace) -> Self {
        Self::with_id(deadline, trace, format!("{:032x}", trace.trace_id()).into())
    }

    fn with_id(deadline: Deadline, trace: Trace, request_id: Arc<str>) -> Self {
        Self {
            caller: Caller::Anonymous,
            peer: None,
            client_address: None,
            deadline,
            trace,
            request_id,
            key: None,
            attempt: 1,
            once: false,
            if_match: None,
            last_event_id: None,
            wait: Duration::ZERO,
            marks: Arc::default(),
            presence: None,
        }
    }

    /// The call a request carries. Identity is not read here: it takes a verified token.
    ///
    /// # Errors
    /// [`FaultKind::MalformedRequest`] for a header that cannot be read.
    pub fn from_headers(headers: &HeaderMap, deadline: Deadline, fresh: Trace) -> Result<Self, Platform> {
        let found = Found::new(headers);
        let trace = found.text(Field::Trace).and_then(|text| text.parse::<Trace>().ok());
        let trace = trace.map_or(fresh, |trace| trace.child(fresh.span_id()));
        let mut call = match found.text(Field::RequestId).filter(|id| is_plain(id, 128)) {
            Some(id) => Self::with_id(deadline, trace, id.into()),
            None => Self::new(deadline, trace),
        };
        if found.has(Field::Key) {
            call.key = Some(key_from(headers)?);
        }
        if let Some(value) = found.value(Field::IfMatch) {
            call.if_match = Some(if_match_from(value)?);
        }
        if let Some(attempt) = found.text(Field::Attempt).and_then(|text| text.parse().ok()) {
            call.attempt = attempt;
        }
        call.last_event_id = found.text(Field::LastEventId).map(Into::into);
        if found.has(Field::Prefer) {
            call.wait = wait_from(headers);
        }
        Ok(call)
    }

    /// Writes what the peer needs to know for this operation.
    ///
    /// # Errors
    /// [`FaultKind::IdempotencyKeyMissing`] when a keyed operation is called without a key.
    pub fn write_headers(&self, operation: &Operation, headers: &mut HeaderMap) -> Result<(), Platform> {
        if let Some(identity) = self.caller.identity() {
            set(headers, header::AUTHORIZATION, &format!("Bearer {}", identity.token));
        }
        match &self.key {
            Some(key) if operation.keyed => set(headers, wire::IDEMPOTENCY_KEY, &key.key),
            None if operation.keyed && !operation.key_optional => {
                return Err(Platform::new(FaultKind::IdempotencyKeyMissing)
                    .with_detail(format!("{} was called without a key", operation.full_name())));
            }
            _ => {}
        }
        match self.if_match {
            Some(IfMatch::Any) => set(headers, header::IF_MATCH, "*"),
            Some(IfMatch::Version(version)) => set(headers, header::IF_MATCH, &format!("\"{version}\"")),
            None => {}
        }
        if let Some(id) = &self.last_event_id {
            set(headers, wire::LAST_EVENT_ID, id);
        }
        if !self.wait.is_zero() {
            set(headers, wire::PREFER, &format!("wait={}", self.wait.as_secs()));
        }
        if self.attempt > 1 {
            set(headers, wire::ATTEMPT, &self.attempt.to_string());
        }
        if let Ok(value) = HeaderValue::from_bytes(&self.trace.to_bytes()) {
            headers.insert(wire::TRACEPARENT, value);
        }
        set(headers, wire::REQUEST_ID, &self.request_id);
        set(headers, wire::TIMEOUT_MS, &self.deadline.remaining().as_millis().to_string());
        Ok(())
    }

    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The caller's subject.
    ///
    /// # Errors
    /// [`FaultKind::Unauthenticated`] for an anonymous call.
    pub fn subject(&self) -> Result<&str, Platform> {
        self.caller.subject().ok_or_else(|| Platform::new(FaultKind::Unauthenticated))
    }

    /// The service that sent the call, if a service did.
    pub fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    /// The address of the client, if it is known: on operations that are public and write it is. A service that calls
    /// another says nothing about whom it does so for.
    pub fn client_address(&self) -> Option<IpAddr> {
        self.client_address
    }

    /// Whether input is read tolerantly: the sender is a service, perhaps of another version, not a user.
    pub fn is_internal(&self) -> bool {
        self.peer.is_some() || self.caller.has_role("service")
    }

    /// Until when an answer is useful.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// The position in the trace.
    pub fn trace(&self) -> Trace {
        self.trace
    }

    /// The id under which logs know the request.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The same id, to keep beyond the call.
    pub fn request_id_shared(&self) -> Arc<str> {
        Arc::clone(&self.request_id)
    }

    /// The idempotency key.
    pub fn key(&self) -> Option<&IdempotencyKey> {
        self.key.as_ref()
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The precondition.
    pub fn if_match(&self) -> Option<IfMatch> {
        self.if_match
    }

    /// The last event the reader of a stream has seen.
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    /// How long a read may wait for news: `Prefer: wait=N`, at most 30 s, and a little less than the deadline.
    pub fn wait(&self) -> Duration {
        self.wait.min(self.deadline.remaining().saturating_sub(Duration::from_millis(200)))
    }

    /// Awaits news without counting as work going on. Wrap the waiting part of a long poll in it.
    pub async fn parked<F: Future>(&self, news: F) -> F::Output {
        let _resume = self.presence.as_ref().map(|presence| {
            presence.park();
            Resume(presence.as_ref())
        });
        news.await
    }

    /// The same call as somebody.
    #[must_use]
    pub fn with_caller(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// The same call, sent by a service.
    #[must_use]
    pub fn with_peer(mut self, service: Arc<str>) -> Self {
        self.peer = Some(service);
        self
    }

    /// The same call, made by a client at that address.
    #[must_use]
    pub fn with_client_address(mut self, address: IpAddr) -> Self {
        self.client_address = Some(address);
        self
    }

    /// The same call, of which nobody says where its client is.
    #[must_use]
    pub fn without_client_address(mut self) -> Self {
        self.client_address = None;
        self
    }

    /// The same call under the id of the request that started it all, so that logs find the whole story.
    #[must_use]
    pub fn with_request_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.request_id = id.into();
        self
    }

    /// The same call under a key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(IdempotencyKey { key: key.into(), scope: "".into(), fingerprint: [0; 32] });
        self.marks = Arc::default();
        self
    }

    /// The same call without a key, for an operation that takes none.
    #[must_use]
    pub fn without_key(mut self) -> Self {
        self.key = None;
        self
    }

    /// The same call, its key bound to what it is compared by.
    #[must_use]
    pub fn with_bound_key(mut self, scope: Arc<str>, fingerprint: [u8; 32]) -> Self {
        if let Some(key) = &mut self.key {
            key.scope = scope;
            key.fingerprint = fingerprint;
        }
        self
    }

    /// The same call with a precondition.
    #[must_use]
    pub fn with_if_match(mut self, precondition: IfMatch) -> Self {
        self.if_match = Some(precondition);
        self
    }

    /// The same call, resuming a stream.
    #[must_use]
    pub fn with_last_event_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.last_event_id = Some(id.into());
        self
    }

    /// The same call, willing to wait for news.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait.min(LONGEST_WAIT);
        self
    }

    /// The same call with at most this much time left.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.deadline = self.deadline.within(limit);
        self
    }

    /// The same call as the next span of its trace.
    #[must_use]
    pub fn with_trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
        self
    }

    /// The same call, to be made once: whoever makes it tries it again himself, as sagas and jobs do, and of all layers
    /// only one may.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Whether it is to be made once.
    pub fn is_once(&self) -> bool {
        self.once
    }

    /// The same call, its attempt counted by whoever retries.
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// The same call, observed by the server that runs it.
    #[must_use]
    pub fn with_presence(mut self, presence: Arc<dyn Presence>) -> Self {
        self.presence = Some(presence);
        self
    }

    /// Says that the key went into a committed transaction. The store calls it.
    pub fn mark_recorded(&self) {
        self.marks.recorded.store(true, Ordering::Release);
    }

    /// Says that the answer is a stored one. The store calls it.
    pub fn mark_replayed(&self) {
        self.marks.recorded.store(true, Ordering::Release);
        self.marks.replayed.store(true, Ordering::Release);
    }

    /// Whether the key went into a committed transaction.
    pub fn is_recorded(&self) -> bool {
        self.marks.recorded.load(Ordering::Acquire)
    }

    /// Whether the answer is a stored one.
    pub fn is_replayed(&self) -> bool {
        self.marks.replayed.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("caller", &self.caller)
            .field("peer", &self.peer)
            .field("remaining", &self.deadline.remaining())
            .field("request_id", &self.request_id)
            .field("key", &self.key)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// Ends a parked wait, also when the call is dropped in the middle of it.
struct Resume<'a>(&'a dyn Presence);

impl Drop for Resume<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Values reach here validated or made by us; one that is not a header value could only be dropped.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

impl IfMatch {
    /// Whether a row of that version may be changed.
    ///
    /// # Errors
    /// [`FaultKind::PreconditionFailed`].
    pub fn check(self, current: i64) -> Result<(), Platform> {
        match self {
            Self::Any => Ok(()),
            Self::Version(version) if version == current => Ok(()),
            Self::Version(_) => Err(Platform::new(FaultKind::PreconditionFailed)),
        }
    }
}
