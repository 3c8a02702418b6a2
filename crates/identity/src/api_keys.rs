//! API keys: long-lived secrets of programs, of which only the SHA-256 is kept.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use partie_contract::{Identity, Platform};
use ring::digest;

use crate::claims::{expired, is_role, is_subject, unauthenticated};

/// What every key begins with, so that it cannot be taken for a token, and is found where it was left lying about.
pub const API_KEY_PREFIX: &str = "pk_";
/// The shortest key, in bytes, its prefix included: 128 random bits in base64.
const SHORTEST: usize = API_KEY_PREFIX.len() + 22;
/// The longest one.
const LONGEST: usize = 256;
/// `iss` of those who show one.
const ISSUER: &str = "api-key";

/// The API keys that are taken.
#[derive(Debug, Default)]
pub(crate) struct ApiKeys(HashMap<Digest, ApiKey>);

/// An API key, known by its hash.
#[derive(Debug, Clone)]
pub struct ApiKey {
    sha256: Digest,
    subject: String,
    roles: Vec<String>,
    expires: i64,
    /// Who shows it, once it was shown: the key itself is only known then.
    identity: OnceLock<Arc<Identity>>,
}

#[derive(Debug, Clone, Copy, Eq)]
struct Digest([u8; 32]);

/// An API key that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// Its hash is none.
    #[error("sha256 is 64 hexadecimal digits: printf %s \"$KEY\" | sha256sum")]
    Digest,
    /// Nobody can be called that.
    #[error("subject and roles have 1 to 255 characters, none of them a control character")]
    Name,
}

// === impl ApiKey ===

impl ApiKey {
    /// The key with that SHA-256, in hexadecimal digits; whom it speaks for, what they may do, and until when, in seconds of
    /// the wall clock.
    ///
    /// # Errors
    /// [`ApiKeyError`].
    pub fn new(
        sha256: &str,
        subject: impl Into<String>,
        roles: Vec<String>,
        expires: Option<i64>,
    ) -> Result<Self, ApiKeyError> {
        let subject = subject.into();
        if !is_subject(&subject) || !roles.iter().all(|role| is_role(role)) {
            return Err(ApiKeyError::Name);
        }
        let sha256 = Digest::from_hex(sha256).ok_or(ApiKeyError::Digest)?;
        let expires = expires.unwrap_or(i64::MAX);
        Ok(Self { sha256, subject, roles, expires, identity: OnceLock::new() })
    }
}

// === impl ApiKeys ===

impl ApiKeys {
    pub(crate) fn new(keys: impl IntoIterator<Item = ApiKey>) -> Self {
        Self(keys.into_iter().map(|key| (key.sha256, key)).collect())
    }

    /// Who shows the key.
    pub(crate) fn verify(&self, key: &str, now: i64) -> Result<Arc<Identity>, Platform> {
        let unknown = || unauthenticated("the API key is not known");
        if !(SHORTEST..=LONGEST).contains(&key.len()) {
            return Err(unknown());
        }
        let known = self.0.get(&Digest::of(key)).ok_or_else(unknown)?;
        // No allowance for clocks: they do not differ by what matters for a key of months.
        if now >= known.expires {
            return Err(expired());
        }
        let identity = known.identity.get_or_init(|| {
            let mut identity = Identity::new(&*known.subject, key, known.expires).with_roles(&known.roles);
            identity.issuer = ISSUER.to_owned();
            Arc::new(identity)
        });
        Ok(Arc::clone(identity))
    }
}

// === impl Digest ===

impl Digest {
    fn of(key: &str) -> Self {
        let digest = digest::digest(&digest::SHA256, key.as_bytes());
        Self(std::array::from_fn(|at| digest.as_ref()[at]))
    }

    fn from_hex(hex: &str) -> Option<Self> {
        let digits: Vec<u8> =
            hex.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect::<Option<_>>()?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
        if digits.len() == 64 { bytes.try_into().ok().map(Self) } else { None }
    }
}

/// In constant time: how much of a hash fits is not told by how long it takes.
impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
    }
}

/// By a map that is keyed at random.
impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use partie_contract::FaultKind;

    use super::*;
    use crate::Verifier;
    use crate::fixture::{NOW, signer};

    const KEY: &str = "pk_0123456789abcdefghijkl";

    fn sha256(key: &str) -> String {
        digest::digest(&digest::SHA256, key.as_bytes())
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn verifier(expires: Option<i64>) -> Verifier {
        let key = ApiKey::new(&sha256(KEY), "reporting", vec!["auditor".to_owned()], expires).unwrap();
        Verifier::new([signer().trusted("food")]).with_api_keys([key])
    }

    #[test]
    fn a_known_key_is_who_the_configuration_says() {
        let verifier = verifier(None);
        let who = verifier.verify_at(KEY, NOW).unwrap();
        assert_eq!((&*who.subject, &*who.issuer, &*who.token), ("reporting", "api-key", KEY));
        assert_eq!(who.roles, ["auditor"]);
        assert!(Arc::ptr_eq(&who, &verifier.verify_at(KEY, NOW).unwrap()), "it is made once");
        assert!(!format!("{who:?}").contains(KEY));
    }

    #[test]
    fn other_keys_and_those_whose_time_is_over_are_refused() {
        let verifier = verifier(Some(NOW + 10));
        let kind = |key: &str, now| verifier.verify_at(key, now).map(drop).map_err(|fault| fault.kind());
        assert_eq!(kind(KEY, NOW + 9), Ok(()));
        assert_eq!(kind(KEY, NOW + 10), Err(FaultKind::TokenExpired));
        for other in
            ["pk_", "pk_short", &KEY[..KEY.len() - 1], &format!("{KEY}m"), &KEY.to_uppercase(), &KEY[3..]]
        {
            assert_eq!(kind(other, NOW), Err(FaultKind::Unauthenticated), "{other}");
        }
        let long = format!("pk_{}", "x".repeat(1000));
        let long_key = ApiKey::new(&sha256(&long), "x", vec![], None).unwrap();
        let lenient = Verifier::new([]).with_api_keys([long_key]);
        assert!(lenient.verify_at(&long, NOW).is_err(), "nobody needs so long a key");
        assert!(lenient.verify_at(&sha256(&long), NOW).is_err(), "its hash is not the key");
    }

    #[test]
    fn a_key_that_cannot_be_meant_is_refused() {
        for bad in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(66)] {
            assert_eq!(ApiKey::new(bad, "x", vec![], None).unwrap_err(), ApiKeyError::Digest, "{bad}");
        }
        let good = "A".repeat(64);
        assert_eq!(ApiKey::new(&good, "", vec![], None).unwrap_err(), ApiKeyError::Name);
        assert_eq!(ApiKey::new(&good, "x", vec![String::new()], None).unwrap_err(), ApiKeyError::Name);
        assert!(ApiKey::new(&good, "x", vec![], None).is_ok());
    }
}
