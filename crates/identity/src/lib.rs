//! Identity: access tokens, the keys they are signed with, and the tokens of services themselves.
//!
//! ```
//! use std::time::Duration;
//!
//! use partie_identity::{Grant, Signer};
//!
//! # let dir = std::env::temp_dir().join(format!("partie-identity-doc-{}", std::process::id()));
//! let signer = Signer::development(&dir)?;
//! let token = signer.issue(&Grant::new("food", "customer-1", Duration::from_secs(3600)).role("customer"))?;
//!
//! let verifier = signer.verifier("food"); // elsewhere: Verifier::from_jwks
//! let identity = verifier.verify(&token)?;
//! assert_eq!((identity.subject.as_str(), identity.roles.len()), ("customer-1", 1));
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Tokens are JWTs of the profile RFC 9068 (`at+jwt`), signed with Ed25519 (RFC 8037) and nothing else: there is no
//! algorithm to confuse with another. Time is trust time, the wall clock, also where business time is virtual.
//!
//! Layout: `jws` takes a compact token apart and checks its signature, `claims` judges what it says, `cache` remembers
//! what was verified, `verifier` puts the three together; `signer` and `keyfile` are the other side, `keys` the public
//! keys both share; `bearer` reads the header, `service` keeps a service's own token fresh; `ca` certifies services.
#![forbid(unsafe_code)]

mod bearer;
mod ca;
mod cache;
mod claims;
mod development;
#[cfg(test)]
mod fixture;
mod jws;
mod keyfile;
mod keys;
mod service;
mod signer;
mod verifier;

pub use bearer::bearer;
pub use ca::{Applicant, Application, Authority, AuthorityError, Certified, JoinError, Joins};
pub use development::{DEVELOPMENT_ISSUER, DevelopmentKeyOffLoopback};
pub use keyfile::KeyError;
pub use keys::JwksError;
pub use service::ServiceTokens;
pub use signer::{Grant, IssueError, Signer};
pub use verifier::Verifier;
