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
//! Tokens are JWTs of the profile RFC 9068 (`at+jwt`), signed by EdDSA or ES256. Tokens of others are taken too, if their
//! issuer is trusted; each key verifies by one algorithm, which is the key's and never the token's to say. Time is trust
//! time, the wall clock, also where business time is virtual.
//!
//! Layout: `jws` takes a compact token apart and checks its signature, `claims` judges what it says, `issuer` is whom to
//! believe and what, `cache` remembers what was verified, `verifier` puts them together; `remote` keeps the keys of others
//! fresh, `revocation` knows what was taken back; `signer`, `grant` and `keyfile` are the other side, `keys` the keys all
//! share; `bearer` reads the header, `service` keeps a service's own token fresh; `ca` certifies services; `passwords`
//! hashes what people remember, and has nothing to do with tokens.
#![forbid(unsafe_code)]

mod algorithm;
mod api_keys;
mod bearer;
mod ca;
mod cache;
mod claims;
mod config;
mod development;
#[cfg(test)]
mod fixture;
mod grant;
mod hashed;
mod issuer;
mod jws;
mod keyfile;
mod keys;
pub mod passwords;
mod remote;
mod revocation;
mod service;
mod signer;
mod source;
mod verifier;

pub use algorithm::Algorithm;
pub use api_keys::{API_KEY_PREFIX, ApiKey, ApiKeyError};
pub use bearer::{bearer, credential};
pub use ca::{
    Anchor, Applicant, Application, Authority, AuthorityError, Certified, Invitation, JoinError, Joins,
    NotAnAnchor, NotAnInvitation, Papers, PapersError, service_host,
};
pub use config::{ApiKeyConfig, Config, InvalidIdentity, IssuerConfig, Opened};
pub use development::{DEVELOPMENT_ISSUER, DevelopmentKeyOffLoopback};
pub use grant::{Grant, IssueError};
pub use issuer::{Issuer, SecretTooShort};
pub use keyfile::KeyError;
pub use keys::{JwksError, jwk_set};
/// What is told of revocations: types of the contract between issuers and verifiers.
pub use partie_contract::{Revocation, RevocationNews};
pub use remote::{FetchError, KeySource, LARGEST_DOCUMENT, Refresh, RemoteKeys};
pub use revocation::{Revocations, Silence};
pub use service::ServiceTokens;
pub use signer::Signer;
pub use source::{AddressError, Discovery, Fetcher, JwksAddress, JwksFile};
pub use verifier::Verifier;
