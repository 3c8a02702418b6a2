//! The internal authority: certificates by which the services of a system know each other.
//!
//! Whoever has the system's key holds the root. Others are given a certificate by one of those, if they may become that
//! service; it lives for a day. The key never leaves the process it is for: only its public half is certified. Renewed is
//! with a new key, in time for an authority that is away.

mod anchor;
mod applicant;
mod authority;
mod invitation;
mod joins;
mod papers;

pub use self::anchor::{Anchor, NotAnAnchor};
pub use self::applicant::{Applicant, Application};
pub use self::authority::{Authority, AuthorityError, Certified};
pub use self::invitation::{Invitation, NotAnInvitation};
pub use self::joins::{JoinError, Joins};
pub use self::papers::{Papers, PapersError};

/// The host by which a service of a system is known in its certificate: what TLS compares.
pub fn service_host(system: &str, service: &str) -> String {
    format!("{service}.{system}.internal")
}

/// What an applicant signs to show that the key is his: nothing else is ever signed with it in this form.
fn proof(system: &str, service: &str, public_key: &[u8]) -> Vec<u8> {
    [b"partie join\0", system.as_bytes(), b"\0", service.as_bytes(), b"\0", public_key].concat()
}

#[cfg(test)]
mod tests;
