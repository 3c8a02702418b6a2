//! Why an instance gave no answer, and what that says about trying again.

use std::error::Error;
use std::iter;

use partie_contract::{BoxError, FaultKind, Platform};

use super::http1::Broke;

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

    /// What became of a request that was sent over HTTP/1.1. `reused` tells of the connection.
    pub(super) fn of(broke: Broke, reused: bool) -> Self {
        match broke {
            Broke::Unsent(error) => Self::unreachable(error),
            Broke::Silent(error) if reused => Self::Swallowed(broken(error)),
            Broke::Silent(error) | Broke::Answering(error) => Self::Broken(broken(error)),
            Broke::Own(error) => own(&*error).map_or_else(|| Self::Broken(broken(error)), Self::Own),
        }
    }

    /// What hyper says became of a request that was sent over HTTP/2.
    pub(super) fn of_stream(error: hyper::Error) -> Self {
        own(&error).map_or_else(|| Self::Broken(broken(error)), Self::Own)
    }

    /// What the caller learns.
    pub(crate) fn into_fault(self) -> Platform {
        match self {
            Self::Unsent(fault) | Self::Swallowed(fault) | Self::Broken(fault) | Self::Own(fault) => fault,
        }
    }
}

fn broken(error: impl Into<BoxError>) -> Platform {
    Platform::new(FaultKind::UpstreamFailed)
        .with_detail("a service that was called broke off before its answer")
        .caused_by(error)
}

/// The fault of an answer that ended early.
pub(super) fn broken_off(error: impl Into<BoxError>) -> Platform {
    Platform::new(FaultKind::UpstreamFailed)
        .with_detail("a service that was called broke off in the middle of its answer")
        .caused_by(error)
        .from_upstream()
}

/// A fault of our own in the request's body, such as its being too large.
fn own(error: &(dyn Error + 'static)) -> Option<Platform> {
    let mut sources = iter::successors(Some(error), |error: &&(dyn Error + 'static)| (**error).source());
    let fault = sources.find_map(|error| error.downcast_ref::<Platform>())?;
    let same = Platform::new(fault.kind());
    Some(match fault.detail() {
        Some(detail) => same.with_detail(detail.to_owned()),
        None => same,
    })
}
