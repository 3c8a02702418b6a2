//! Who may become which service: join tokens.

use std::time::Duration;

use partie_contract::Caller;
use partie_identity::{Anchor, Grant, Invitation};

/// How long a join token is good for: it is made for one start, and lets one instance in.
const JOIN: Duration = Duration::from_mins(10);
/// How long an instance that was let in may come back with what it was given.
const MEMBER: Duration = Duration::from_hours(24);

/// The role of those who may become a service.
const JOINER: &str = "join";
/// The role of those who have.
const MEMBERS: &str = "member";

/// What a caller shows to be let in.
pub(crate) struct Joined;

/// What a join token says to the process that was given it. To that process nothing of it is proven.
#[derive(Debug, Clone)]
pub(crate) struct JoinToken {
    /// The system to join.
    pub(crate) system: String,
    /// The service it may be.
    pub(crate) service: String,
    /// Until when, in seconds of the wall clock.
    pub(crate) expires: i64,
    /// The authority of the system, if the process is to join without the system's key.
    pub(crate) anchor: Option<Anchor>,
}

/// A token with which a process may become that service of that system.
pub fn join_grant(system: &str, service: &str) -> Grant {
    Grant::new(system, format!("{JOINER}:{service}"), JOIN).role(JOINER)
}

/// The same for one that has, so that it can come back when the registry has lost its memory.
pub(super) fn member_grant(system: &str, service: &str) -> Grant {
    Grant::new(system, format!("{MEMBERS}:{service}"), MEMBER).role(MEMBERS)
}

/// Whether that is a newcomer with a join token.
pub(super) fn is_joiner(caller: &Caller) -> bool {
    caller.has_role(JOINER)
}

// === impl JoinToken ===

impl JoinToken {
    /// Reads what somebody was given who wants to be that service, or says why it is of no use for that.
    pub(crate) fn read(token: &str, service: &str) -> Result<Self, String> {
        let read = Invitation::read(token).map_err(|error| format!("the join token is no good: {error}"))?;
        let Invitation { system, subject, expires, anchor } = read;
        names(&subject, &[JOINER], service)?;
        Ok(Self { system, service: service.to_owned(), expires, anchor })
    }
}

// === impl Joined ===

impl Joined {
    /// Whether the caller may be that service, and why not.
    pub(crate) fn check(caller: &Caller, service: &str) -> Result<(), String> {
        let subject = caller.subject().unwrap_or_default();
        let roles: Vec<_> = [JOINER, MEMBERS].into_iter().filter(|role| caller.has_role(role)).collect();
        names(subject, &roles, service)
    }
}

/// Whether somebody with one of those roles is named to be that service, and why not.
fn names(subject: &str, roles: &[&str], service: &str) -> Result<(), String> {
    let (role, named) = subject.split_once(':').unwrap_or(("", subject));
    if !roles.contains(&role) {
        return Err(format!("{service} is announced with a join token, and {subject} is none"));
    }
    if named != service {
        return Err(format!("the join token is for {named}, not for {service}"));
    }
    Ok(())
}
