//! The attacks on access tokens that are known, each by its name, and what must pass nevertheless.

use partie_contract::FaultKind;
use proptest::prelude::*;
use ring::hmac;
use serde_json::json;

use super::*;
use crate::fixture::{KID, NOW, OTHER_SEED, SEED, encode, sign, signer};

mod asvs;
mod attacks;
mod issuers;
mod rotation;

const NOT_ALLOWED: &str = "not signed with an algorithm that is allowed";
const HEADER: &str = r#"{"typ":"at+jwt","alg":"EdDSA","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}"#;

fn verifier() -> Verifier {
    signer().verifier("food")
}

/// Good claims, with some members set to something else; null removes one.
fn claims(other: Value) -> String {
    let mut claims = json!({
        "iss": "https://id.example", "aud": "food", "sub": "customer-1", "roles": ["customer"],
        "iat": NOW, "nbf": NOW, "exp": NOW + 600, "jti": "1",
    });
    overlay(&mut claims, other)
}

fn header(other: Value) -> String {
    overlay(&mut serde_json::from_str(HEADER).unwrap(), other)
}

fn overlay(object: &mut Value, other: Value) -> String {
    let Value::Object(other) = other else { panic!("an object is asked for") };
    for (name, value) in other {
        let members = object.as_object_mut().unwrap();
        if value.is_null() {
            members.remove(&name)
        } else {
            members.insert(name, value)
        };
    }
    object.to_string()
}

fn good() -> String {
    sign(&SEED, HEADER, &claims(json!({})))
}

#[track_caller]
fn accepts(token: &str) -> Arc<Identity> {
    verifier().verify_at(token, NOW).unwrap()
}

#[track_caller]
fn refuses(token: &str, why: &str) {
    let fault = verifier().verify_at(token, NOW).unwrap_err();
    assert_eq!(fault.kind(), FaultKind::Unauthenticated, "{fault}");
    assert!(fault.detail().unwrap().contains(why), "{fault} and not {why}");
}

// === the algorithm and the key ===

#[test]
fn none_is_no_algorithm() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let unsigned = format!("{}.{}.", encode(header(json!({ "alg": alg }))), encode(claims(json!({}))));
        refuses(&unsigned, NOT_ALLOWED);
    }
    let mut stripped = good();
    stripped.truncate(stripped.rfind('.').unwrap() + 1);
    refuses(&stripped, "signature is wrong");
}

#[test]
fn the_public_key_is_no_hmac_secret() {
    let public = signer().jwks()["keys"][0]["x"].as_str().unwrap().to_owned();
    let secrets = [public.into_bytes(), signer().jwks().to_string().into_bytes()];
    for (alg, sha) in [("HS256", hmac::HMAC_SHA256), ("EdDSA", hmac::HMAC_SHA512)] {
        for secret in &secrets {
            let signed = format!("{}.{}", encode(header(json!({ "alg": alg }))), encode(claims(json!({}))));
            let tag = hmac::sign(&hmac::Key::new(sha, secret), signed.as_bytes());
            let token = format!("{signed}.{}", encode(tag));
            refuses(&token, if alg == "EdDSA" { "signature is wrong" } else { NOT_ALLOWED });
        }
    }
}

#[test]
fn a_good_signature_under_another_algorithms_name_is_refused() {
    for alg in [json!("HS256"), json!("eddsa"), json!("EdDSA "), json!(["EdDSA"]), json!(null)] {
        refuses(&sign(&SEED, &header(json!({ "alg": alg })), &claims(json!({}))), NOT_ALLOWED);
    }
    for alg in ["ES256", "RS256"] {
        refuses(&sign(&SEED, &header(json!({ "alg": alg })), &claims(json!({}))), "unknown key");
    }
}

#[test]
fn a_forged_kid_leads_nowhere() {
    for kid in [json!("other"), json!(""), json!("../../dev/null"), json!("' or 1=1"), json!(7), json!(null)]
    {
        refuses(&sign(&OTHER_SEED, &header(json!({ "kid": kid })), &claims(json!({}))), "unknown key");
        refuses(&sign(&SEED, &header(json!({ "kid": kid })), &claims(json!({}))), "unknown key");
    }
    refuses(&sign(&OTHER_SEED, HEADER, &claims(json!({}))), "signature is wrong");
}

#[test]
fn keys_a_token_brings_along_are_not_followed() {
    let theirs = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode([8; 32]), "kid": KID });
    for place in [
        json!({ "jku": "https://evil.example/jwks.json" }),
        json!({ "x5u": "https://evil.example/chain.pem" }),
        json!({ "jwk": theirs }),
        json!({ "x5c": ["MIIB"] }),
    ] {
        refuses(&sign(&OTHER_SEED, &header(place.clone()), &claims(json!({}))), "signature is wrong");
        accepts(&sign(&SEED, &header(place), &claims(json!({}))));
    }
}

#[test]
fn a_critical_extension_is_refused() {
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!("x")] {
        let header = header(json!({ "crit": crit, "b64": false }));
        refuses(&sign(&SEED, &header, &claims(json!({}))), "critical");
    }
}

#[test]
fn only_access_tokens_are_access_tokens() {
    for typ in
        [json!("JWT"), json!("id_token"), json!("application/jwt"), json!("at+jwt2"), json!(1), json!(null)]
    {
        refuses(&sign(&SEED, &header(json!({ "typ": typ })), &claims(json!({}))), "not an access token");
    }
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        accepts(&sign(&SEED, &header(json!({ "typ": typ })), &claims(json!({}))));
    }
}

// === the text ===

#[test]
fn a_truncated_token_is_refused() {
    let token = good();
    for length in 0..token.len() {
        assert!(verifier().verify_at(&token[..length], NOW).is_err(), "{length}");
    }
}

#[test]
fn a_token_has_three_parts() {
    let good = good();
    for token in [
        format!("{good}."),
        format!("{good}.x"),
        format!(".{good}"),
        good.replacen('.', "..", 1),
        "....".to_owned(),
        "a.b".to_owned(),
        String::new(),
    ] {
        refuses(&token, "three parts");
    }
    refuses("..", "not a JSON object");
}

#[test]
fn a_token_over_8_kib_is_refused_before_anything_else() {
    let token = sign(&SEED, HEADER, &claims(json!({ "filler": "x".repeat(8 * 1024) })));
    refuses(&token, "longer than 8 KiB");
    accepts(&sign(&SEED, HEADER, &claims(json!({ "filler": "x".repeat(5 * 1024) }))));
}

#[test]
fn there_is_one_way_to_write_a_signature() {
    let good = good();
    let last = good.chars().last().unwrap();
    assert!("AQgw".contains(last), "the last character carries two bits only");
    for stray in ["B", "R", "h", "x", "="] {
        let token = format!("{}{stray}", &good[..good.len() - 1]);
        refuses(&token, "not base64url");
    }
    for other in [format!("{good}=="), format!("{good}\n"), format!("{good} "), good.replace('.', ".\n")] {
        refuses(&other, "not base64url");
    }
    // The standard alphabet, wherever the url-safe one differs.
    let standard = good.replace('-', "+").replace('_', "/");
    if standard != good {
        refuses(&standard, "not base64url");
    }
}

#[test]
fn a_signature_whose_scalar_is_not_reduced_is_refused() {
    /// The order of the group, little-endian.
    const ORDER: [u8; 32] = *b"\xed\xd3\xf5\x5c\x1a\x63\x12\x58\xd6\x9c\xf7\xa2\xde\xf9\xde\x14\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10";
    let good = good();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut bytes =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, signature).unwrap();
    let mut carry = 0_u16;
    for (byte, order) in bytes[32..].iter_mut().zip(ORDER) {
        carry += u16::from(*byte) + u16::from(order);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    refuses(&format!("{signed}.{}", encode(bytes)), "signature is wrong");
}

#[test]
fn a_repeated_member_is_refused() {
    let plain = claims(json!({}));
    for repeated in [
        r#""sub":"admin","#,
        r#""\u0073ub":"admin","#,
        r#""unknown":1,"unknown":1,"#,
        r#""nested":[{"a":1,"a":2}],"#,
    ] {
        let claims = plain.replacen('{', &format!("{{{repeated}"), 1);
        refuses(&sign(&SEED, HEADER, &claims), "distinct members");
    }
    let header = HEADER.replacen('{', r#"{"alg":"none","#, 1);
    refuses(&sign(&SEED, &header, &plain), "distinct members");
}

#[test]
fn what_is_not_an_object_is_refused() {
    for text in ["[]", "null", "1", "\"a\"", "{} {}", "{", "", "\u{feff}{}", &"[".repeat(1000)] {
        refuses(&sign(&SEED, text, &claims(json!({}))), "distinct members");
        refuses(&sign(&SEED, HEADER, text), "distinct members");
    }
}

proptest! {
    #[test]
    fn no_changed_character_goes_unnoticed(at in 0..good().len(), with in "[A-Za-z0-9_.=+/-]") {
        let good = good();
        let changed = format!("{}{with}{}", &good[..at], &good[at + 1..]);
        prop_assume!(changed != good);
        let verifier = verifier();
        verifier.verify_at(&good, NOW).unwrap();
        prop_assert!(verifier.verify_at(&changed, NOW).is_err());
    }

    #[test]
    fn nonsense_is_refused_and_nothing_panics(token in ".{0,200}", header in ".{0,80}", claims in ".{0,80}") {
        prop_assert!(verifier().verify_at(&token, NOW).is_err());
        prop_assert!(verifier().verify_at(&sign(&SEED, &header, &claims), NOW).is_err());
        prop_assert!(verifier().verify_at(&sign(&SEED, HEADER, &claims), NOW).is_err());
    }
}

// === the claims ===

#[test]
fn an_expired_token_is_told_apart_from_a_bad_one() {
    let at = |exp: Value, now| {
        let token = sign(&SEED, HEADER, &claims(json!({ "exp": exp })));
        verifier().verify_at(&token, now).map(|_| ()).map_err(|fault| fault.kind())
    };
    assert_eq!(at(json!(NOW), NOW + 59), Ok(()));
    assert_eq!(at(json!(NOW), NOW + 60), Err(FaultKind::TokenExpired));
    assert_eq!(at(json!(0), NOW), Err(FaultKind::TokenExpired));
    assert_eq!(at(json!(-1), NOW), Err(FaultKind::TokenExpired));
    assert_eq!(at(json!(i64::MIN), NOW), Err(FaultKind::TokenExpired));
    assert_eq!(at(json!(NOW as f64 + 0.5), NOW), Ok(()));
    assert_eq!(at(json!(u64::MAX), NOW), Ok(()), "a date beyond reason is a date");
    for no_time in [json!(null), json!("1900000000"), json!([NOW + 1]), json!(true)] {
        assert_eq!(at(no_time, NOW), Err(FaultKind::Unauthenticated));
    }
}

#[test]
fn an_early_token_is_refused() {
    accepts(&sign(&SEED, HEADER, &claims(json!({ "nbf": NOW + 60 }))));
    accepts(&sign(&SEED, HEADER, &claims(json!({ "nbf": null }))));
    refuses(&sign(&SEED, HEADER, &claims(json!({ "iat": NOW + 61 }))), "not valid yet");
    refuses(&sign(&SEED, HEADER, &claims(json!({ "iat": null }))), "when it was made");
    refuses(&sign(&SEED, HEADER, &claims(json!({ "nbf": NOW + 61 }))), "not valid yet");
    refuses(&sign(&SEED, HEADER, &claims(json!({ "nbf": "now" }))), "not a number");
    refuses(&sign(&SEED, HEADER, &claims(json!({ "iat": "now" }))), "not a number");
}

#[test]
fn a_token_for_others_is_refused() {
    for aud in
        [json!("shop"), json!("Food"), json!(["shop", "arcade"]), json!([]), json!([["food"]]), json!(null)]
    {
        refuses(&sign(&SEED, HEADER, &claims(json!({ "aud": aud }))), "another audience");
    }
    accepts(&sign(&SEED, HEADER, &claims(json!({ "aud": ["shop", "food"] }))));
}

#[test]
fn a_token_of_another_issuer_is_refused_even_when_signed_with_our_key() {
    for iss in [json!("https://evil.example"), json!(""), json!(["https://id.example"]), json!(null)] {
        refuses(&sign(&SEED, HEADER, &claims(json!({ "iss": iss }))), "another issuer");
    }
}

#[test]
fn a_subject_has_1_to_255_characters() {
    for sub in [json!(""), json!("x".repeat(256)), json!("a\nb"), json!(7), json!(null)] {
        refuses(&sign(&SEED, HEADER, &claims(json!({ "sub": sub }))), "1 to 255 characters");
    }
    let long = "\u{1f35c}".repeat(255);
    assert_eq!(accepts(&sign(&SEED, HEADER, &claims(json!({ "sub": long })))).subject, long);
}

#[test]
fn roles_are_a_list_of_names() {
    for roles in [json!("admin"), json!({ "admin": true }), json!([1]), json!([""]), json!([["admin"]])] {
        refuses(&sign(&SEED, HEADER, &claims(json!({ "roles": roles }))), "roles");
    }
    assert!(accepts(&sign(&SEED, HEADER, &claims(json!({ "roles": null })))).roles.is_empty());
}

// === the cache ===

#[test]
fn a_token_that_is_remembered_still_expires() {
    let (verifier, token) = (verifier(), good());
    let first = verifier.verify_at(&token, NOW).unwrap();
    assert!(Arc::ptr_eq(&first, &verifier.verify_at(&token, NOW + 600).unwrap()), "it is remembered");
    for now in [NOW + 660, i64::MAX] {
        assert_eq!(verifier.verify_at(&token, now).unwrap_err().kind(), FaultKind::TokenExpired);
    }
}

#[test]
fn what_was_refused_is_not_remembered() {
    let verifier = verifier();
    let early = sign(&SEED, HEADER, &claims(json!({ "nbf": NOW + 100 })));
    assert!(verifier.verify_at(&early, NOW).is_err());
    assert!(verifier.verify_at(&early, NOW).is_err());
    assert!(verifier.verify_at(&early, NOW + 100).is_ok());
}

#[test]
fn other_claims_over_a_remembered_signature_are_refused() {
    let (verifier, good) = (verifier(), good());
    verifier.verify_at(&good, NOW).unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let forged = encode(claims(json!({ "sub": "admin", "roles": ["admin"] })));
    assert!(verifier.verify_at(&[parts[0], &forged, parts[2]].join("."), NOW).is_err());
}
