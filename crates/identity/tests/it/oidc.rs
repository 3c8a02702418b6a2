//! A real OpenID provider as an issuer: oidc-provider, from npm.

use std::sync::Arc;

use partie_contract::FaultKind;
use partie_identity::{Config, KeySource, Verifier};
use partie_runtime::{Ids, Stop};
use partie_testservers::OidcProvider;
use serde_json::{Value, json};

fn verifier(settings: &Value) -> Verifier {
    let config: Config = serde_json::from_value(json!({ "issuers": { "provider": settings } })).unwrap();
    let nobody = |_: &str| -> Arc<dyn KeySource> { panic!("no service is asked") };
    config.open([], "food", &Ids::from_entropy(), nobody).unwrap().verifier
}

fn token(provider: &OidcProvider, algorithm: &str) -> String {
    let answer: Value = serde_json::from_str(&provider.token(algorithm)).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn its_tokens_are_verified_by_what_discovery_leads_to() {
    let provider = OidcProvider::start("food");
    let issuer = provider.issuer();
    let verifier = verifier(&json!({
        "issuer": issuer, "roles": "realm_access.roles", "subject-prefix": "staff:"
    }));
    let stop = Stop::default();
    verifier.keep_fresh(&stop);
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let token = token(&provider, algorithm);
        let who = verifier.authenticate(&token).await.unwrap();
        assert_eq!((&*who.subject, &*who.issuer), ("staff:console", &*issuer), "{algorithm}");
        assert_eq!(who.client.as_deref(), Some("console"));
        assert_eq!(who.roles, ["auditor"], "what is the system's own is not the provider's to give");
        assert!(who.expires - who.issued == 300);
    }
    stop.finish().await;
}

#[tokio::test]
async fn what_was_not_agreed_with_it_is_refused() {
    let provider = OidcProvider::start("food");
    let issuer = provider.issuer();
    let stop = Stop::default();
    for (settings, algorithm, good) in [
        (json!({ "issuer": issuer, "audience": "shop" }), "ES256", false),
        (json!({ "issuer": issuer, "algorithms": ["ES256"] }), "ES256", true),
        (json!({ "issuer": issuer, "algorithms": ["ES256"] }), "RS256", false),
        (json!({ "issuer": issuer, "types": ["JWT"] }), "ES256", false),
        (json!({ "issuer": issuer, "roles": "scope" }), "ES256", true),
        (json!({ "issuer": issuer, "jwks-url": format!("{issuer}/jwks") }), "EdDSA", true),
    ] {
        let verifier = verifier(&settings);
        verifier.keep_fresh(&stop);
        let judged = verifier.authenticate(&token(&provider, algorithm)).await;
        match good {
            true => drop(judged.unwrap()),
            false => assert_eq!(judged.unwrap_err().kind(), FaultKind::Unauthenticated, "{settings}"),
        }
    }
    stop.finish().await;
}

#[tokio::test]
async fn its_keys_stay_known_when_it_is_gone_and_another_providers_are_not_theirs() {
    let provider = OidcProvider::start("food");
    let verifier = verifier(&json!({ "issuer": provider.issuer() }));
    let stop = Stop::default();
    verifier.keep_fresh(&stop);
    let (seen, unseen) = (token(&provider, "ES256"), token(&provider, "RS256"));
    verifier.authenticate(&seen).await.unwrap();
    let other = token(&OidcProvider::start("food"), "ES256");
    drop(provider);
    verifier.authenticate(&seen).await.unwrap();
    verifier.authenticate(&unseen).await.unwrap();
    assert_eq!(verifier.authenticate(&other).await.unwrap_err().kind(), FaultKind::Unauthenticated);
    stop.finish().await;
}
