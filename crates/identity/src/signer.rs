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

/// Claims of RFC 9068, and `sid`.
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
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::fixture::{NOW, SEED, p256_signer, pkcs8, signer};

    fn issue(grant: &Grant) -> Result<Identity, IssueError> {
        signer().issue_at(grant, NOW)
    }

    #[test]
    fn the_signature_is_that_of_rfc_8037() {
        let signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = URL_SAFE_NO_PAD.encode(signer().signature(signed).unwrap());
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
    fn what_else_a_token_says_is_read_too() {
        let grant = Grant::new("food", "a", Duration::from_secs(60))
            .session("s-1")
            .client("app")
            .scope("orders.read orders.write")
            .id("t-1");
        for signer in [signer(), p256_signer()] {
            let issued = signer.issue_at(&grant, NOW).unwrap();
            let verified = signer.verifier("food").verify_at(&issued.token, NOW).unwrap();
            assert_eq!(*verified, issued, "by {}", signer.alg());
            assert_eq!((&*verified.issuer, verified.issued), (signer.issuer(), NOW));
            assert_eq!(verified.session.as_deref(), Some("s-1"));
            assert_eq!(verified.client.as_deref(), Some("app"));
            let payload = issued.token.split('.').nth(1).unwrap();
            let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
            assert_eq!(
                (&claims["jti"], &claims["scope"]),
                (&json!("t-1"), &json!("orders.read orders.write"))
            );
        }
    }

    #[test]
    fn keys_are_made_for_both_algorithms_and_kept_as_pkcs8() {
        for (algorithm, alg) in [(Algorithm::EdDsa, "EdDSA"), (Algorithm::Es256, "ES256")] {
            let document = Signer::generate(algorithm).unwrap();
            let (one, same) =
                (Signer::from_pkcs8(&document, "x").unwrap(), Signer::from_pkcs8(&document, "x").unwrap());
            assert_eq!((one.alg(), one.kid(), &one.jwk()["alg"]), (alg, same.kid(), &json!(alg)));
            let other = Signer::from_pkcs8(&Signer::generate(algorithm).unwrap(), "x").unwrap();
            assert_ne!(one.kid(), other.kid());
        }
        let refused = Signer::generate(Algorithm::Rs256).unwrap_err().to_string();
        assert!(refused.contains("RS256"), "{refused}");
    }

    #[test]
    fn one_set_holds_several_keys_and_each_verifies_its_own() {
        let (old, new) = (signer(), p256_signer());
        let jwks = jwk_set([old.jwk(), new.jwk()]);
        let verifier = Verifier::from_jwks(&jwks, old.issuer(), "food").unwrap();
        for signer in [old, new] {
            let token = signer.issue(&Grant::new("food", "a", Duration::from_secs(60))).unwrap();
            assert_eq!(verifier.verify(&token).unwrap().subject, "a");
        }
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
            (grant("a", 60).session(""), IssueError::Claim("sid")),
            (grant("a", 60).client("a\nb"), IssueError::Claim("client_id")),
            (grant("a", 60).scope("x".repeat(256)), IssueError::Claim("scope")),
            (grant("a", 60).id(""), IssueError::Claim("jti")),
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
