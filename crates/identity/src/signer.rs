//! Issues access tokens.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use partie_contract::Identity;
use partie_runtime::trust_now;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::Serialize;
use serde_json::{Value, json};

use crate::claims::{is_role, is_subject};
use crate::development::{DEVELOPMENT_ISSUER, DevelopmentKeyOffLoopback, check_listen};
use crate::jws::{ALGORITHM, LONGEST, TYPE};
use crate::keyfile::{self, KeyError};
use crate::keys::{Keys, jwk, thumbprint};
use crate::verifier::Verifier;

/// Signs access tokens with one Ed25519 key. Cheap to clone.
#[derive(Clone)]
pub struct Signer(Arc<Inner>);

struct Inner {
    key: Ed25519KeyPair,
    public: [u8; 32],
    kid: String,
    issuer: Box<str>,
    /// The first part of each token, which is always the same.
    header: String,
    random: SystemRandom,
}

/// What a token is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// For whom the token is: the name of the system.
    pub audience: String,
    /// Whom it speaks for, 1 to 255 characters.
    pub subject: String,
    /// What they may do.
    pub roles: Vec<String>,
    /// How long, in whole seconds, at least one.
    pub lifetime: Duration,
}

/// Why a token cannot be issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The subject would be refused.
    #[error("a subject has 1 to 255 characters, none of them a control character")]
    Subject,
    /// A role would be refused.
    #[error("a role has 1 to 255 characters, none of them a control character")]
    Role,
    /// Nobody could use it.
    #[error("a token lives for at least a second")]
    Lifetime,
    /// It would be refused for its size.
    #[error("the token would be longer than 8 KiB; give it fewer roles")]
    TooLong,
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers")]
    Random,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    roles: &'a [String],
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

// === impl Grant ===

impl Grant {
    /// A grant without roles.
    pub fn new(audience: impl Into<String>, subject: impl Into<String>, lifetime: Duration) -> Self {
        Self { audience: audience.into(), subject: subject.into(), roles: Vec::new(), lifetime }
    }

    /// The same grant with one more role.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }
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

    /// A key in PKCS#8, such as `openssl genpkey -algorithm ed25519 -outform DER` makes, and who signs with it.
    ///
    /// # Errors
    /// [`KeyError::NotPkcs8`].
    pub fn from_pkcs8(document: &[u8], issuer: &str) -> Result<Self, KeyError> {
        // OpenSSL leaves the public key out; ring then computes it.
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document).map_err(|_| KeyError::NotPkcs8)?;
        let public: [u8; 32] = key.public_key().as_ref().try_into().map_err(|_| KeyError::NotPkcs8)?;
        let kid = thumbprint(&public);
        let header = json!({ "typ": TYPE, "alg": ALGORITHM, "kid": kid }).to_string();
        Ok(Self(Arc::new(Inner {
            key,
            public,
            kid,
            issuer: issuer.into(),
            header: URL_SAFE_NO_PAD.encode(header),
            random: SystemRandom::new(),
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
        if !is_subject(&grant.subject) {
            return Err(IssueError::Subject);
        }
        if !grant.roles.iter().all(|role| is_role(role)) {
            return Err(IssueError::Role);
        }
        let seconds = i64::try_from(grant.lifetime.as_secs()).map_err(|_| IssueError::Lifetime)?;
        let expires = now.checked_add(seconds).filter(|end| *end > now).ok_or(IssueError::Lifetime)?;
        let mut jti = [0; 16];
        self.0.random.fill(&mut jti).map_err(|_| IssueError::Random)?;
        let claims = Claims {
            iss: &self.0.issuer,
            aud: &grant.audience,
            sub: &grant.subject,
            roles: &grant.roles,
            iat: now,
            nbf: now,
            exp: expires,
            jti: URL_SAFE_NO_PAD.encode(jti),
        };
        let token = self.sign(&json!(claims).to_string());
        if token.len() > LONGEST {
            return Err(IssueError::TooLong);
        }
        Ok(Identity { subject: grant.subject.clone(), roles: grant.roles.clone(), token, expires })
    }

    fn sign(&self, claims: &str) -> String {
        let mut token = format!("{}.{}", self.0.header, URL_SAFE_NO_PAD.encode(claims));
        let signature = self.0.key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    /// The public key as a JSON Web Key Set, for `/.well-known/jwks.json`.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [jwk(&self.0.public)] })
    }

    /// The name of the key: its thumbprint by RFC 7638.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// Who signs: `iss`.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Verifies what this signer signs for an audience.
    pub fn verifier(&self, audience: &str) -> Verifier {
        Verifier::new(Keys::one(self.0.public), &self.0.issuer, audience)
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
            .field("kid", &self.0.kid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{NOW, SEED, pkcs8, signer};

    fn issue(grant: &Grant) -> Result<Identity, IssueError> {
        signer().issue_at(grant, NOW)
    }

    #[test]
    fn the_signature_is_that_of_rfc_8037() {
        let signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = URL_SAFE_NO_PAD.encode(signer().0.key.sign(signed));
        assert_eq!(
            signature,
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn what_is_issued_is_verified_as_it_was_meant() {
        let grant =
            Grant::new("food", "J\u{f8}rgen \"x\"", Duration::from_secs(60)).role("customer").role("cook");
        let issued = issue(&grant).unwrap();
        let verified = signer().verifier("food").verify_at(&issued.token, NOW).unwrap();
        assert_eq!(*verified, issued);
        assert_eq!((verified.roles.len(), verified.expires), (2, NOW + 60));
    }

    #[test]
    fn the_published_keys_verify_too() {
        let token = issue(&Grant::new("food", "a", Duration::from_secs(60))).unwrap().token;
        let jwks = signer().jwks();
        assert_eq!(jwks["keys"][0]["kid"], signer().kid());
        let verifier = Verifier::from_jwks(&jwks, signer().issuer(), "food").unwrap();
        assert_eq!(verifier.verify_at(&token, NOW).unwrap().subject, "a");
    }

    #[test]
    fn no_two_tokens_are_the_same() {
        let grant = Grant::new("food", "a", Duration::from_secs(60));
        assert_ne!(issue(&grant).unwrap().token, issue(&grant).unwrap().token);
    }

    #[test]
    fn a_token_nobody_would_accept_is_not_issued() {
        let grant = |subject: &str, seconds| Grant::new("food", subject, Duration::from_secs(seconds));
        let many = (0..1000).fold(grant("a", 60), |grant, number| grant.role(format!("role-{number}")));
        for (grant, error) in [
            (grant("", 60), IssueError::Subject),
            (grant(&"x".repeat(256), 60), IssueError::Subject),
            (grant("a\nb", 60), IssueError::Subject),
            (grant("a", 60).role(""), IssueError::Role),
            (grant("a", 0), IssueError::Lifetime),
            (grant("a", u64::MAX), IssueError::Lifetime),
            (many, IssueError::TooLong),
        ] {
            assert_eq!(issue(&grant).unwrap_err(), error, "{grant:?}");
        }
    }

    #[test]
    fn keys_of_openssl_are_read_and_other_bytes_are_not() {
        assert_eq!(signer().kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        for bad in [&pkcs8(&SEED)[1..], &SEED[..], b""] {
            assert!(matches!(Signer::from_pkcs8(bad, "x"), Err(KeyError::NotPkcs8)));
        }
    }

    #[test]
    fn a_signer_does_not_show_its_key() {
        assert_eq!(
            format!("{:?}", signer()),
            "Signer { issuer: \"https://id.example\", kid: \"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k\", .. }"
        );
    }
}
