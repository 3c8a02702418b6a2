//! Settings: what is taken, and what is refused before anything starts.

use serde_json::{Value, json};

use super::*;
use crate::FetchError;
use crate::fixture::signer;
use crate::remote::tests::Publisher;

fn open(settings: &Value) -> Result<Opened, String> {
    let config: Config = serde_json::from_value(settings.clone()).map_err(|error| error.to_string())?;
    let own = signer().trusted("food");
    let opened = config.open([own], "food", &Ids::seeded(7), |_| Publisher::new(signer().jwks()));
    opened.map_err(|error| error.to_string())
}

fn issuer(settings: &Value) -> Result<Opened, String> {
    open(&json!({ "issuers": { "corporate": settings } }))
}

#[test]
fn nothing_said_is_nobody_trusted_but_the_system() {
    let opened = open(&json!({})).unwrap();
    assert!(opened.followed.is_empty() && opened.verifier.problem().is_none());
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    let id = "https://id.corporate.example";
    let secret = "x".repeat(32);
    for (settings, why) in [
        (json!({}), "say `issuer`"),
        (json!({ "jwks-url": "https://x.example" }), "say `issuer`"),
        (json!({ "issuer": id, "jwks-url": "https://x.example", "secret": secret }), "say one of"),
        (json!({ "issuer": id, "service": "users", "jwks-file": "x" }), "say one of"),
        (json!({ "issuer": id, "jwks-url": "http://x.example" }), "plain-http"),
        (json!({ "issuer": "http://x.example" }), "plain-http"),
        (json!({ "issuer": id, "jwks-url": "x" }), "not an address"),
        (json!({ "issuer": id, "ca-file": "/nowhere.pem" }), "/nowhere.pem"),
        (json!({ "secret": "your-secret-key" }), "32 bytes"),
        (json!({ "issuer": id, "algorithms": [] }), "at least one"),
        (json!({ "issuer": id, "algorithms": ["HS256"] }), "HS256"),
        (json!({ "issuer": id, "algorithms": ["none"] }), "none"),
        (json!({ "issuer": signer().issuer() }), "trusted already"),
        (json!({ "issuer": id, "service": "users", "subject-prefix": "x:" }), "subject-prefix"),
        (json!({ "issuer": id, "isuer": id }), "isuer"),
        (json!({ "secret": "file:/nowhere" }), "/nowhere"),
    ] {
        let error = issuer(&settings).unwrap_err();
        assert!(error.contains(why), "{settings}: {error}");
        assert!(!error.contains("your-secret-key"), "{error}");
    }
}

#[test]
fn a_secret_is_not_shown_with_the_settings() {
    let config: Config =
        serde_json::from_value(json!({ "issuers": { "tutorial": { "secret": "x".repeat(32) } } })).unwrap();
    let shown = serde_json::to_string(&config).unwrap();
    assert!(!shown.contains("xxx") && shown.contains("***"), "{shown}");
    assert!(!format!("{config:?}").contains("xxx"));
}

#[tokio::test(start_paused = true)]
async fn a_service_of_the_system_is_followed_and_its_keys_are_shown() {
    let opened = issuer(&json!({ "issuer": "https://users.example", "service": "users" })).unwrap();
    assert_eq!(opened.followed.len(), 1);
    assert_eq!(opened.followed[0].0, "users");
    let stop = partie_runtime::Stop::default();
    opened.verifier.keep_fresh(&stop);
    assert!(opened.verifier.problem().is_some());
    opened.followed[0].1.hear(&crate::RevocationNews { at: 1, complete: true, revocations: vec![] });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(opened.verifier.problem(), None);
    assert_eq!(opened.verifier.jwks()["keys"].as_array().unwrap().len(), 2, "the system's and the service's");
}

#[test]
fn api_keys_are_read_and_end_when_it_is_said() {
    let key = |more: Value| {
        let mut key = json!({ "sha256": "00".repeat(32), "subject": "reporting" });
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        open(&json!({ "api-keys": { "reporting": key } }))
    };
    key(json!({ "roles": ["auditor"], "expires": "2030-01-01T00:00:00Z" })).unwrap();
    assert!(key(json!({ "sha256": "00" })).unwrap_err().contains("[identity.api-keys.reporting]"));
    assert!(key(json!({ "key": "pk_in-the-clear" })).is_err());
    assert!(key(json!({ "expires": "soon" })).is_err());
}

#[test]
fn a_file_is_read_and_bounded() {
    let path = std::env::temp_dir().join(format!("partie-identity-jwks-{}", std::process::id()));
    let fetch = || {
        let file = JwksFile(path.clone());
        futures_util::FutureExt::now_or_never(file.fetch()).unwrap()
    };
    assert!(matches!(fetch(), Err(FetchError::Unreachable { .. })));
    std::fs::write(&path, signer().jwks().to_string()).unwrap();
    assert_eq!(fetch().unwrap(), signer().jwks());
    std::fs::write(&path, "{").unwrap();
    assert!(matches!(fetch(), Err(FetchError::Unusable { .. })));
    std::fs::write(&path, vec![b' '; 300 << 10]).unwrap();
    assert!(matches!(fetch(), Err(FetchError::TooLarge { .. })));
    std::fs::remove_file(&path).unwrap();
}
