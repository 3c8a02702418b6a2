//! What cannot work, with the edge, the reason and a way out.

use std::time::Duration;

use crate::system::EdgeError;

/// Something about the calls of a system that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// Services that call each other in a circle, or nobody.
    #[error(transparent)]
    Edges(#[from] EdgeError),
    /// A call may take longer than whoever makes it can wait.
    #[error(
        "{edge}: may take {timeout:?}, but {from} never has more than {patience:?}: lower the timeout of the call, or raise that of the caller"
    )]
    DeadlinesDoNotNest {
        /// The edge.
        edge: String,
        /// Who calls.
        from: &'static str,
        /// How long the call may take.
        timeout: Duration,
        /// How long the caller has at most.
        patience: Duration,
    },
    /// A bound inside another one that ends earlier.
    #[error("{edge}: {inner} of {inner_time:?} never counts, for {outer} ends the call after {outer_time:?}")]
    NeverReached {
        /// The edge.
        edge: String,
        /// The inner bound's key.
        inner: String,
        /// How long it is.
        inner_time: Duration,
        /// The outer bound's key.
        outer: String,
        /// How long it is.
        outer_time: Duration,
    },
    /// One request at the beginning of a path may be too many at its end.
    #[error("{path}: one request may become {attempts} at the end, more than {most}; most of them at {edge}: lower its retries", path = path.join(" -> "))]
    Amplification {
        /// The services on the path.
        path: Vec<&'static str>,
        /// Attempts at its end.
        attempts: u32,
        /// As many as are allowed.
        most: u32,
        /// The edge with the most of them.
        edge: String,
    },
    /// What must not be done twice is to be tried again, or hedged.
    #[error(
        "{edge}: {key} would do it twice, and {verb} without a key is not safe to repeat: make the operation `keyed`, or remove the setting"
    )]
    NotSafeToRepeat {
        /// The edge.
        edge: String,
        /// The key that says so.
        key: String,
        /// The verb.
        verb: &'static str,
    },
    /// A second attempt beside the first is for reads.
    #[error("{edge}: {key} is for reads, and this is {verb}: remove the setting")]
    HedgedWrite {
        /// The edge.
        edge: String,
        /// The key that says so.
        key: String,
        /// The verb.
        verb: &'static str,
    },
    /// A fallback that makes up for the call later, of a call that may have been made all the same.
    #[error(
        "{edge}: falls back to {to:?}, and a call that was too slow may have been made all the same: make the operation `keyed`"
    )]
    FallbackTwice {
        /// The edge.
        edge: String,
        /// What becomes of the call.
        to: &'static str,
    },
    /// Something is forgotten while it still matters.
    #[error("{forgets} = {time:?} is less than {of}, {least:?}: {why}")]
    ForgottenTooSoon {
        /// The key that says how long it is kept.
        forgets: &'static str,
        /// How long that is.
        time: Duration,
        /// How long it has to be at least.
        least: Duration,
        /// What that is.
        of: &'static str,
        /// What would happen.
        why: &'static str,
    },
    /// A fallback for something that is not called.
    #[error("{from} declares a fallback for {operation}, which it does not call")]
    FallbackForNothing {
        /// Who declares it.
        from: &'static str,
        /// The service and operation.
        operation: String,
    },
    /// An event of a version that its handler does not read.
    #[error(
        "{from} publishes {event} version {version}, and {to} reads only {reads:?}: let it read that version first, by `from = ..`"
    )]
    UnreadEvent {
        /// The event.
        event: &'static str,
        /// The version that is published.
        version: u16,
        /// Who publishes it.
        from: &'static str,
        /// Who handles it.
        to: &'static str,
        /// The versions that one reads.
        reads: Vec<u16>,
    },
    /// A policy for something that does not exist.
    #[error("{key}: there is no {what} of that name; there are {known}")]
    Unknown {
        /// The key of the configuration.
        key: String,
        /// Service or operation.
        what: &'static str,
        /// What there is.
        known: String,
    },
}
