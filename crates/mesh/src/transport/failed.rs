//! Why an instance gave no answer, and what that says about trying again.

use std::error::Error;

use partie_contract::{BoxError, FaultKind, Platform};

/// No answer.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Nobody has seen the request, or nobody wanted it, and it is back in its place: it may be sent anywhere. The instance
    /// cannot be reached.
    Unsent(Platform),
    /// A connection that had been used before died without a byte of an answer. Most likely the other side had closed it
    /// just before; but it may have seen the request.
    Swallowed(Platform),
    /// It broke off, and may have seen the request.
    Broken(Platform),
    /// The request's own body failed. That is the answer.
    Own(Platform),
}

// === impl Failed ===

impl Failed {
    /// The instance does not accept connections.
    pub(super) fn unreachable(error: impl Into<BoxError>) -> Self {
        let fault = Platform::new(FaultKind::UpstreamUnavailable)
            .with_detail("a service that was called does not accept connections")
            .caused_by(error);
        Self::Unsent(fault)
    }

    /// Somebody else is at the instance's address. `again` says whether the request is back in its place.
    pub(crate) fn elsewhere(again: bool) -> Self {
        let fault = Platform::new(FaultKind::UpstreamUnavailable)
            .with_detail("somebody else is at the address of a service that was called");
        if again { Self::Unsent(fault) } else { Self::Broken(fault) }
    }

    /// What hyper says became of a request that was sent. `reused` tells of the connection.
    pub(super) fn of(error: hyper::Error, reused: bool) -> Self {
        if let Some(own) = own(&error) {
            return Self::Own(own);
        }
        let swallowed = reused && before_any_answer(&error);
        let fault = Platform::new(FaultKind::UpstreamFailed)
            .with_detail("a service that was called broke off before its answer")
            .caused_by(error);
        if swallowed { Self::Swallowed(fault) } else { Self::Broken(fault) }
    }

    /// What the caller learns.
    pub(crate) fn into_fault(self) -> Platform {
        match self {
            Self::Unsent(fault) | Self::Swallowed(fault) | Self::Broken(fault) | Self::Own(fault) => fault,
        }
    }
}

/// Whether the connection died without a byte of an answer.
fn before_any_answer(error: &hyper::Error) -> bool {
    let reset = error.source().is_some_and(|source| source.is::<std::io::Error>());
    error.is_incomplete_message() || error.is_canceled() || error.is_closed() || reset
}

/// A fault of our own in the request's body, such as its being too large.
fn own(error: &hyper::Error) -> Option<Platform> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(fault) = error.downcast_ref::<Platform>() {
            let same = Platform::new(fault.kind());
            return Some(match fault.detail() {
                Some(detail) => same.with_detail(detail.to_owned()),
                None => same,
            });
        }
        source = error.source();
    }
    None
}
