//! The endpoints of OAuth, by the letter of their RFCs.

use partie_testkit::{Answer, HttpRequest};
use serde_json::{Value, json};

use crate::support::{App, Session, claims, part, send, session};

fn form(request: HttpRequest, fields: &[(&str, &str)]) -> HttpRequest {
    let plain = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect();
    request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"))
}

async fn ask(app: &App, path: &str, fields: &[(&str, &str)]) -> Answer {
    send(form(app.http().post(path), fields)).await
}

/// A client, and its secret.
async fn client(app: &App, root: &Session) -> String {
    let new = json!({ "id": "reporting", "roles": ["auditor"], "scopes": ["orders:read", "orders:count"] });
    let made = app.by(root, app.http().post("/api/v1/clients").json(&new)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.header("location"), Some("/api/v1/clients/reporting"));
    assert_eq!(made.header("cache-control"), Some("no-store"));
    made.json()["client_secret"].as_str().unwrap().to_owned()
}

fn error(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", answer.text());
    (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_program_gets_a_token_by_its_secret() {
    let app = App::start().await;
    let root = app.signed_in("root@example.org").await;
    let secret = client(&app, &root).await;
    let own = [("grant_type", "client_credentials"), ("client_id", "reporting"), ("client_secret", &*secret)];
    let granted = ask(&app, "/oauth/token", &own).await;
    assert_eq!(error(&granted), (200, String::new()), "{}", granted.text());
    let body = granted.json();
    assert_eq!(
        (&body["token_type"], &body["expires_in"], &body["scope"]),
        (&json!("Bearer"), &json!(300), &json!("orders:read orders:count"))
    );
    assert!(body["refresh_token"].is_null());
    let said = claims(body["access_token"].as_str().unwrap());
    assert_eq!((&said["sub"], &said["client_id"]), (&json!("client:reporting"), &json!("reporting")));
    assert_eq!((&said["roles"], said["sid"].is_null()), (&json!(["auditor"]), true));

    // The same in `Authorization`, with less.
    use base64::Engine as _;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("reporting:{secret}"));
    let fields = [("grant_type", "client_credentials"), ("scope", "orders:count")];
    let request =
        form(app.http().post("/oauth/token"), &fields).header("authorization", &format!("Basic {basic}"));
    assert_eq!(send(request).await.json()["scope"], "orders:count");
    app.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_as_rfc_6749_says_it() {
    let app = App::start().await;
    let root = app.signed_in("root@example.org").await;
    let secret = client(&app, &root).await;
    let own = |more: &[(&'static str, &'static str)]| {
        let mut fields = vec![("client_id", "reporting"), ("client_secret", &*secret)];
        fields.extend(more);
        fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect::<Vec<_>>()
    };
    for (fields, expected) in [
        (own(&[]), (400, "invalid_request")),
        (own(&[("grant_type", "password")]), (400, "unsupported_grant_type")),
        (own(&[("grant_type", "client_credentials"), ("scope", "orders:write")]), (400, "invalid_scope")),
        (
            own(&[("grant_type", "client_credentials"), ("grant_type", "refresh_token")]),
            (400, "invalid_request"),
        ),
        (own(&[("grant_type", "refresh_token"), ("refresh_token", "x")]), (400, "invalid_grant")),
        (own(&[("grant_type", "refresh_token")]), (400, "invalid_request")),
    ] {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = ask(&app, "/oauth/token", &fields).await;
        assert_eq!(error(&answer), (expected.0, expected.1.to_owned()), "{fields:?}");
    }
    for (id, secret) in [("reporting", "wrong"), ("nobody", &*secret), ("", &*secret)] {
        let fields = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        assert_eq!(error(&ask(&app, "/oauth/token", &fields).await), (401, "invalid_client".to_owned()));
    }
    let basic = form(app.http().post("/oauth/token"), &[("grant_type", "client_credentials")]);
    let answer = send(basic.header("authorization", "Basic cmVwb3J0aW5nOndyb25n")).await;
    assert_eq!(error(&answer), (401, "invalid_client".to_owned()));
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"));
    let json =
        send(app.http().post("/oauth/token").json(&json!({ "grant_type": "client_credentials" }))).await;
    assert_eq!(error(&json), (400, "invalid_request".to_owned()));
    app.stop().await;
}

#[tokio::test]
async fn refresh_revoke_and_introspect() {
    let app = App::start().await;
    let root = app.signed_in("root@example.org").await;
    let secret = client(&app, &root).await;
    let ada = app.signed_in("ada@example.org").await;
    let look = async |token: &str| -> Value {
        let fields = [("token", token), ("client_id", "reporting"), ("client_secret", &*secret)];
        let answer = ask(&app, "/oauth/introspect", &fields).await;
        assert_eq!(error(&answer), (200, String::new()));
        answer.json()
    };
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &*ada.refresh)];
    let next = session(&ask(&app, "/oauth/token", &fields).await);
    let said = look(&next.access).await;
    assert_eq!(
        (&said["active"], &said["sub"], &said["aud"]),
        (&json!(true), &json!(ada.id), &json!("users"))
    );
    assert_eq!(look(&next.refresh).await["active"], true);
    assert_eq!(look(&ada.refresh).await, json!({ "active": false }), "it was traded");
    assert_eq!(look("x").await, json!({ "active": false }));
    // Nobody tries out tokens.
    assert_eq!(
        error(&ask(&app, "/oauth/introspect", &[("token", &next.access)]).await),
        (401, "invalid_client".to_owned())
    );

    assert_eq!(
        ask(&app, "/oauth/revoke", &[("token", "x")]).await.status,
        200,
        "it is none: as good as gone"
    );
    assert_eq!(ask(&app, "/oauth/revoke", &[("token", &next.refresh)]).await.status, 200);
    assert_eq!(look(&next.access).await, json!({ "active": false }));
    assert_eq!(app.refresh(&next.refresh).await.status, 401);
    app.stop().await;
}

#[tokio::test]
async fn a_removed_client_is_nobody() {
    let app = App::start().await;
    let root = app.signed_in("root@example.org").await;
    let secret = client(&app, &root).await;
    for (body, status) in [
        (json!({ "id": "reporting" }), 409),
        (json!({ "id": "x y" }), 422),
        (json!({ "id": "ops", "roles": ["admin"] }), 422),
        (json!({ "id": "ops", "roles": ["service"] }), 422),
        (json!({ "id": "ops", "scopes": ["a b"] }), 422),
    ] {
        let answer = app.by(&root, app.http().post("/api/v1/clients").json(&body)).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let all = app.by(&root, app.http().get("/api/v1/clients")).await;
    assert_eq!(all.json()["data"][0]["id"], "reporting");
    assert!(!all.text().contains(&secret));
    assert_eq!(app.by(&root, app.http().delete("/api/v1/clients/reporting")).await.status, 204);
    assert_eq!(app.by(&root, app.http().delete("/api/v1/clients/reporting")).await.status, 404);
    let own = [("grant_type", "client_credentials"), ("client_id", "reporting"), ("client_secret", &*secret)];
    assert_eq!(error(&ask(&app, "/oauth/token", &own).await), (401, "invalid_client".to_owned()));
    assert_eq!(app.count("SELECT COUNT(*) FROM revocations WHERE subject = 'client:reporting'").await, 1);
    app.stop().await;
}

#[tokio::test]
async fn the_metadata_leads_to_what_there_is() {
    let app = App::start().await;
    let metadata = send(app.http().get("/.well-known/oauth-authorization-server")).await.json();
    assert_eq!(metadata["issuer"], "http://127.0.0.1:8080");
    for name in ["token_endpoint", "revocation_endpoint", "introspection_endpoint"] {
        let path = metadata[name].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap();
        assert_ne!(ask(&app, path, &[]).await.status, 404, "{name}");
    }
    let keys = send(app.http().get("/.well-known/jwks.json")).await.json();
    let ada = app.signed_in("ada@example.org").await;
    let kid = part(&ada.access, 0)["kid"].clone();
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == kid), "{keys}");
    assert!(!keys.to_string().contains("\"d\""), "{keys}");
    app.stop().await;
}
