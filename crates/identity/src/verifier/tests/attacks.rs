//! Algorithm confusion: every key under every other algorithm's name, and public keys as secrets.

use ring::hmac;
use serde_json::{Value, json};

use super::{NOT_ALLOWED, claims};
use crate::fixture::{
    ISSUER, NOW, SEED, encode, p256_signer, rsa_jwk, seal, sign, sign_p256, sign_rsa, signer,
};
use crate::{Issuer, Verifier, jwk_set};

const ALGORITHMS: [&str; 3] = ["EdDSA", "ES256", "RS256"];
const SECRET: &[u8] = b"a secret of thirty-two bytes....";

fn all_keys() -> Value {
    jwk_set([signer().jwk(), p256_signer().jwk(), rsa_jwk()])
}

fn kid(alg: &str) -> String {
    let keys = all_keys();
    let key = keys["keys"].as_array().unwrap();
    let at = ALGORITHMS.iter().position(|known| *known == alg).unwrap();
    key[at]["kid"].as_str().unwrap().to_owned()
}

/// Signed with the key of one algorithm, whatever the header says.
fn signed_by(alg: &str, header: &Value) -> String {
    let (header, claims) = (header.to_string(), claims(json!({})));
    match alg {
        "EdDSA" => sign(&SEED, &header, &claims),
        "ES256" => sign_p256(&header, &claims),
        _ => sign_rsa(&header, &claims),
    }
}

#[track_caller]
fn refuses(verifier: &Verifier, token: &str, why: &str) {
    let fault = verifier.verify_at(token, NOW).unwrap_err();
    assert!(fault.detail().unwrap().contains(why), "{fault} and not {why}");
}

#[test]
fn a_key_verifies_by_its_own_algorithm_and_no_other() {
    let verifier = Verifier::from_jwks(&all_keys(), ISSUER, "food").unwrap();
    for key in ALGORITHMS {
        for said in ALGORITHMS {
            for named in ALGORITHMS {
                let header = json!({ "typ": "at+jwt", "alg": said, "kid": kid(named) });
                let token = signed_by(key, &header);
                match (key == said, said == named) {
                    (true, true) => {
                        assert_eq!(verifier.verify_at(&token, NOW).unwrap().subject, "customer-1")
                    }
                    (false, true) => refuses(&verifier, &token, "signature is wrong"),
                    (_, false) => refuses(&verifier, &token, "unknown key"),
                }
            }
        }
    }
}

#[test]
fn no_public_key_is_a_secret_in_whatever_form() {
    let verifier = Verifier::from_jwks(&all_keys(), ISSUER, "food").unwrap();
    let (ed, ec, rsa) = (signer().jwk(), p256_signer().jwk(), rsa_jwk());
    let text = |jwk: &Value, name: &str| jwk[name].as_str().unwrap().to_owned().into_bytes();
    let secrets = [
        all_keys().to_string().into_bytes(),
        ed.to_string().into_bytes(),
        text(&ed, "x"),
        text(&ec, "x"),
        [text(&ec, "x"), text(&ec, "y")].concat(),
        text(&rsa, "n"),
        rsa.to_string().into_bytes(),
        Vec::new(),
    ];
    for secret in secrets {
        for alg in ["HS256", "HS384", "HS512", "EdDSA", "ES256", "RS256"] {
            for named in ALGORITHMS {
                let header = json!({ "typ": "at+jwt", "alg": alg, "kid": kid(named) }).to_string();
                let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
                let token =
                    seal(&header, &claims(json!({})), |signed| hmac::sign(&key, signed).as_ref().to_vec());
                assert!(verifier.verify_at(&token, NOW).is_err(), "{alg} for {named}");
            }
        }
    }
}

#[test]
fn a_secret_in_a_key_set_is_no_key() {
    let theirs = json!({ "kty": "oct", "kid": "k", "alg": "HS256", "k": encode(SECRET) });
    let verifier = Verifier::from_jwks(&jwk_set([signer().jwk(), theirs]), ISSUER, "food").unwrap();
    let token = hs256(&json!({ "typ": "at+jwt", "alg": "HS256", "kid": "k" }), &claims(json!({})));
    refuses(&verifier, &token, NOT_ALLOWED);
}

#[test]
fn an_issuer_may_allow_less_than_its_keys_could() {
    let issuer = Issuer::fixed(ISSUER, &all_keys()).unwrap().audience("food");
    let verifier = Verifier::new([issuer.algorithms(&[crate::Algorithm::Es256])]);
    for alg in ALGORITHMS {
        let token = signed_by(alg, &json!({ "typ": "at+jwt", "alg": alg, "kid": kid(alg) }));
        match alg {
            "ES256" => drop(verifier.verify_at(&token, NOW).unwrap()),
            _ => refuses(&verifier, &token, NOT_ALLOWED),
        }
    }
}

#[test]
fn an_ecdsa_signature_is_64_bytes_and_not_der() {
    let verifier = p256_signer().verifier("food");
    let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": p256_signer().kid() }).to_string();
    let good = sign_p256(&header, &claims(json!({})));
    verifier.verify_at(&good, NOW).unwrap();
    for bad in [vec![0; 64], vec![], vec![0x30; 70], vec![0xFF; 64]] {
        let token = seal(&header, &claims(json!({})), |_| bad.clone());
        refuses(&verifier, &token, "signature is wrong");
    }
}

// === shared secrets ===

fn hs256(header: &Value, claims: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    seal(&header.to_string(), claims, |signed| hmac::sign(&key, signed).as_ref().to_vec())
}

fn tutorial() -> Verifier {
    let issuer = Issuer::shared_secret(None, SECRET).unwrap();
    Verifier::new([signer().trusted("food"), issuer])
}

#[test]
fn a_shared_secret_takes_what_the_tutorials_sign_and_only_that() {
    let verifier = tutorial();
    let nameless = claims(json!({ "iss": null, "aud": null, "iat": null, "nbf": null }));
    let header = json!({ "typ": "JWT", "alg": "HS256" });
    assert_eq!(verifier.verify_at(&hs256(&header, &nameless), NOW).unwrap().subject, "customer-1");

    refuses(&verifier, &hs256(&json!({ "typ": "JWT", "alg": "none" }), &nameless), "not signed with HS256");
    let mut wrong = hs256(&header, &nameless);
    wrong.replace_range(wrong.len() - 4.., "AAAA");
    refuses(&verifier, &wrong, "signature is wrong");
    let eternal = claims(json!({ "iss": null, "exp": null }));
    refuses(&verifier, &hs256(&header, &eternal), "when it ends");
    let over = hs256(&header, &claims(json!({ "iss": null, "exp": NOW - 100 })));
    assert_eq!(verifier.verify_at(&over, NOW).unwrap_err().kind(), partie_contract::FaultKind::TokenExpired);
}

#[test]
fn the_secret_does_not_speak_for_issuers_with_public_keys() {
    let verifier = tutorial();
    for (typ, kid) in [("at+jwt", json!(signer().kid())), ("JWT", json!(null))] {
        let token = hs256(&json!({ "typ": typ, "alg": "HS256", "kid": kid }), &claims(json!({})));
        assert!(verifier.verify_at(&token, NOW).is_err(), "{typ}");
    }
    // Nor a public key for tokens that name nobody.
    let header = json!({ "typ": "JWT", "alg": "EdDSA", "kid": signer().kid() }).to_string();
    refuses(&verifier, &sign(&SEED, &header, &claims(json!({ "iss": null }))), "not signed with HS256");
}

#[test]
fn a_secret_gives_no_role_of_the_systems_own() {
    let said = claims(json!({ "iss": null, "roles": ["service", "demo", "join", "member", "customer"] }));
    let token = hs256(&json!({ "alg": "HS256" }), &said);
    assert_eq!(tutorial().verify_at(&token, NOW).unwrap().roles, ["customer"]);
    for sub in ["service:orders", "join:orders", "member:orders"] {
        let token = hs256(&json!({ "alg": "HS256" }), &claims(json!({ "iss": null, "sub": sub })));
        refuses(&tutorial(), &token, "the system's own");
    }
}

#[test]
fn a_secret_that_would_be_guessed_is_refused() {
    let refused = Issuer::shared_secret(None, b"your-secret-key").unwrap_err();
    assert_eq!(refused, crate::SecretTooShort(15));
    assert!(Issuer::shared_secret(Some("x"), &[7; 32]).is_ok());
}
