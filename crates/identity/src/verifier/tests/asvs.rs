//! OWASP ASVS 5.0, chapter V9, item by item. The attacks behind each are in the other tests.

use ring::hmac;
use serde_json::json;

use super::{HEADER, NOT_ALLOWED, accepts, claims, header, refuses};
use crate::fixture::{NOW, OTHER_SEED, SEED, encode, seal, sign, signer};

#[test]
fn asvs_9_1_1_contents_count_only_under_a_good_signature() {
    let good = sign(&SEED, HEADER, &claims(json!({})));
    accepts(&good);
    let parts: Vec<&str> = good.split('.').collect();
    let forged = encode(claims(json!({ "roles": ["admin"] })));
    refuses(&[parts[0], &forged, parts[2]].join("."), "signature is wrong");
    refuses(&sign(&OTHER_SEED, HEADER, &claims(json!({}))), "signature is wrong");
}

#[test]
fn asvs_9_1_2_algorithms_are_on_a_list_without_none_and_secrets_are_not_mixed_in() {
    for alg in ["none", "None", "HS256", "HS384", "HS512", "PS256", "RS512", "ES384", "ES256K", "Ed448"] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, signer().jwks().to_string().as_bytes());
        let token = seal(&header(json!({ "alg": alg })), &claims(json!({})), |signed| {
            hmac::sign(&key, signed).as_ref().to_vec()
        });
        refuses(&token, NOT_ALLOWED);
    }
}

#[test]
fn asvs_9_1_3_keys_come_from_the_issuer_and_never_from_the_token() {
    let theirs = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode([8; 32]), "kid": "evil" });
    for place in [
        json!({ "jku": "https://evil.example/jwks.json" }),
        json!({ "x5u": "https://evil.example/chain.pem" }),
        json!({ "jwk": theirs }),
        json!({ "x5c": ["MIIB"] }),
        json!({ "kid": "https://evil.example/jwks.json#evil" }),
    ] {
        let token = sign(&OTHER_SEED, &header(place), &claims(json!({})));
        assert!(super::verifier().verify_at(&token, NOW).is_err());
    }
}

#[test]
fn asvs_9_2_1_a_token_counts_only_within_its_time() {
    refuses(&sign(&SEED, HEADER, &claims(json!({ "nbf": NOW + 100 }))), "not valid yet");
    refuses(&sign(&SEED, HEADER, &claims(json!({ "exp": null }))), "when it ends");
    let over = sign(&SEED, HEADER, &claims(json!({ "exp": NOW - 100 })));
    let fault = super::verifier().verify_at(&over, NOW).unwrap_err();
    assert_eq!(fault.kind(), partie_contract::FaultKind::TokenExpired);
}

#[test]
fn asvs_9_2_2_an_id_token_is_no_access_token() {
    for typ in [json!("JWT"), json!("id+jwt"), json!("logout+jwt"), json!("dpop+jwt"), json!(null)] {
        refuses(&sign(&SEED, &header(json!({ "typ": typ })), &claims(json!({}))), "not an access token");
    }
}

#[test]
fn asvs_9_2_3_a_token_for_another_service_is_refused() {
    for aud in [json!("shop"), json!(["shop"]), json!(""), json!(null)] {
        refuses(&sign(&SEED, HEADER, &claims(json!({ "aud": aud }))), "another audience");
    }
}

#[test]
fn asvs_9_2_4_every_token_we_issue_names_its_audience() {
    let grant = crate::Grant::new("food", "a", std::time::Duration::from_secs(60));
    let token = signer().issue_at(&grant, NOW).unwrap().token;
    signer().verifier("food").verify_at(&token, NOW).unwrap();
    assert!(signer().verifier("shop").verify_at(&token, NOW).is_err());
}
