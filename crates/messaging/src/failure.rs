//! What is remembered and logged of a failed attempt.

use std::error::Error;

use partie_contract::{Fault, FaultKind, Origin, Outcome, Platform};

/// The longest reason that is kept, in bytes.
const LONGEST: usize = 2_000;

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: String,
    /// Whether our own store had no room, so that the work itself is not to blame.
    pub(crate) is_ours: bool,
}

/// The failure of an outcome without problems of its own.
pub(crate) fn of(outcome: Outcome<()>) -> Option<Failure> {
    match outcome {
        Ok(()) => None,
        Err(Fault::Platform(fault)) => Some(of_platform(&fault)),
        Err(Fault::Domain(never)) => match never {},
    }
}

pub(crate) fn of_platform(fault: &Platform) -> Failure {
    let no_room =
        matches!(fault.kind(), FaultKind::Overloaded | FaultKind::Degraded | FaultKind::OutcomeUnknown);
    Failure { reason: describe(fault), is_ours: no_room && fault.origin() == Origin::Local }
}

/// The fault with all its causes, in one line of limited length.
pub(crate) fn describe(fault: &Platform) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
    }
    text
}
