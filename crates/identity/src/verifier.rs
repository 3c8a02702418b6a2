//! Verifies access tokens.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use partie_contract::{Identity, Platform};
use partie_runtime::trust_now;
use serde_json::Value;

use crate::cache::Cache;
use crate::claims::{Expected, unauthenticated};
use crate::development::{DevelopmentKeyOffLoopback, check_listen};
use crate::jws;
use crate::keys::{JwksError, Keys};

/// Verifies access tokens of one issuer for one audience. Cheap to clone; clones share what they remember.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    keys: Keys,
    expected: Expected,
    cache: Cache,
}

// === impl Verifier ===

impl Verifier {
    /// Trusts the Ed25519 keys of a JSON Web Key Set. Keys for other algorithms in it are passed over.
    ///
    /// # Errors
    /// [`JwksError`] when the set holds no such key, a private one, or one that cannot be read.
    pub fn from_jwks(jwks: &Value, issuer: &str, audience: &str) -> Result<Self, JwksError> {
        Ok(Self::new(Keys::from_jwks(jwks)?, issuer, audience))
    }

    pub(crate) fn new(keys: Keys, issuer: &str, audience: &str) -> Self {
        let expected = Expected { issuer: issuer.into(), audience: audience.into() };
        Self(Arc::new(Inner { keys, expected, cache: Cache::new() }))
    }

    /// Who the token speaks for: signed with EdDSA by a known key, an access token (`at+jwt`) of our issuer for our
    /// audience, within its time. Clocks may differ by 60 s. A token that was verified before is remembered, but
    /// never beyond its end.
    ///
    /// # Errors
    /// [`TokenExpired`](partie_contract::FaultKind::TokenExpired) for a good token whose time is over, and
    /// [`Unauthenticated`](partie_contract::FaultKind::Unauthenticated), with a detail, for all others.
    pub fn verify(&self, token: &str) -> Result<Arc<Identity>, Platform> {
        self.verify_at(token, trust_now())
    }

    pub(crate) fn verify_at(&self, token: &str, now: i64) -> Result<Arc<Identity>, Platform> {
        if let Some(identity) = self.0.cache.get(token, now) {
            return Ok(identity);
        }
        let claims = jws::open(token, &self.0.keys).map_err(unauthenticated)?;
        let identity = Arc::new(self.0.expected.judge(&claims, token, now)?);
        self.0.cache.put(&identity);
        Ok(identity)
    }

    /// Whether somebody who trusts these tokens may listen there.
    ///
    /// # Errors
    /// [`DevelopmentKeyOffLoopback`] when the issuer is the development one and others can reach the address.
    pub fn check_listen(&self, addr: SocketAddr) -> Result<(), DevelopmentKeyOffLoopback> {
        check_listen(&self.0.expected.issuer, addr)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verifier").field(&self.0.expected).finish()
    }
}

#[cfg(test)]
mod tests;
