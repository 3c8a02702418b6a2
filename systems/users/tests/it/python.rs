//! Our tokens, keys and metadata as Python programs see them, over HTTP: PyJWT and Authlib.

use std::process::Command;

use partie_testservers::python_with;
use serde_json::{Value, json};

use crate::support::{App, cheap, send};

const ISSUER: &str = "https://id.example.org";

/// Runs a program with that package and these words, and reads the JSON it prints.
async fn python(package: &'static str, program: &'static str, words: Vec<String>) -> Value {
    let run = move || {
        let mut command = Command::new(python_with(package));
        let output = command.args(["-c", program]).args(words).output().unwrap();
        let (said, wrong) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}{wrong}");
        serde_json::from_str(&said).unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn start() -> App {
    let mut settings = cheap();
    settings.issuer = ISSUER.to_owned();
    App::with(settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pyjwt_fetches_our_keys_and_takes_our_tokens() {
    let app = start().await;
    let ada = app.signed_in("ada@example.org").await;
    let jwks = format!("{}/.well-known/jwks.json", app.running.url());
    let claims = python(
        "pyjwt",
        r#"
import json, sys, jwt
jwks, token = sys.argv[1:]
key = jwt.PyJWKClient(jwks).get_signing_key_from_jwt(token)
print(json.dumps(jwt.decode(token, key, algorithms=["EdDSA"], audience="users", issuer="https://id.example.org",
      options={"require": ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "client_id"]})))
"#,
        vec![jwks, ada.access.clone()],
    )
    .await;
    assert_eq!((&claims["sub"], &claims["roles"]), (&json!(ada.id), &json!(["user"])));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authlib_takes_our_metadata_and_our_tokens() {
    let app = start().await;
    let ada = app.signed_in("ada@example.org").await;
    let metadata = send(app.http().get("/.well-known/oauth-authorization-server")).await.text();
    let jwks = send(app.http().get("/.well-known/jwks.json")).await.text();
    let seen = python(
        "authlib",
        r#"
import json, sys, warnings
warnings.simplefilter("ignore")
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
metadata, jwks, token = sys.argv[1:]
metadata = AuthorizationServerMetadata(json.loads(metadata))
metadata.validate()
keys = JsonWebKey.import_key_set(json.loads(jwks))
claims = JsonWebToken(["EdDSA"]).decode(token, keys, claims_options={
    "iss": {"essential": True, "value": metadata["issuer"]}, "aud": {"essential": True, "value": "users"}})
claims.validate()
print(json.dumps(claims))
"#,
        vec![metadata, jwks, ada.access.clone()],
    )
    .await;
    assert_eq!(seen["sub"], json!(ada.id));
    app.stop().await;
}
