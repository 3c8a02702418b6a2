//! Keys that verify: each for one algorithm, as JSON Web Keys (RFC 7517), named by their thumbprints (RFC 7638).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use ring::{digest, hmac};
use serde_json::{Value, json};

use crate::algorithm::Algorithm;

/// The sizes of RSA moduli, in bytes: 2,048 to 8,192 bits.
const MODULI: std::ops::RangeInclusive<usize> = 256..=1024;

/// A key that verifies. The algorithm is the key's and not the token's, so that nobody can choose another.
#[derive(Debug)]
pub(crate) struct Key {
    kid: Box<str>,
    check: Check,
    /// Set once the key is not published any more: what it verified before is not good any longer.
    retired: AtomicBool,
}

#[derive(Clone, PartialEq, Eq)]
enum Check {
    EdDsa([u8; 32]),
    /// The point, uncompressed.
    Es256([u8; 65]),
    Rs256 {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Compared by the secret it was made from.
    Hs256(Secret),
}

#[derive(Clone)]
struct Secret(hmac::Key);

/// The public keys of an issuer, by algorithm and `kid`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys([HashMap<Box<str>, Arc<Key>>; Algorithm::ALL.len()]);

/// Why a key set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// It has no `keys`.
    #[error("a key set is a JSON object with an array `keys`")]
    NotAKeySet,
    /// A private key was given to those who only verify. Whoever published it should replace it.
    #[error(
        "the key set holds the private part of key {kid:?}; replace that key and publish only its public part"
    )]
    PrivateKey {
        /// The key.
        kid: String,
    },
    /// A key that cannot be read.
    #[error("key {kid:?} is not what its kty and crv say, or not of a size that is safe")]
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
    /// Nothing in it signs tokens with an algorithm known here.
    #[error("there is no signature key for EdDSA, ES256 or RS256 in the key set")]
    NoUsableKey,
}

// === impl Key ===

impl Key {
    fn new(kid: Option<&str>, check: Check) -> Self {
        let kid = kid.map_or_else(|| thumbprint(&check), str::to_owned);
        Self { kid: kid.into(), check, retired: AtomicBool::new(false) }
    }

    /// An Ed25519 key under its thumbprint.
    pub(crate) fn ed25519(public: [u8; 32]) -> Self {
        Self::new(None, Check::EdDsa(public))
    }

    /// A point on P-256, uncompressed, under its thumbprint.
    pub(crate) fn p256(point: [u8; 65]) -> Self {
        Self::new(None, Check::Es256(point))
    }

    /// A secret shared with whoever signs.
    pub(crate) fn shared(secret: &[u8]) -> Self {
        Self::new(Some("secret"), Check::Hs256(Secret(hmac::Key::new(hmac::HMAC_SHA256, secret))))
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// `alg` of everything this key verifies.
    pub(crate) fn alg(&self) -> &'static str {
        self.algorithm().map_or("HS256", Algorithm::as_str)
    }

    /// Nothing for a shared secret.
    fn algorithm(&self) -> Option<Algorithm> {
        match self.check {
            Check::EdDsa(_) => Some(Algorithm::EdDsa),
            Check::Es256(_) => Some(Algorithm::Es256),
            Check::Rs256 { .. } => Some(Algorithm::Rs256),
            Check::Hs256(_) => None,
        }
    }

    /// Whether the signature over that text was made with the key's other half.
    pub(crate) fn verify(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.check {
            Check::EdDsa(x) => UnparsedPublicKey::new(&ED25519, x).verify(signed, signature).is_ok(),
            Check::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
            Check::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
            }
            Check::Hs256(Secret(key)) => hmac::verify(key, signed, signature).is_ok(),
        }
    }

    /// Whether what it verifies is to be believed now.
    pub(crate) fn is_trusted(&self) -> bool {
        !self.retired.load(Ordering::Acquire)
    }

    /// The JWK; nothing for a shared secret.
    pub(crate) fn jwk(&self) -> Option<Value> {
        let mut jwk = members(&self.check)?;
        let own = jwk.as_object_mut()?;
        own.insert("kid".to_owned(), (*self.kid).into());
        own.insert("use".to_owned(), "sig".into());
        own.insert("alg".to_owned(), self.alg().into());
        Some(jwk)
    }

    /// The key a JWK describes. Nothing if it is for other things than signatures by an algorithm known here.
    fn from_jwk(jwk: &Value) -> Option<Result<Self, JwksError>> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let algorithm = match (text("kty")?, text("crv")) {
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("RSA", _) => Algorithm::Rs256,
            _ => return None,
        };
        let is_for = |purpose: &Value| match purpose {
            Value::Array(operations) => operations.iter().any(|operation| operation == "verify"),
            _ => false,
        };
        let signs = jwk.get("use").is_none_or(|purpose| purpose == "sig")
            && jwk.get("key_ops").is_none_or(is_for)
            && jwk.get("alg").is_none_or(|alg| {
                alg == algorithm.as_str() || (algorithm == Algorithm::EdDsa && alg == "Ed25519")
            });
        if !signs {
            return None;
        }
        let kid = text("kid");
        let named = || kid.unwrap_or_default().to_owned();
        if jwk.get("d").is_some() {
            return Some(Err(JwksError::PrivateKey { kid: named() }));
        }
        let bytes = |name: &str| text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let check = match algorithm {
            Algorithm::EdDsa => bytes("x").and_then(|x| x.try_into().ok()).map(Check::EdDsa),
            Algorithm::Es256 => point(bytes("x"), bytes("y")).map(Check::Es256),
            Algorithm::Rs256 => bytes("n")
                .filter(|n| MODULI.contains(&n.len()) && n.first() != Some(&0))
                .zip(bytes("e").filter(|e| !e.is_empty() && e.first() != Some(&0)))
                .map(|(n, e)| Check::Rs256 { n, e }),
        };
        Some(check.map(|check| Self::new(kid, check)).ok_or_else(|| JwksError::InvalidKey { kid: named() }))
    }
}

// === impl Keys ===

impl Keys {
    /// These keys.
    pub(crate) fn of(keys: impl IntoIterator<Item = Arc<Key>>) -> Self {
        let mut all = Self::default();
        for key in keys {
            if let Some(algorithm) = key.algorithm() {
                all.0[algorithm as usize].insert(key.kid.clone(), key);
            }
        }
        all
    }

    /// The signature keys of a JWK set. Keys for other purposes or algorithms, and those that cannot be used, are passed
    /// over, as RFC 7517 section 5 wants it; a key without `kid` goes by its thumbprint.
    ///
    /// # Errors
    /// When two different keys have one name, or nothing is left: the first key that cannot be used says why.
    pub(crate) fn from_jwks(jwks: &Value) -> Result<Self, JwksError> {
        let listed = jwks.get("keys").and_then(Value::as_array).ok_or(JwksError::NotAKeySet)?;
        let (mut keys, mut why) = (Self::default(), None);
        for key in listed.iter().filter_map(Key::from_jwk) {
            let key = match key {
                Ok(key) => key,
                Err(unusable) => {
                    why.get_or_insert(unusable);
                    continue;
                }
            };
            let Some(algorithm) = key.algorithm() else { continue };
            let known = &mut keys.0[algorithm as usize];
            if known.get(&key.kid).is_some_and(|other| other.check != key.check) {
                return Err(JwksError::RepeatedKey { kid: key.kid.into() });
            }
            known.insert(key.kid.clone(), Arc::new(key));
        }
        if keys.iter().next().is_none() { Err(why.unwrap_or(JwksError::NoUsableKey)) } else { Ok(keys) }
    }

    /// The key of that name for that algorithm.
    pub(crate) fn get(&self, algorithm: Algorithm, kid: &str) -> Option<&Arc<Key>> {
        self.0[algorithm as usize].get(kid)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.0.iter().flat_map(HashMap::values)
    }

    /// These keys in the place of others. Those that are the same go on as they were; the others that are gone are not
    /// trusted from now on, nor is what they verified.
    pub(crate) fn in_place_of(mut self, before: &Self) -> Self {
        for (known, before) in self.0.iter_mut().zip(&before.0) {
            for (kid, old) in before {
                match known.get_mut(kid) {
                    Some(new) if new.check == old.check => *new = Arc::clone(old),
                    _ => old.retired.store(true, Ordering::Release),
                }
            }
        }
        self
    }
}

/// A set of public keys, as `/.well-known/jwks.json` has it.
pub fn jwk_set(keys: impl IntoIterator<Item = Value>) -> Value {
    json!({ "keys": keys.into_iter().collect::<Vec<_>>() })
}

fn point(x: Option<Vec<u8>>, y: Option<Vec<u8>>) -> Option<[u8; 65]> {
    let coordinate = |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).ok();
    let (x, y) = (coordinate(x?)?, coordinate(y?)?);
    [&[4_u8][..], &x, &y].concat().try_into().ok()
}

/// The members every key of the kind must have; nothing for a shared secret.
fn members(check: &Check) -> Option<Value> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    Some(match check {
        Check::EdDsa(x) => json!({ "crv": "Ed25519", "kty": "OKP", "x": encode(x) }),
        Check::Es256(point) => {
            json!({ "crv": "P-256", "kty": "EC", "x": encode(&point[1..33]), "y": encode(&point[33..]) })
        }
        Check::Rs256 { n, e } => json!({ "e": encode(e), "kty": "RSA", "n": encode(n) }),
        Check::Hs256(_) => return None,
    })
}

/// The SHA-256 of the required members in alphabetic order, without spaces, as `serde_json` writes them.
fn thumbprint(check: &Check) -> String {
    let members = members(check).unwrap_or_default().to_string();
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()))
}

// === impl Secret ===

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let tag = |key: &hmac::Key| hmac::sign(key, b"which");
        tag(&self.0).as_ref() == tag(&other.0).as_ref()
    }
}

impl Eq for Secret {}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::EdDsa(_) => "EdDSA",
            Self::Es256(_) => "ES256",
            Self::Rs256 { .. } => "RS256",
            Self::Hs256(_) => "HS256",
        })
    }
}

#[cfg(test)]
mod tests;
