//! Verifies access tokens.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::{FaultKind, Identity, Platform};
use partie_runtime::{Stop, trust_now};
use serde_json::Value;

use crate::api_keys::{API_KEY_PREFIX, ApiKey, ApiKeys};
use crate::cache::{Cache, Verified};
use crate::claims::unauthenticated;
use crate::development::{DevelopmentKeyOffLoopback, check_listen};
use crate::issuer::{Found, Issuer, UNKNOWN_KEY};
use crate::jws::Parts;
use crate::keys::{JwksError, jwk_set};

/// How long a request waits to learn what was revoked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Verifies access tokens of the issuers it trusts. Cheap to clone; clones share what they remember.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    /// By `iss`.
    issuers: HashMap<Box<str>, Arc<Issuer>>,
    /// Of tokens that name nobody.
    nameless: Option<Arc<Issuer>>,
    api_keys: ApiKeys,
    cache: Cache,
}

/// A token that proves nothing, or not yet.
enum Unproven {
    Refused(Platform),
    /// Its key is not known yet.
    Unknown(Arc<Issuer>),
    /// It is not known yet what its issuer has revoked.
    Unsaid(Arc<Issuer>, Platform),
}

// === impl Verifier ===

impl Verifier {
    /// Trusts these issuers. Of several with one name the first counts.
    pub fn new(issuers: impl IntoIterator<Item = Issuer>) -> Self {
        let (mut named, mut nameless) = (HashMap::new(), None);
        for issuer in issuers {
            match issuer.expected.issuer.clone() {
                Some(name) => drop(named.entry(name).or_insert_with(|| Arc::new(issuer))),
                None => drop(nameless.get_or_insert_with(|| Arc::new(issuer))),
            }
        }
        let api_keys = ApiKeys::default();
        Self(Arc::new(Inner { issuers: named, nameless, api_keys, cache: Cache::new() }))
    }

    /// The same trust, and these API keys. What was remembered is forgotten.
    #[must_use]
    pub fn with_api_keys(self, keys: impl IntoIterator<Item = ApiKey>) -> Self {
        let (issuers, nameless) = (self.0.issuers.clone(), self.0.nameless.clone());
        Self(Arc::new(Inner { issuers, nameless, api_keys: ApiKeys::new(keys), cache: Cache::new() }))
    }

    /// Trusts the keys of a JSON Web Key Set for one issuer and one audience. Keys for unknown algorithms in it are passed
    /// over.
    ///
    /// # Errors
    /// [`JwksError`] when the set holds no key that can be used.
    pub fn from_jwks(jwks: &Value, issuer: &str, audience: &str) -> Result<Self, JwksError> {
        Ok(Self::new([Issuer::fixed(issuer, jwks)?.audience(audience)]))
    }

    /// Who the token speaks for, by what is known now: signed with a key of its issuer by that key's algorithm, of the right
    /// type, for our audience, within its time, not revoked. Clocks may differ by 60 s. A token that was verified before is
    /// remembered, but never beyond its end, its key's or its revocation.
    ///
    /// # Errors
    /// [`TokenExpired`](FaultKind::TokenExpired) for a good token whose time is over,
    /// [`UpstreamUnavailable`](FaultKind::UpstreamUnavailable) while keys or revocations of its issuer were never learned,
    /// and [`Unauthenticated`](FaultKind::Unauthenticated), with a detail, for all others.
    pub fn verify(&self, token: &str) -> Result<Arc<Identity>, Platform> {
        self.verify_at(token, trust_now())
    }

    pub(crate) fn verify_at(&self, token: &str, now: i64) -> Result<Arc<Identity>, Platform> {
        self.look(token, now).map_err(Unproven::into_fault)
    }

    /// The same, but what is missing to judge the token is waited for, a few seconds at most: a key that its issuer may have
    /// published by now, or what was revoked. Keys are fetched once for all who wait, and not at all where they were fetched
    /// a moment ago, so that made-up names of keys cost their issuer nothing.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn authenticate(&self, token: &str) -> Result<Arc<Identity>, Platform> {
        // The keys that are just being fetched may be those of before, then what was revoked may be missing.
        for _ in 0..3 {
            let learned = match self.look(token, trust_now()) {
                Ok(identity) => return Ok(identity),
                Err(Unproven::Refused(fault)) => return Err(fault),
                Err(Unproven::Unknown(issuer)) => match issuer.fetched() {
                    Some(keys) => keys.sought().await,
                    None => false,
                },
                Err(Unproven::Unsaid(issuer, _)) => match &issuer.revocations {
                    Some(revocations) => tokio::time::timeout(PATIENCE, revocations.loaded()).await.is_ok(),
                    None => false,
                },
            };
            if !learned {
                break;
            }
        }
        self.verify(token)
    }

    fn look(&self, token: &str, now: i64) -> Result<Arc<Identity>, Unproven> {
        if let Some(known) = self.0.cache.get(token, now) {
            return self.unrevoked(&known);
        }
        if token.starts_with(API_KEY_PREFIX) {
            return self.0.api_keys.verify(token, now).map_err(Unproven::Refused);
        }
        let refused = |why| Unproven::Refused(unauthenticated(why));
        let parts = Parts::of(token).map_err(refused)?;
        let issuer = match parts.issuer() {
            Some(name) => self.0.issuers.get(name),
            None => self.0.nameless.as_ref(),
        };
        let issuer = issuer.ok_or_else(|| refused("the token is from another issuer"))?;
        // An id token or some other JWT of the same issuer is no access token.
        if !issuer.expected.takes(parts.kind()) {
            return Err(refused("the token is not an access token: its typ is another"));
        }
        let key = match issuer.find(parts.alg(), parts.kid()) {
            Found::Key(key) => key,
            Found::Unknown => return Err(Unproven::Unknown(Arc::clone(issuer))),
            Found::Refused(why) => return Err(refused(why)),
        };
        let claims = parts.check(&key).map_err(refused)?;
        let identity = issuer.expected.judge(&claims, token, now).map_err(Unproven::Refused)?;
        let verified = Arc::new(Verified { identity: Arc::new(identity), key, issuer: Arc::clone(issuer) });
        self.0.cache.put(&verified);
        self.unrevoked(&verified)
    }

    fn unrevoked(&self, verified: &Verified) -> Result<Arc<Identity>, Unproven> {
        let Verified { identity, issuer, .. } = verified;
        match issuer.revocations.as_ref().map_or(Ok(()), |revocations| revocations.check(identity)) {
            Ok(()) => Ok(Arc::clone(identity)),
            Err(fault) if fault.kind() == FaultKind::UpstreamUnavailable => {
                Err(Unproven::Unsaid(Arc::clone(issuer), fault))
            }
            Err(fault) => Err(Unproven::Refused(fault)),
        }
    }

    /// Keeps the keys of its issuers fresh in the background until that stage is stopped. Call it inside a tokio runtime.
    pub fn keep_fresh(&self, stop: &Stop) {
        for keys in self.issuers().filter_map(|issuer| issuer.fetched()) {
            stop.spawn(keys.clone().run(stop.clone()));
        }
    }

    /// Why tokens of some issuer cannot be verified yet, for people.
    pub fn problem(&self) -> Option<String> {
        self.issuers().find_map(|issuer| {
            let keys = issuer.fetched().and_then(super::remote::RemoteKeys::problem);
            let revocations =
                || issuer.revocations.as_ref().and_then(super::revocation::Revocations::problem);
            keys.or_else(revocations).map(|problem| format!("{}: {problem}", issuer.name()))
        })
    }

    /// Whether it believes anybody whose keys or revocations come from elsewhere.
    pub fn has_others(&self) -> bool {
        self.issuers().any(|issuer| issuer.fetched().is_some() || issuer.revocations.is_some())
    }

    /// The public keys that stand under the system's own address, as a JWK set.
    pub fn jwks(&self) -> Value {
        jwk_set(self.issuers().filter(|issuer| issuer.published).flat_map(|issuer| issuer.jwks()))
    }

    fn issuers(&self) -> impl Iterator<Item = &Arc<Issuer>> {
        self.0.issuers.values().chain(&self.0.nameless)
    }

    /// Whether somebody who trusts these tokens may listen there.
    ///
    /// # Errors
    /// [`DevelopmentKeyOffLoopback`] when the issuer is the development one and others can reach the address.
    pub fn check_listen(&self, addr: SocketAddr) -> Result<(), DevelopmentKeyOffLoopback> {
        self.0.issuers.keys().try_for_each(|issuer| check_listen(issuer, addr))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.issuers().map(|issuer| issuer.name())).finish()
    }
}

// === impl Unproven ===

impl Unproven {
    fn into_fault(self) -> Platform {
        match self {
            Self::Refused(fault) | Self::Unsaid(_, fault) => fault,
            // Nobody knows which keys there are, so nobody can say that this is none.
            Self::Unknown(issuer) if issuer.fetched().is_some_and(|keys| !keys.is_loaded()) => {
                Platform::new(FaultKind::UpstreamUnavailable)
                    .with_detail("the keys of the token's issuer are not known yet")
            }
            Self::Unknown(_) => unauthenticated(UNKNOWN_KEY),
        }
    }
}

#[cfg(test)]
mod tests;
