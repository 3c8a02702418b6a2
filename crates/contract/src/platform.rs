//! Platform faults: everything that can go wrong with a call besides the contract's own problems.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::problem::{ProblemDetails, Violation};

/// A boxed error, for causes that are only logged.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A fault of the platform: bad input, a missing right, a deadline, an unreachable peer.
///
/// It says three things: what ([`FaultKind`]), whose ([`Origin`]) and, by the kind, whether a retry may help. The
/// cause is for the log; outside nobody sees it.
pub struct Platform(Box<Inner>);

struct Inner {
    kind: FaultKind,
    origin: Origin,
    detail: Option<Cow<'static, str>>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    /// The value of `Allow` of a 405.
    allow: Option<String>,
    source: Option<BoxError>,
}

/// Who failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This process said so.
    Local,
    /// The called service said so.
    Upstream,
}

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident = $status:literal $code:literal $title:literal;)+) => {
        /// What went wrong. Each kind has one status and one stable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[$meta])* $name,)+
        }

        impl FaultKind {
            /// All kinds, in the order of their statuses.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// One sentence for people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

kinds! {
    /// The body is not JSON as `contract.md` wants it.
    MalformedBody = 400 "malformed-body" "The body is not valid JSON.";
    /// A path, query or header that cannot be read.
    MalformedRequest = 400 "malformed-request" "The request cannot be read.";
    /// A keyed operation without `Idempotency-Key`.
    IdempotencyKeyMissing = 400 "idempotency-key-missing" "This operation needs an Idempotency-Key header.";
    /// No identity where one is needed.
    Unauthenticated = 401 "unauthenticated" "A valid access token is needed.";
    /// The token's time is over.
    TokenExpired = 401 "token-expired" "The access token has expired.";
    /// A role is missing.
    Forbidden = 403 "forbidden" "The caller may not do this.";
    /// No such route.
    NotFound = 404 "not-found" "There is nothing at this address.";
    /// The route exists with other methods.
    MethodNotAllowed = 405 "method-not-allowed" "The method is not allowed here.";
    /// Nothing acceptable can be produced.
    NotAcceptable = 406 "not-acceptable" "No acceptable representation exists.";
    /// The request did not arrive in time.
    RequestTimeout = 408 "request-timeout" "The request took too long to arrive.";
    /// A request with the same key is still running.
    IdempotencyInProgress = 409 "idempotency-in-progress" "A request with this Idempotency-Key is still running.";
    /// `If-Match` names another version.
    PreconditionFailed = 412 "precondition-failed" "The resource has changed since it was read.";
    /// The body is larger than allowed.
    PayloadTooLarge = 413 "payload-too-large" "The body is too large.";
    /// The target is longer than allowed.
    UriTooLong = 414 "uri-too-long" "The address is too long.";
    /// Not `application/json`.
    UnsupportedMediaType = 415 "unsupported-media-type" "The body must be application/json.";
    /// The call is for another service (RFC 9110, section 15.5.20). Nothing was done.
    Misdirected = 421 "misdirected" "This is not the service the call is for.";
    /// Readable, but not valid. Lists every violation.
    ValidationFailed = 422 "validation-failed" "The request is not valid.";
    /// The key was used for another request.
    IdempotencyKeyReused = 422 "idempotency-key-reused" "This Idempotency-Key was used for another request.";
    /// `If-Match` is needed.
    PreconditionRequired = 428 "precondition-required" "This operation needs an If-Match header.";
    /// Too many requests.
    RateLimited = 429 "rate-limited" "Too many requests.";
    /// Too many or too large header fields.
    HeadersTooLarge = 431 "headers-too-large" "The header fields are too large.";
    /// A bug or an unknown error on our side. Opaque outside, complete in the log.
    Internal = 500 "internal" "Something went wrong on our side.";
    /// The called service answered with something that cannot be used.
    UpstreamFailed = 502 "upstream-failed" "A service that was called gave no usable answer.";
    /// The called service cannot be reached.
    UpstreamUnavailable = 503 "upstream-unavailable" "A service that was called is not available.";
    /// A queue is full; nothing was done.
    Overloaded = 503 "overloaded" "There is too much to do. Try again shortly.";
    /// Reads work, writes wait: events do not leave, or the disk is full.
    Degraded = 503 "degraded" "The service takes no writes at the moment.";
    /// The commit's outcome is not known.
    OutcomeUnknown = 503 "outcome-unknown" "It is not known whether the change was made. Repeat it with the same key.";
    /// The deadline passed.
    UpstreamTimeout = 504 "upstream-timeout" "The deadline passed before there was an answer.";
}

// === impl FaultKind ===

impl FaultKind {
    /// The kind with that code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    /// The kind that stands for a bare status, for peers that send no problem.
    pub fn from_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            429 => Self::RateLimited,
            503 => Self::UpstreamUnavailable,
            504 => Self::UpstreamTimeout,
            _ => Self::UpstreamFailed,
        }
    }

    /// Whether a called service was not there, for this call: not to be reached, too slow, or with too much to do.
    pub const fn is_absence(self) -> bool {
        matches!(
            self,
            Self::UpstreamFailed
                | Self::UpstreamUnavailable
                | Self::Overloaded
                | Self::Degraded
                | Self::UpstreamTimeout
        )
    }

    /// Whether the same request may succeed later without anybody changing it.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::UpstreamFailed
                | Self::UpstreamUnavailable
                | Self::Overloaded
                | Self::Degraded
                | Self::OutcomeUnknown
                | Self::UpstreamTimeout
                | Self::IdempotencyInProgress
                | Self::RequestTimeout
        )
    }
}

// === impl Platform ===

impl Platform {
    /// A fault of that kind, made here.
    pub fn new(kind: FaultKind) -> Self {
        Self(Box::new(Inner {
            kind,
            origin: Origin::Local,
            detail: None,
            violations: Vec::new(),
            retry_after: None,
            allow: None,
            source: None,
        }))
    }

    /// A bug or an unknown failure, with its cause for the log.
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(FaultKind::Internal).caused_by(source)
    }

    /// Input that is readable but not valid.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let mut fault = Self::new(FaultKind::ValidationFailed);
        fault.0.violations = violations;
        fault
    }

    /// Adds what happened this time. Clients see it.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds when to come back, sent as `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds the methods a route has, sent as `Allow`.
    #[must_use]
    pub fn with_allow(mut self, methods: String) -> Self {
        self.0.allow = Some(methods);
        self
    }

    /// Adds the cause. Only the log sees it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Marks the fault as the called service's.
    #[must_use]
    pub fn from_upstream(mut self) -> Self {
        self.0.origin = Origin::Upstream;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> FaultKind {
        self.0.kind
    }

    /// Who failed.
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// What happened this time.
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// What is wrong with the input.
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// When to come back.
    pub fn retry_after_hint(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The methods of a 405.
    pub fn allow(&self) -> Option<&str> {
        self.0.allow.as_deref()
    }

    /// What our caller is told of it. A peer's complaint about *our* request is our failure (502), not the caller's;
    /// identity is the caller's own and passes through.
    pub fn outward_kind(&self) -> FaultKind {
        match (self.0.origin, self.0.kind) {
            (Origin::Upstream, FaultKind::Internal) => FaultKind::UpstreamFailed,
            (
                Origin::Upstream,
                kind @ (FaultKind::Unauthenticated
                | FaultKind::TokenExpired
                | FaultKind::Forbidden
                | FaultKind::RateLimited),
            ) => kind,
            (Origin::Upstream, kind) if kind.status() < 500 => FaultKind::UpstreamFailed,
            (_, kind) => kind,
        }
    }

    /// The body for the wire.
    pub fn details(&self) -> ProblemDetails {
        let kind = self.outward_kind();
        let own = kind == self.0.kind;
        ProblemDetails {
            type_uri: format!("urn:partie:problem:{}", kind.code()),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: self
                .0
                .detail
                .as_deref()
                .filter(|_| own && kind != FaultKind::Internal)
                .map(str::to_owned),
            instance: None,
            code: kind.code().to_owned(),
            errors: if own { self.0.violations.clone() } else { Vec::new() },
            request_id: None,
            members: serde_json::Map::new(),
        }
    }

    /// The fault a peer sent.
    pub(crate) fn from_details(details: ProblemDetails, retry_after: Option<Duration>) -> Self {
        let kind =
            FaultKind::from_code(&details.code).unwrap_or_else(|| FaultKind::from_status(details.status));
        let mut fault = Self::new(kind).from_upstream();
        fault.0.detail = Some(match details.detail {
            Some(detail) => detail.into(),
            None => format!("{} {}", details.status, details.code).into(),
        });
        fault.0.violations = details.errors;
        fault.0.retry_after = retry_after;
        fault
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Platform");
        out.field("kind", &self.0.kind).field("origin", &self.0.origin);
        if let Some(detail) = &self.0.detail {
            out.field("detail", detail);
        }
        if !self.0.violations.is_empty() {
            out.field("violations", &self.0.violations);
        }
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.code())?;
        if let Some(detail) = &self.0.detail {
            write!(f, ": {detail}")?;
        }
        for violation in &self.0.violations {
            write!(f, "; {} {}", violation.pointer, violation.detail)?;
        }
        Ok(())
    }
}

impl Error for Platform {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_read_back() {
        for kind in FaultKind::ALL {
            assert_eq!(FaultKind::from_code(kind.code()), Some(*kind));
        }
    }

    #[test]
    fn a_peers_complaint_about_our_request_is_our_failure() {
        for (theirs, ours) in [
            (FaultKind::ValidationFailed, FaultKind::UpstreamFailed),
            (FaultKind::NotFound, FaultKind::UpstreamFailed),
            (FaultKind::Internal, FaultKind::UpstreamFailed),
            (FaultKind::TokenExpired, FaultKind::TokenExpired),
            (FaultKind::Overloaded, FaultKind::Overloaded),
            (FaultKind::UpstreamTimeout, FaultKind::UpstreamTimeout),
        ] {
            assert_eq!(Platform::new(theirs).from_upstream().outward_kind(), ours, "{theirs:?}");
            assert_eq!(Platform::new(theirs).outward_kind(), theirs, "{theirs:?} made here");
        }
    }

    #[test]
    fn an_internal_cause_stays_inside() {
        let fault = Platform::internal("password=hunter2").with_detail("table users");
        let text = serde_json::to_string(&fault.details()).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("table"), "{text}");
        assert!(format!("{fault:?}").contains("hunter2"));
    }
}
