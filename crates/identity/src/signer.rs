//! Signs access tokens.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use partie_contract::Identity;
use partie_runtime::trust_now;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde::Serialize;
use serde_json::{Value, json};

use crate::algorithm::Algorithm;
use crate::development::{DEVELOPMENT_ISSUER, DevelopmentKeyOffLoopback, check_listen};
use crate::grant::{Grant, IssueError};
use crate::issuer::Issuer;
use crate::jws::{LONGEST, TYPE};
use crate::keyfile::{self, KeyError};
use crate::keys::{Key, jwk_set};
use crate::verifier::Verifier;

/// Signs access tokens with one key, by EdDSA or ES256. Cheap to clone.
#[derive(Clone)]
pub struct Signer(Arc<Inner>);

struct Inner {
    key: Private,
    public: Arc<Key>,
    issuer: Box<str>,
    /// The first part of each token, which is always the same.
    header: String,
    random: SystemRandom,
}

enum Private {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
}

/// Claims of RFC 9068, `sid`, and `ca`, which is our own.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    roles: &'a [String],
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
}

// === impl Signer ===

impl Signer {
    /// The development key of that directory, `dev-signing-key.pk8`; made on first use, readable by its owner only.
    /// Two processes that make it at the same time end up with the same one.
    ///
    /// Its issuer is [`DEVELOPMENT_ISSUER`], and [`check_listen`](Self::check_listen) keeps it on this machine.
    ///
    /// # Errors
    /// [`KeyError`] when the file cannot be made or read, or when others can read it.
    pub fn development(dir: &Path) -> Result<Self, KeyError> {
        let path = dir.join("dev-signing-key.pk8");
        let document = keyfile::load_or_create(&path)?;
        Self::from_pkcs8(&document, DEVELOPMENT_ISSUER).map_err(|_| KeyError::NotAKey { path })
    }

    /// A new private key for EdDSA or ES256, as PKCS#8: to be kept where nobody else reads it, and given to
    /// [`from_pkcs8`](Self::from_pkcs8).
    ///
    /// # Errors
    /// [`KeyError::VerifiedOnly`] for another algorithm, [`KeyError::Random`].
    pub fn generate(algorithm: Algorithm) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        let document = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
            Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
            Algorithm::Rs256 => return Err(KeyError::VerifiedOnly { algorithm }),
        };
        Ok(document.map_err(|_| KeyError::Random)?.as_ref().to_vec())
    }

    /// A key in PKCS#8, such as `openssl genpkey -algorithm ed25519 -outform DER` makes, and who signs with it. A key on
    /// P-256 signs by ES256.
    ///
    /// # Errors
    /// [`KeyError::NotPkcs8`].
    pub fn from_pkcs8(document: &[u8], issuer: &str) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        // OpenSSL leaves the public key of Ed25519 out; ring then computes it.
        let (key, public) = if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document) {
            let public = key.public_key().as_ref().try_into().map_err(|_| KeyError::NotPkcs8)?;
            (Private::EdDsa(key), Key::ed25519(public))
        } else {
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document, &random)
                .map_err(|_| KeyError::NotPkcs8)?;
            let public = key.public_key().as_ref().try_into().map_err(|_| KeyError::NotPkcs8)?;
            (Private::Es256(key), Key::p256(public))
        };
        let header = json!({ "typ": TYPE, "alg": public.alg(), "kid": public.kid() }).to_string();
        Ok(Self(Arc::new(Inner {
            key,
            public: Arc::new(public),
            issuer: issuer.into(),
            header: URL_SAFE_NO_PAD.encode(header),
            random,
        })))
    }

    /// A token, valid from now on.
    ///
    /// # Errors
    /// [`IssueError`] for a grant no verifier would accept.
    pub fn issue(&self, grant: &Grant) -> Result<String, IssueError> {
        Ok(self.issue_at(grant, trust_now())?.token)
    }

    pub(crate) fn issue_at(&self, grant: &Grant, now: i64) -> Result<Identity, IssueError> {
        grant.check()?;
        let seconds = i64::try_from(grant.lifetime.as_secs()).map_err(|_| IssueError::Lifetime)?;
        let expires = now.checked_add(seconds).filter(|end| *end > now).ok_or(IssueError::Lifetime)?;
        let random = match grant.id {
            Some(_) => String::new(),
            None => {
                let mut id = [0; 16];
                self.0.random.fill(&mut id).map_err(|_| IssueError::Random)?;
                URL_SAFE_NO_PAD.encode(id)
            }
        };
        let claims = Claims {
            iss: &self.0.issuer,
            aud: &grant.audience,
            sub: &grant.subject,
            roles: &grant.roles,
            iat: now,
            nbf: now,
            exp: expires,
            jti: grant.id.as_deref().unwrap_or(&random),
            sid: grant.session.as_deref(),
            client_id: grant.client.as_deref(),
            scope: grant.scope.as_deref(),
            ca: grant.anchor.as_ref().map(ToString::to_string),
        };
        let token = self.sign(&json!(claims).to_string())?;
        if token.len() > LONGEST {
            return Err(IssueError::TooLong);
        }
        let mut identity = Identity::new(&*grant.subject, token, expires).with_roles(&grant.roles);
        identity.issued = now;
        identity.issuer = (*self.0.issuer).to_owned();
        identity.session.clone_from(&grant.session);
        identity.client.clone_from(&grant.client);
        Ok(identity)
    }

    fn sign(&self, claims: &str) -> Result<String, IssueError> {
        let mut token = format!("{}.{}", self.0.header, URL_SAFE_NO_PAD.encode(claims));
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, signed: &[u8]) -> Result<ring::signature::Signature, IssueError> {
        match &self.0.key {
            Private::EdDsa(key) => Ok(key.sign(signed)),
            Private::Es256(key) => key.sign(&self.0.random, signed).map_err(|_| IssueError::Random),
        }
    }

    /// The public key as a JSON Web Key: what others verify with. [`jwk_set`] makes one set of several, so that keys can
    /// be published before they sign and for as long as their tokens live.
    pub fn jwk(&self) -> Value {
        self.0.public.jwk().unwrap_or_default()
    }

    /// The public key as a set of one, for `/.well-known/jwks.json`.
    pub fn jwks(&self) -> Value {
        jwk_set([self.jwk()])
    }

    /// The name of the key: its thumbprint by RFC 7638.
    pub fn kid(&self) -> &str {
        self.0.public.kid()
    }

    /// How it signs: `EdDSA` or `ES256`.
    pub fn alg(&self) -> &'static str {
        self.0.public.alg()
    }

    /// Who signs: `iss`.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Verifies what this signer signs for an audience, and nothing else.
    pub fn verifier(&self, audience: &str) -> Verifier {
        Verifier::new([self.trusted(audience)])
    }

    /// The system's own issuer: what this signer signs for an audience.
    pub fn trusted(&self, audience: &str) -> Issuer {
        Issuer::own(&self.0.issuer, Arc::clone(&self.0.public)).audience(audience)
    }

    /// Whether somebody who signs with this key may listen there.
    ///
    /// # Errors
    /// [`DevelopmentKeyOffLoopback`] when it is the development key and others can reach the address.
    pub fn check_listen(&self, addr: SocketAddr) -> Result<(), DevelopmentKeyOffLoopback> {
        check_listen(&self.0.issuer, addr)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("issuer", &self.0.issuer)
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
