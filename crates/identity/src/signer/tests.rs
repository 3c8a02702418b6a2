//! What is signed, and what is not.

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
        assert_eq!((&claims["jti"], &claims["scope"]), (&json!("t-1"), &json!("orders.read orders.write")));
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
