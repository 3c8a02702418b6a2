//! Our tokens and key sets as Python programs see them: PyJWT and Authlib.

use std::process::Command;

use partie_identity::{Algorithm, Issuer, Signer, Verifier, jwk_set};
use partie_testservers::python_with;
use serde_json::{Value, json};

use crate::support::{grant, signer};

const ISSUER: &str = "https://id.example";

/// Runs a program with that package and these words, and reads the JSON it prints.
fn python(package: &str, program: &str, words: &[&str]) -> Value {
    let mut command = Command::new(python_with(package));
    let output = command.args(["-c", program]).args(words).output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{wrong}");
    serde_json::from_str(&said).unwrap()
}

fn signers() -> [Signer; 2] {
    [Algorithm::EdDsa, Algorithm::Es256].map(|algorithm| signer(algorithm, ISSUER))
}

#[test]
fn pyjwt_takes_our_tokens_by_our_key_set_and_refuses_them_for_others() {
    let signers = signers();
    let jwks = jwk_set(signers.iter().map(Signer::jwk)).to_string();
    for signer in &signers {
        let token = signer.issue(&grant()).unwrap();
        let claims = python(
            "pyjwt",
            r#"
import json, sys, jwt
token, jwks, alg = sys.argv[1:]
key = jwt.PyJWKSet.from_json(jwks)[jwt.get_unverified_header(token)["kid"]]
claims = jwt.decode(token, key, algorithms=[alg], audience="food", issuer="https://id.example",
                    options={"require": ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]})
for wrong in [dict(audience="shop", issuer="https://id.example"), dict(audience="food", issuer="https://other")]:
    try:
        jwt.decode(token, key, algorithms=[alg], **wrong)
        raise SystemExit("taken for another")
    except jwt.InvalidTokenError:
        pass
print(json.dumps(claims))
"#,
            &[&token, &jwks, signer.alg()],
        );
        assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("customer-1"), &json!("app")));
        assert_eq!((&claims["sid"], &claims["roles"]), (&json!("s-1"), &json!(["customer"])));
    }
}

#[test]
fn authlib_takes_our_tokens_as_access_tokens_of_rfc_9068() {
    let signers = signers();
    let jwks = jwk_set(signers.iter().map(Signer::jwk)).to_string();
    for signer in &signers {
        let token = signer.issue(&grant().scope("orders.read")).unwrap();
        let seen = python(
            "authlib",
            r#"
import json, sys, warnings
warnings.simplefilter("ignore")
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oauth2.rfc9068.claims import JWTAccessTokenClaims
token, jwks, alg = sys.argv[1:]
keys = JsonWebKey.import_key_set(json.loads(jwks))
options = {"iss": {"essential": True, "value": "https://id.example"}, "aud": {"essential": True, "value": "food"},
           "exp": {"essential": True}, "sub": {"essential": True}, "client_id": {"essential": True},
           "iat": {"essential": True}, "jti": {"essential": True}, "scope": {"essential": True}}
claims = JsonWebToken([alg]).decode(token, keys, claims_cls=JWTAccessTokenClaims, claims_options=options)
claims.validate()
thumbprints = [key.thumbprint() for key in keys.keys]
print(json.dumps({"claims": claims, "header": claims.header, "thumbprints": thumbprints}))
"#,
            &[&token, &jwks, signer.alg()],
        );
        assert_eq!(
            (&seen["header"]["typ"], &seen["header"]["alg"]),
            (&json!("at+jwt"), &json!(signer.alg()))
        );
        assert_eq!(
            (&seen["claims"]["scope"], &seen["claims"]["aud"]),
            (&json!("orders.read"), &json!("food"))
        );
        let thumbprints = seen["thumbprints"].as_array().unwrap();
        assert!(thumbprints.iter().any(|thumbprint| thumbprint == signer.kid()), "{thumbprints:?}");
    }
}

#[test]
fn what_pyjwt_signs_with_the_tutorials_algorithm_is_taken_with_an_agreed_secret() {
    let secret = "a secret of thirty-two bytes....";
    let token = python(
        "pyjwt",
        r#"
import json, sys, time, jwt
print(json.dumps(jwt.encode({"sub": "customer-1", "exp": int(time.time()) + 60}, sys.argv[1], algorithm="HS256")))
"#,
        &[secret],
    );
    let token = token.as_str().unwrap();
    let verifier = Verifier::new([Issuer::shared_secret(None, secret.as_bytes()).unwrap()]);
    assert_eq!(verifier.verify(token).unwrap().subject, "customer-1");
    let other = Verifier::new([Issuer::shared_secret(None, &[7; 32]).unwrap()]);
    assert!(other.verify(token).is_err());
}

#[test]
fn what_pyjwt_forges_from_our_public_keys_is_refused() {
    let signers = signers();
    let jwks = jwk_set(signers.iter().map(Signer::jwk));
    let verifier = Verifier::from_jwks(&jwks, ISSUER, "food").unwrap();
    let forged = python(
        "pyjwt",
        r#"
import base64, hashlib, hmac, json, sys, time
from cryptography.hazmat.primitives import serialization
import jwt
jwks = json.loads(sys.argv[1])
claims = {"iss": "https://id.example", "aud": "food", "sub": "admin", "iat": int(time.time()), "exp": int(time.time()) + 60}
b64 = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
def sign(header, secret):
    signed = b64(json.dumps(header).encode()) + "." + b64(json.dumps(claims).encode())
    return signed + "." + b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())
forged = []
for jwk in jwks["keys"]:
    public = jwt.PyJWK(jwk).key
    secrets = [public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
               for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER)]
    secrets += [json.dumps(jwk).encode(), jwk["x"].encode(), base64.urlsafe_b64decode(jwk["x"] + "==")]
    for secret in secrets:
        for alg in ("HS256", jwk["alg"], "none"):
            forged.append(sign({"alg": alg, "typ": "at+jwt", "kid": jwk["kid"]}, secret))
    forged.append(jwt.encode(claims, None, algorithm="none", headers={"typ": "at+jwt", "kid": jwk["kid"]}))
print(json.dumps(forged))
"#,
        &[&jwks.to_string()],
    );
    let forged = forged.as_array().unwrap();
    assert_eq!(forged.len(), 2 * 16);
    for token in forged {
        assert!(verifier.verify(token.as_str().unwrap()).is_err(), "{token}");
    }
}
