//! The internal authority: certificates by which the services of a system know each other.
//!
//! One process of a system holds the root, and gives whoever may become a service a certificate that lives for a day. The
//! key never leaves the process it is for: only its public half is certified. Renewed is with a new key, at two thirds of
//! the lifetime, which leaves a third for an authority that is away.

mod applicant;
mod authority;
mod joins;

pub use self::applicant::{Applicant, Application};
pub use self::authority::{Authority, AuthorityError, Certified};
pub use self::joins::{JoinError, Joins};

/// What an applicant signs to show that the key is his: nothing else is ever signed with it in this form.
fn proof(system: &str, service: &str, public_key: &[u8]) -> Vec<u8> {
    [b"partie join\0", system.as_bytes(), b"\0", service.as_bytes(), b"\0", public_key].concat()
}

#[cfg(test)]
mod tests;
