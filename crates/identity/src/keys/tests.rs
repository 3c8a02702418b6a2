//! Key sets: what is taken, what is passed over, and what becomes of keys that are gone.

use super::*;
use crate::fixture::{p256_signer, rsa_jwk};

/// RFC 8037 appendices A.2 and A.3.
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

fn set(keys: &Value) -> Result<Keys, JwksError> {
    Keys::from_jwks(&json!({ "keys": keys }))
}

fn ours(more: Value) -> Value {
    let mut jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": X });
    let Value::Object(more) = more else { panic!("an object is asked for") };
    jwk.as_object_mut().unwrap().extend(more);
    jwk
}

#[test]
fn the_thumbprint_is_that_of_rfc_8037() {
    let public = <[u8; 32]>::try_from(URL_SAFE_NO_PAD.decode(X).unwrap()).unwrap();
    let key = Key::ed25519(public);
    assert_eq!(key.kid(), THUMBPRINT);
    assert_eq!(key.jwk().unwrap()["kid"], THUMBPRINT);
    let unnamed = set(&json!([{ "kty": "OKP", "crv": "Ed25519", "x": X }])).unwrap();
    assert_eq!(unnamed.get(Algorithm::EdDsa, THUMBPRINT).unwrap().check, key.check);
}

#[test]
fn the_thumbprint_of_an_rsa_key_is_that_of_rfc_7638() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRX\
             jBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSq\
             zs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHa\
             Q-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let keys = set(&json!([{ "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256" }])).unwrap();
    assert!(keys.get(Algorithm::Rs256, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs").is_some());
}

#[test]
fn each_kind_of_key_is_read_as_it_is_written() {
    let point = p256_signer().jwk();
    for (jwk, algorithm) in
        [(ours(json!({})), Algorithm::EdDsa), (point, Algorithm::Es256), (rsa_jwk(), Algorithm::Rs256)]
    {
        let keys = set(&json!([jwk])).unwrap();
        let key = keys.iter().next().unwrap();
        assert_eq!(key.algorithm(), Some(algorithm));
        let written = key.jwk().unwrap();
        assert_eq!((&written["alg"], &written["use"]), (&json!(algorithm.as_str()), &json!("sig")));
        let again = set(&json!([written])).unwrap();
        assert_eq!(again.get(algorithm, key.kid()).unwrap().check, key.check);
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            assert!(keys.get(other, key.kid()).is_none(), "{algorithm} is no {other}");
        }
    }
}

#[test]
fn keys_for_other_things_are_passed_over() {
    let other = json!([
        { "kty": "oct", "kid": "s", "k": "c2VjcmV0" },
        { "kty": "OKP", "crv": "X25519", "kid": "x", "x": X },
        { "kty": "EC", "crv": "P-384", "kid": "p", "x": X, "y": X },
        ours(json!({ "use": "enc" })),
        ours(json!({ "alg": "HS256" })),
        ours(json!({ "key_ops": ["sign"] })),
        { "kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB", "alg": "PS256" },
    ]);
    assert_eq!(set(&other).unwrap_err(), JwksError::NoUsableKey);
}

#[test]
fn unusable_sets_say_why() {
    assert_eq!(Keys::from_jwks(&json!({})).unwrap_err(), JwksError::NotAKeySet);
    let kid = || "k".to_owned();
    let small = URL_SAFE_NO_PAD.encode([0xFF; 128]);
    for (jwk, why) in [
        (ours(json!({ "d": "AA" })), JwksError::PrivateKey { kid: kid() }),
        (ours(json!({ "x": "AA" })), JwksError::InvalidKey { kid: kid() }),
        (ours(json!({ "x": 7 })), JwksError::InvalidKey { kid: kid() }),
        (
            json!({ "kty": "EC", "crv": "P-256", "kid": "k", "x": X, "y": "AA" }),
            JwksError::InvalidKey { kid: kid() },
        ),
        (json!({ "kty": "RSA", "kid": "k", "n": small, "e": "AQAB" }), JwksError::InvalidKey { kid: kid() }),
    ] {
        assert_eq!(set(&json!([jwk])).unwrap_err(), why, "{jwk}");
        let beside = set(&json!([jwk, ours(json!({ "kid": "good" }))])).unwrap();
        assert!(beside.get(Algorithm::EdDsa, "good").is_some(), "the others are good all the same");
        assert_eq!(beside.iter().count(), 1);
    }
    let other = URL_SAFE_NO_PAD.encode([7; 32]);
    let two = json!([ours(json!({})), ours(json!({ "x": other }))]);
    assert_eq!(set(&two).unwrap_err(), JwksError::RepeatedKey { kid: kid() });
    assert!(set(&json!([ours(json!({})), ours(json!({}))])).is_ok(), "the same key twice is harmless");
}

#[test]
fn a_key_that_is_gone_is_trusted_no_more_and_one_that_stays_is_the_same() {
    let (stays, goes) = (ours(json!({ "kid": "stays" })), ours(json!({ "kid": "goes" })));
    let before = set(&json!([stays, goes])).unwrap();
    let key = |keys: &Keys, kid| Arc::clone(keys.get(Algorithm::EdDsa, kid).unwrap());
    let (old_stays, old_goes) = (key(&before, "stays"), key(&before, "goes"));
    let after = set(&json!([stays])).unwrap().in_place_of(&before);
    assert!(Arc::ptr_eq(&old_stays, &key(&after, "stays")) && old_stays.is_trusted());
    assert!(!old_goes.is_trusted() && after.get(Algorithm::EdDsa, "goes").is_none());

    let changed = json!([ours(json!({ "kid": "stays", "x": URL_SAFE_NO_PAD.encode([7; 32]) }))]);
    let after = set(&changed).unwrap().in_place_of(&after);
    assert!(!old_stays.is_trusted(), "another key under the name is another key");
    assert!(key(&after, "stays").is_trusted());
}
