//! Who may become which service: join tokens.

use std::time::Duration;

use partie_contract::Caller;
use partie_identity::Grant;

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

// === impl Joined ===

impl Joined {
    /// Whether the caller may be that service, and why not.
    pub(crate) fn check(caller: &Caller, service: &str) -> Result<(), String> {
        let subject = caller.subject().unwrap_or_default();
        let (role, named) = subject.split_once(':').unwrap_or(("", subject));
        if !matches!(role, JOINER | MEMBERS) || !caller.has_role(role) {
            return Err(format!("{service} is announced with a join token, and {subject} is none"));
        }
        if named != service {
            return Err(format!("the join token is for {named}, not for {service}"));
        }
        Ok(())
    }
}
