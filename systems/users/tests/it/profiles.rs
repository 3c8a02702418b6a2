//! Profiles: read, changed, exported, deleted; and what administrators do.

use std::time::Duration;

use serde_json::json;

use crate::support::{App, PASSWORD, Session, said, send};

async fn version(app: &App, who: &Session) -> String {
    let me = app.by(who, app.http().get("/api/v1/users/me")).await;
    me.header("etag").unwrap().to_owned()
}

#[tokio::test]
async fn a_profile_is_changed_by_a_merge_patch_of_the_version_that_was_seen() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    let seen = version(&app, &ada).await;
    let patch = |body: serde_json::Value| app.http().patch("/api/v1/users/me").json(&body);
    assert_eq!(app.by(&ada, patch(json!({ "name": "Ada" }))).await.status, 428);
    let changed = app.by(&ada, patch(json!({ "name": "Ada", "username": "ada" })).if_match(&seen)).await;
    assert_eq!((changed.status, changed.json()["name"].as_str()), (200, Some("Ada")));
    assert_ne!(changed.header("etag"), Some(&*seen));
    assert_eq!(app.by(&ada, patch(json!({ "name": "Eve" })).if_match(&seen)).await.status, 412);
    let now = version(&app, &ada).await;
    let gone = app.by(&ada, patch(json!({ "name": null })).if_match(&now)).await;
    assert!(gone.json()["name"].is_null() && gone.json()["username"] == "ada", "{}", gone.text());
    let now = version(&app, &ada).await;
    for (body, status) in [
        (json!({ "avatar_url": "http://example.org/a.png" }), 422),
        (json!({ "avatar_url": "javascript:alert(1)" }), 422),
        (json!({ "email": "eve@example.org" }), 422),
        (json!({ "roles": ["admin"] }), 422),
        (json!({ "name": "" }), 422),
        (json!({ "username": "a b" }), 422),
        (json!({ "avatar_url": "https://cdn.example.org/a.png" }), 200),
    ] {
        let answer = app.by(&ada, patch(body.clone()).if_match(&now)).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    // By its own name, too.
    let own = app.http().patch("/api/v1/users/me").body(r#"{"locale":"en-GB"}"#);
    let own = own.header("content-type", "application/merge-patch+json").if_match("*");
    assert_eq!(app.by(&ada, own).await.json()["locale"], "en-GB");
    app.stop().await;
}

#[tokio::test]
async fn a_username_is_one_s_own() {
    let app = App::start().await;
    let (ada, eve) = (app.signed_in("ada@example.org").await, app.signed_in("eve@example.org").await);
    let name = |who| {
        app.by(who, app.http().patch("/api/v1/users/me").json(&json!({ "username": "Ada" })).if_match("*"))
    };
    assert_eq!(name(&ada).await.status, 200);
    assert_eq!(said(&name(&eve).await), (409, "username-taken".into()));
    app.stop().await;
}

#[tokio::test]
async fn another_address_is_one_s_own_once_it_is_verified() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    app.signed_in("eve@example.org").await;
    let change = |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        app.by(&ada, app.http().put("/api/v1/users/me/email").json(&body))
    };
    assert_eq!(said(&change("new@example.org", "wrong password").await), (403, "wrong-password".into()));
    assert_eq!(said(&change("Eve@example.org", PASSWORD).await), (409, "email-taken".into()));
    assert_eq!(change("new@example.org", PASSWORD).await.status, 204);
    let me = app.by(&ada, app.http().get("/api/v1/users/me")).await.json();
    assert_eq!(me["email"], "ada@example.org", "not yet");
    assert_eq!(app.verify("new@example.org").await.json()["email"], "new@example.org");
    assert_eq!(app.login("ada@example.org", PASSWORD).await.status, 401);
    app.session("new@example.org").await;
    // Who had the address before hears of it.
    app.settled().await;
    let mail = notifications::last_mail(app.data(), "ada@example.org").unwrap().unwrap();
    assert!(mail.contains("was changed"), "{mail}");
    app.stop().await;
}

#[tokio::test]
async fn one_gets_all_that_is_known_and_others_next_to_nothing() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    let export = app.by(&ada, app.http().get("/api/v1/users/me/export")).await.json();
    assert_eq!(export["user"]["email"], "ada@example.org");
    assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
    assert!(!export.to_string().contains("argon2"), "{export}");
    let public = send(app.http().get(format!("/api/v1/users/{}", ada.id))).await.json();
    assert_eq!(public, json!({ "id": ada.id }));
    app.stop().await;
}

#[tokio::test]
async fn asvs_7_4_2_a_deleted_account_is_closed_at_once_and_forgotten_later() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    let deleted = app.by(&ada, app.http().delete("/api/v1/users/me")).await;
    assert_eq!((deleted.status, deleted.json()["status"].as_str()), (200, Some("deletion_pending")));
    assert_eq!(app.by(&ada, app.http().get("/api/v1/users/me")).await.status, 401);
    assert_eq!(app.refresh(&ada.refresh).await.status, 401);
    // Whoever comes back keeps it.
    app.step(Duration::from_secs(24 * 3600 * 13)).await;
    let ada = app.session("ada@example.org").await;
    app.step(Duration::from_secs(24 * 3600 * 2)).await;
    let me = app.by(&ada, app.http().get("/api/v1/users/me")).await;
    assert_eq!((me.status, me.json()["status"].as_str()), (200, Some("active")));

    app.by(&ada, app.http().delete("/api/v1/users/me")).await;
    app.step(Duration::from_secs(24 * 3600 * 14 + 1)).await;
    assert_eq!(app.told(&ada.id).await.last().map(String::as_str), Some("user.deleted"));
    assert_eq!(said(&app.login("ada@example.org", PASSWORD).await), (401, "invalid-credentials".into()));
    assert_eq!(send(app.http().get(format!("/api/v1/users/{}", ada.id))).await.status, 404);
    for sql in [
        "SELECT COUNT(*) FROM users WHERE email IS NOT NULL OR name IS NOT NULL OR password IS NOT NULL OR username IS NOT NULL",
        "SELECT COUNT(*) FROM sessions",
        "SELECT COUNT(*) FROM one_time_tokens",
        "SELECT COUNT(*) FROM partie_outbox WHERE body LIKE '%ada@%'",
    ] {
        assert_eq!(app.count(sql).await, 0, "{sql}");
    }
    // The address is free again.
    assert_eq!(app.register("ada@example.org").await.status, 201);
    app.stop().await;
}

#[tokio::test]
async fn administrators_suspend_unsuspend_unlock_and_list() {
    let app = App::start().await;
    let (root, ada) = (app.signed_in("root@example.org").await, app.signed_in("ada@example.org").await);
    let on_ada = |what: &str| app.http().post(format!("/api/v1/users/{}/{what}", ada.id));
    let reason = json!({ "reason": "spam" });
    assert_eq!(app.by(&ada, on_ada("suspend").json(&reason)).await.status, 403);
    let suspended = app.by(&root, on_ada("suspend").json(&reason)).await;
    assert_eq!((suspended.status, suspended.json()["suspended_for"].as_str()), (200, Some("spam")));
    assert_eq!(said(&app.login("ada@example.org", PASSWORD).await), (403, "account-suspended".into()));
    assert_eq!(
        said(&app.login("ada@example.org", "wrong password").await),
        (401, "invalid-credentials".into())
    );
    assert_eq!(app.refresh(&ada.refresh).await.status, 401);
    assert_eq!(app.by(&ada, app.http().get("/api/v1/users/me")).await.status, 401);
    let again = app.by(&root, on_ada("suspend").json(&reason)).await;
    assert_eq!(
        (said(&again), again.json()["allowed"].clone()),
        ((409, "invalid-transition".into()), json!(["unsuspend"]))
    );
    assert_eq!(app.by(&root, on_ada("unsuspend")).await.json()["status"], "active");
    assert_eq!(app.by(&root, on_ada("unsuspend")).await.status, 409);

    for _ in 0..5 {
        app.login("ada@example.org", "wrong password").await;
    }
    assert_eq!(app.login("ada@example.org", PASSWORD).await.status, 429);
    assert_eq!(app.by(&root, on_ada("unlock")).await.status, 200);
    let ada = app.session("ada@example.org").await;

    assert_eq!(app.by(&ada, app.http().get("/api/v1/users")).await.status, 403);
    let page = app.by(&root, app.http().get("/api/v1/users?limit=1")).await.json();
    assert_eq!(
        (page["data"][0]["email"].as_str(), page["has_more"].as_bool()),
        (Some("ada@example.org"), Some(true))
    );
    let next = page["next_cursor"].as_str().unwrap().to_owned();
    let page = app.by(&root, app.http().get(format!("/api/v1/users?limit=1&after={next}"))).await.json();
    assert_eq!(
        (page["data"][0]["email"].as_str(), page["has_more"].as_bool()),
        (Some("root@example.org"), Some(false))
    );
    let one = app.by(&root, app.http().get("/api/v1/users?email=ADA@example.org")).await.json();
    assert_eq!(one["data"].as_array().unwrap().len(), 1);
    let missing = app.http().post("/api/v1/users/01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a/unlock");
    assert_eq!(said(&app.by(&root, missing).await), (404, "user-not-found".into()));
    app.stop().await;
}
