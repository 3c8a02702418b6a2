//! Issuers: whose tokens are believed, proven by which keys, and what else is asked of them.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::claims::Expected;
use crate::keys::{JwksError, Key, Keys};
use crate::remote::RemoteKeys;
use crate::revocation::Revocations;

/// The shortest secret, in bytes: as long as the hash (RFC 7518 section 3.2). A shorter one is guessed from one token.
const SHORTEST_SECRET: usize = 32;

/// An issuer that is trusted, for [`Verifier::new`](crate::Verifier::new).
///
/// It takes access tokens (`at+jwt`) that name it in `iss`, whose roles are in `roles`, and that are signed with one of its
/// keys. Roles and subjects by which the parts of a system know each other (`service`, `join`, `member`, `demo`) are believed
/// of nobody but the system itself.
#[derive(Clone)]
pub struct Issuer {
    pub(crate) expected: Expected,
    pub(crate) trust: Trust,
    pub(crate) revocations: Option<Revocations>,
    /// Whether its keys are published under the system's own address.
    pub(crate) published: bool,
}

/// What proves a token. Public keys and a shared secret are never believed of the same issuer, so no public key can be
/// taken for a secret.
#[derive(Clone)]
pub(crate) enum Trust {
    Fixed(Arc<Keys>, Vec<Algorithm>),
    Remote(RemoteKeys, Vec<Algorithm>),
    Secret(Arc<Key>),
}

/// A key that was looked for.
pub(crate) enum Found {
    Key(Arc<Key>),
    /// It may be published by now.
    Unknown,
    Refused(&'static str),
}

/// A secret that would be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret for HS256 has 32 bytes at least, and this one {0}: a shorter one is guessed from a single token"
)]
pub struct SecretTooShort(pub usize);

// === impl Issuer ===

impl Issuer {
    /// The system itself.
    pub(crate) fn own(issuer: &str, key: Arc<Key>) -> Self {
        let trust = Trust::Fixed(Arc::new(Keys::of([key])), Algorithm::ALL.to_vec());
        let expected = Expected { own: true, ..Expected::of(issuer) };
        Self { expected, trust, revocations: None, published: true }
    }

    /// The system itself, to those who have not its key and were given the public part of it.
    ///
    /// # Errors
    /// [`JwksError`] when the set holds no key that can be used.
    pub fn system(issuer: &str, jwks: &Value) -> Result<Self, JwksError> {
        let mut own = Self::fixed(issuer, jwks)?.published();
        own.expected.own = true;
        Ok(own)
    }

    /// Somebody whose keys do not change.
    ///
    /// # Errors
    /// [`JwksError`] when the set holds no key that can be used.
    pub fn fixed(issuer: &str, jwks: &Value) -> Result<Self, JwksError> {
        let trust = Trust::Fixed(Arc::new(Keys::from_jwks(jwks)?), Algorithm::ALL.to_vec());
        Ok(Self::new(Expected::of(issuer), trust))
    }

    /// Somebody who publishes keys and may change them.
    pub fn remote(issuer: &str, keys: RemoteKeys) -> Self {
        Self::new(Expected::of(issuer), Trust::Remote(keys, Algorithm::ALL.to_vec()))
    }

    /// Somebody with whom a secret is shared, for tokens signed with HS256. Whoever verifies these can make them too. Their
    /// type is `JWT` or not said. Without an issuer it stands for tokens that do not name one.
    ///
    /// # Errors
    /// [`SecretTooShort`].
    pub fn shared_secret(issuer: Option<&str>, secret: &[u8]) -> Result<Self, SecretTooShort> {
        if secret.len() < SHORTEST_SECRET {
            return Err(SecretTooShort(secret.len()));
        }
        let types = vec!["JWT".into()];
        let expected = Expected { issuer: issuer.map(Into::into), types, ..Expected::of("") };
        Ok(Self::new(expected, Trust::Secret(Arc::new(Key::shared(secret)))))
    }

    fn new(expected: Expected, trust: Trust) -> Self {
        Self { expected, trust, revocations: None, published: false }
    }

    /// Whom its tokens have to be for. Without it they may be for anybody.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.expected.audience = Some(audience.into());
        self
    }

    /// The algorithms that are taken; all of [`Algorithm::ALL`] if nothing is said. It means nothing for a shared secret.
    #[must_use]
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        match &mut self.trust {
            Trust::Fixed(_, allowed) | Trust::Remote(_, allowed) => *allowed = algorithms.to_vec(),
            Trust::Secret(_) => {}
        }
        self
    }

    /// The types (`typ`) that are taken, in the place of `at+jwt`. A token without a type is a `JWT`. Where `JWT` is taken,
    /// only the audience tells an access token from what else the issuer signs.
    #[must_use]
    pub fn types<'t>(mut self, types: impl IntoIterator<Item = &'t str>) -> Self {
        self.expected.types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Where the roles are: a claim, or a way into one such as `realm_access.roles`; a claim whose name is a URL is meant as
    /// it is. `scope` is a text of names between spaces.
    #[must_use]
    pub fn roles(mut self, path: &str) -> Self {
        self.expected.roles = match path.contains("://") {
            true => vec![path.into()],
            false => path.split('.').map(Into::into).collect(),
        };
        self
    }

    /// Put before every subject, so that the subjects of several issuers cannot be taken for each other.
    #[must_use]
    pub fn subject_prefix(mut self, prefix: &str) -> Self {
        self.expected.prefix = prefix.into();
        self
    }

    /// What the issuer takes back before its time.
    #[must_use]
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Its keys are published under the system's own address, beside the system's.
    #[must_use]
    pub fn published(mut self) -> Self {
        self.published = true;
        self
    }

    pub(crate) fn find(&self, alg: &str, kid: Option<&str>) -> Found {
        let allowed = match &self.trust {
            Trust::Secret(key) if alg == key.alg() => return Found::Key(Arc::clone(key)),
            Trust::Secret(_) => return Found::Refused("the token is not signed with HS256"),
            Trust::Fixed(_, allowed) | Trust::Remote(_, allowed) => allowed,
        };
        let Some(algorithm) = Algorithm::named(alg).filter(|algorithm| allowed.contains(algorithm)) else {
            return Found::Refused("the token is not signed with an algorithm that is allowed");
        };
        let Some(kid) = kid else { return Found::Refused(UNKNOWN_KEY) };
        match &self.trust {
            Trust::Remote(keys, _) => keys.get(algorithm, kid).map_or(Found::Unknown, Found::Key),
            Trust::Fixed(keys, _) => {
                let key = keys.get(algorithm, kid).cloned();
                key.map_or(Found::Refused(UNKNOWN_KEY), Found::Key)
            }
            Trust::Secret(_) => Found::Refused(UNKNOWN_KEY),
        }
    }

    /// The keys that are fetched, if they are.
    pub(crate) fn fetched(&self) -> Option<&RemoteKeys> {
        match &self.trust {
            Trust::Remote(keys, _) => Some(keys),
            Trust::Fixed(..) | Trust::Secret(_) => None,
        }
    }

    pub(crate) fn jwks(&self) -> Vec<Value> {
        match &self.trust {
            Trust::Fixed(keys, _) => keys.iter().filter_map(|key| key.jwk()).collect(),
            Trust::Remote(keys, _) => keys.jwks(),
            Trust::Secret(_) => Vec::new(),
        }
    }

    /// Its name, for people.
    pub(crate) fn name(&self) -> &str {
        self.expected.issuer.as_deref().unwrap_or("tokens without an issuer")
    }
}

/// What is told of a key nobody here knows.
pub(crate) const UNKNOWN_KEY: &str = "the token is signed with an unknown key";

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("expected", &self.expected).finish_non_exhaustive()
    }
}
