//! Several issuers, each with its own keys and its own manners.

use serde_json::json;

use super::{HEADER, claims, header};
use crate::fixture::{
    ISSUER, NOW, OTHER_SEED, SEED, encode, p256_signer, pkcs8, rsa_jwk, sign, sign_p256, sign_rsa, signer,
};
use crate::revocation::{Revocations, Silence};
use crate::{Issuer, Signer, Verifier, jwk_set};
use crate::{Revocation, RevocationNews};

const CORPORATE: &str = "https://login.corporate.example/realms/staff";

/// Somebody's OpenID provider, with its own manners.
fn corporate() -> Issuer {
    Issuer::fixed(CORPORATE, &jwk_set([rsa_jwk()]))
        .unwrap()
        .audience("partie")
        .types(["at+jwt", "JWT"])
        .roles("realm_access.roles")
        .subject_prefix("staff:")
}

fn corporate_token(other: &serde_json::Value) -> String {
    let mut said = json!({
        "iss": CORPORATE, "aud": ["account", "partie"], "azp": "console", "sub": "7f3c", "typ": "Bearer",
        "realm_access": { "roles": ["auditor", "service"] }, "iat": NOW, "exp": NOW + 300, "sid": "s-1",
    });
    said.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    sign_rsa(&json!({ "alg": "RS256", "typ": "JWT", "kid": "rsa" }).to_string(), &said.to_string())
}

#[test]
fn each_issuer_proves_its_own_tokens_only() {
    let verifier = Verifier::new([signer().trusted("food"), corporate()]);
    let staff = verifier.verify_at(&corporate_token(&json!({})), NOW).unwrap();
    assert_eq!((&*staff.subject, &*staff.issuer), ("staff:7f3c", CORPORATE));
    assert_eq!((staff.client.as_deref(), staff.session.as_deref()), (Some("console"), Some("s-1")));
    assert_eq!(staff.roles, ["auditor"], "what is the system's own is not theirs to give");
    verifier.verify_at(&sign(&SEED, HEADER, &claims(json!({}))), NOW).unwrap();

    for (token, why) in [
        (corporate_token(&json!({ "iss": ISSUER })), "not an access token"),
        (sign(&SEED, HEADER, &claims(json!({ "iss": CORPORATE, "aud": "partie" }))), "unknown key"),
        (corporate_token(&json!({ "aud": "food" })), "another audience"),
        (corporate_token(&json!({ "iss": format!("{CORPORATE}/") })), "another issuer"),
        (corporate_token(&json!({ "iss": CORPORATE.to_uppercase() })), "another issuer"),
    ] {
        let fault = verifier.verify_at(&token, NOW).unwrap_err();
        assert!(fault.detail().unwrap().contains(why), "{fault} and not {why}");
    }
}

#[test]
fn roles_are_where_the_issuer_has_them() {
    let token = |said| sign(&SEED, HEADER, &claims(said));
    let roles = |path: &str, said| {
        let issuer = Issuer::fixed(ISSUER, &signer().jwks()).unwrap().audience("food").roles(path);
        let verified = Verifier::new([issuer]).verify_at(&token(said), NOW);
        verified.map(|identity| identity.roles.clone()).map_err(|fault| fault.to_string())
    };
    let of = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(
        roles("scope", json!({ "scope": "orders.read  orders.write" })),
        of(&["orders.read", "orders.write"])
    );
    assert_eq!(roles("scp", json!({ "scp": ["a", "b"] })), of(&["a", "b"]));
    assert_eq!(roles("a.b.c", json!({ "a": { "b": { "c": ["x"] } } })), of(&["x"]));
    assert_eq!(roles("a.b.c", json!({ "a": { "b": 7 } })), of(&[]));
    let named = "https://partie.example/roles";
    assert_eq!(roles(named, json!({ named: ["x"] })), of(&["x"]));
    assert_eq!(roles("scope", json!({})), of(&[]), "the usual claim is not looked at then");
    assert!(roles("groups", json!({ "groups": "admin" })).is_err(), "only a scope is a text of names");
}

#[test]
fn no_prefix_hides_a_subject_of_the_systems_own() {
    let issuer =
        |prefix| Issuer::fixed(ISSUER, &signer().jwks()).unwrap().audience("food").subject_prefix(prefix);
    let token = |sub: &str| sign(&SEED, HEADER, &claims(json!({ "sub": sub })));
    for (prefix, sub, good) in [
        ("", "service:orders", false),
        ("service:", "orders", false),
        ("ser", "vice:orders", false),
        ("x:", "service:orders", true),
        ("x:", "", false),
        ("", "services:orders", true),
    ] {
        assert_eq!(
            Verifier::new([issuer(prefix)]).verify_at(&token(sub), NOW).is_ok(),
            good,
            "{prefix}{sub}"
        );
    }
}

#[test]
fn the_set_of_the_system_shows_its_own_keys_and_what_is_published_with_them() {
    let other = Issuer::fixed("https://users.example", &p256_signer().jwks()).unwrap().published();
    let verifier = Verifier::new([signer().trusted("food"), corporate(), other]);
    let set = verifier.jwks();
    let mut kids: Vec<_> =
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    kids.sort_unstable();
    let (ours, theirs) = (signer().kid().to_owned(), p256_signer().kid().to_owned());
    let mut expected = [&*ours, &*theirs];
    expected.sort_unstable();
    assert_eq!(kids, expected);
}

#[test]
fn every_kind_of_key_is_remembered() {
    let header = |alg: &str, kid: &str| json!({ "typ": "at+jwt", "alg": alg, "kid": kid }).to_string();
    let keys = jwk_set([signer().jwk(), p256_signer().jwk(), rsa_jwk()]);
    let verifier = Verifier::from_jwks(&keys, ISSUER, "food").unwrap();
    for token in [
        sign(&SEED, HEADER, &claims(json!({}))),
        sign_p256(&header("ES256", p256_signer().kid()), &claims(json!({}))),
        sign_rsa(&header("RS256", "rsa"), &claims(json!({}))),
    ] {
        let first = verifier.verify_at(&token, NOW).unwrap();
        assert!(std::sync::Arc::ptr_eq(&first, &verifier.verify_at(&token, NOW).unwrap()));
    }
}

// === revocations ===

fn revocable() -> (Verifier, Revocations) {
    let revocations = Revocations::new(Silence::default());
    let users = Issuer::fixed(ISSUER, &signer().jwks()).unwrap().audience("food");
    let corporate = corporate();
    (Verifier::new([users.revocations(revocations.clone()), corporate]), revocations)
}

fn hear(revocations: &Revocations, list: Vec<Revocation>) {
    let at = partie_runtime::trust_now() * 1000;
    revocations.hear(&RevocationNews { at, complete: true, revocations: list });
}

fn session(name: &str) -> Revocation {
    let until = partie_runtime::trust_now() + 1000;
    Revocation { session: Some(name.to_owned()), subject: None, issued_before: 0, until }
}

#[test]
fn a_token_that_is_remembered_is_refused_once_its_session_is_revoked() {
    let (verifier, revocations) = revocable();
    hear(&revocations, vec![]);
    let token = sign(&SEED, HEADER, &claims(json!({ "sid": "s-1" })));
    verifier.verify_at(&token, NOW).unwrap();
    hear(&revocations, vec![session("s-1")]);
    for _ in 0..2 {
        let fault = verifier.verify_at(&token, NOW).unwrap_err();
        assert_eq!(fault.detail(), Some("the token was revoked"));
    }
    let other = sign(&SEED, HEADER, &claims(json!({ "sid": "s-2" })));
    verifier.verify_at(&other, NOW).unwrap();
    let theirs = corporate_token(&json!({}));
    assert!(verifier.verify_at(&theirs, NOW).is_ok(), "an issuer revokes its own tokens only");
}

#[tokio::test]
async fn a_request_waits_for_the_first_snapshot_instead_of_being_refused() {
    let (_, revocations) = revocable();
    let issued = Signer::from_pkcs8(&pkcs8(&SEED), ISSUER).unwrap();
    let grant = crate::Grant::new("food", "a", std::time::Duration::from_secs(60));
    let token = issued.issue(&grant).unwrap();
    let users = Issuer::fixed(ISSUER, &issued.jwks()).unwrap().audience("food");
    let verifier = Verifier::new([users.revocations(revocations.clone())]);
    let fault = verifier.verify(&token).unwrap_err();
    assert_eq!(fault.kind(), partie_contract::FaultKind::UpstreamUnavailable);
    assert!(verifier.problem().unwrap().contains("revocations"));
    let waits = tokio::spawn({
        let (verifier, token) = (verifier.clone(), token.clone());
        async move { verifier.authenticate(&token).await }
    });
    hear(&revocations, vec![]);
    assert_eq!(waits.await.unwrap().unwrap().subject, "a");
    assert_eq!(verifier.problem(), None);
}

#[test]
fn of_two_issuers_with_one_name_the_first_counts() {
    let impostor = json!({ "kty": "OKP", "crv": "Ed25519", "kid": signer().kid(), "x": encode([9; 32]) });
    let impostor = Issuer::fixed(ISSUER, &jwk_set([impostor])).unwrap();
    let verifier = Verifier::new([signer().trusted("food"), impostor]);
    verifier.verify_at(&sign(&SEED, HEADER, &claims(json!({}))), NOW).unwrap();
    assert!(verifier.verify_at(&sign(&OTHER_SEED, &header(json!({})), &claims(json!({}))), NOW).is_err());
}
