//! Public keys: Ed25519 as JSON Web Keys (RFC 8037), named by their thumbprints (RFC 7638).

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use serde_json::{Value, json};

/// The length of an Ed25519 public key, in bytes.
const LENGTH: usize = 32;

/// The keys a verifier trusts, by `kid`.
#[derive(Clone)]
pub(crate) struct Keys(HashMap<String, [u8; LENGTH]>);

/// Why a key set cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// It has no `keys`.
    #[error("a key set is a JSON object with an array `keys`")]
    NotAKeySet,
    /// A private key was given to those who only verify. Whoever published it should replace it.
    #[error("the key set holds the private part of key {kid:?}; replace that key and publish only `x`")]
    PrivateKey {
        /// The key.
        kid: String,
    },
    /// An Ed25519 key that cannot be read.
    #[error("key {kid:?} is not an Ed25519 key: `x` must be 32 bytes in base64url")]
    InvalidKey {
        /// The key.
        kid: String,
    },
    /// Two different keys of one name.
    #[error("there are two keys {kid:?}")]
    RepeatedKey {
        /// The key.
        kid: String,
    },
    /// Nothing in it signs tokens with Ed25519.
    #[error("there is no Ed25519 signature key in the key set")]
    NoUsableKey,
}

// === impl Keys ===

impl Keys {
    /// One key under its thumbprint.
    pub(crate) fn one(public: [u8; LENGTH]) -> Self {
        Self(HashMap::from([(thumbprint(&public), public)]))
    }

    /// The Ed25519 signature keys of a JWK set. Keys for other purposes or algorithms are passed over, as RFC 7517
    /// section 5 wants it; a key without `kid` goes by its thumbprint.
    pub(crate) fn from_jwks(jwks: &Value) -> Result<Self, JwksError> {
        let listed = jwks.get("keys").and_then(Value::as_array).ok_or(JwksError::NotAKeySet)?;
        let mut keys = HashMap::with_capacity(listed.len());
        for jwk in listed {
            let text = |name: &str| jwk.get(name).and_then(Value::as_str);
            let signs = jwk.get("use").is_none_or(|purpose| purpose == "sig")
                && jwk.get("alg").is_none_or(|algorithm| algorithm == "EdDSA" || algorithm == "Ed25519");
            if text("kty") != Some("OKP") || text("crv") != Some("Ed25519") || !signs {
                continue;
            }
            let named = text("kid").map(str::to_owned);
            if jwk.get("d").is_some() {
                return Err(JwksError::PrivateKey { kid: named.unwrap_or_default() });
            }
            let Some(public) = text("x").and_then(point) else {
                return Err(JwksError::InvalidKey { kid: named.unwrap_or_default() });
            };
            let kid = named.unwrap_or_else(|| thumbprint(&public));
            if keys.insert(kid.clone(), public).is_some_and(|other| other != public) {
                return Err(JwksError::RepeatedKey { kid });
            }
        }
        if keys.is_empty() { Err(JwksError::NoUsableKey) } else { Ok(Self(keys)) }
    }

    /// The key of that name.
    pub(crate) fn get(&self, kid: &str) -> Option<&[u8; LENGTH]> {
        self.0.get(kid)
    }
}

fn point(x: &str) -> Option<[u8; LENGTH]> {
    URL_SAFE_NO_PAD.decode(x).ok()?.try_into().ok()
}

/// The JWK of a public key.
pub(crate) fn jwk(public: &[u8; LENGTH]) -> Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": URL_SAFE_NO_PAD.encode(public),
        "kid": thumbprint(public),
        "use": "sig",
        "alg": "EdDSA",
    })
}

/// The SHA-256 of the required members in alphabetic order, without spaces.
pub(crate) fn thumbprint(public: &[u8; LENGTH]) -> String {
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(public));
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037 appendices A.2 and A.3.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

    fn set(keys: &Value) -> Result<Keys, JwksError> {
        Keys::from_jwks(&json!({ "keys": keys }))
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        let public = point(X).unwrap();
        assert_eq!(thumbprint(&public), THUMBPRINT);
        assert_eq!(jwk(&public)["kid"], THUMBPRINT);
        let unnamed = set(&json!([{ "kty": "OKP", "crv": "Ed25519", "x": X }])).unwrap();
        assert_eq!(unnamed.get(THUMBPRINT), Some(&public));
    }

    #[test]
    fn keys_for_other_things_are_passed_over() {
        let other = json!([
            { "kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB" },
            { "kty": "oct", "kid": "s", "k": "c2VjcmV0" },
            { "kty": "OKP", "crv": "X25519", "kid": "x", "x": X },
            { "kty": "OKP", "crv": "Ed25519", "kid": "e", "x": X, "use": "enc" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": X, "alg": "HS256" },
        ]);
        assert!(matches!(set(&other), Err(JwksError::NoUsableKey)));
    }

    #[test]
    fn unusable_sets_say_why() {
        let ours = |more: Value| {
            let mut jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": X });
            jwk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            jwk
        };
        assert!(matches!(Keys::from_jwks(&json!({})), Err(JwksError::NotAKeySet)));
        assert!(matches!(set(&json!([ours(json!({ "d": "AA" }))])), Err(JwksError::PrivateKey { .. })));
        assert!(matches!(set(&json!([ours(json!({ "x": "AA" }))])), Err(JwksError::InvalidKey { .. })));
        let other = URL_SAFE_NO_PAD.encode([7; 32]);
        let two = json!([ours(json!({})), ours(json!({ "x": other }))]);
        assert!(matches!(set(&two), Err(JwksError::RepeatedKey { .. })));
        assert!(set(&json!([ours(json!({})), ours(json!({}))])).is_ok(), "the same key twice is harmless");
    }
}
