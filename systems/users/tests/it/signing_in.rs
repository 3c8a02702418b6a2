//! Signing in, and being kept from it.

use std::time::Duration;

use serde_json::json;

use crate::support::{App, PASSWORD, cheap, claims, part, said, send, session};

#[tokio::test]
async fn a_token_says_what_rfc_9068_wants() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    assert_eq!(part(&ada.access, 0)["typ"], "at+jwt");
    assert_eq!(part(&ada.access, 0)["alg"], "EdDSA");
    let said = claims(&ada.access);
    assert_eq!((&said["iss"], &said["aud"]), (&json!("http://127.0.0.1:8080"), &json!("users")));
    assert_eq!(said["roles"], json!(["user"]));
    assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 300);
    for name in ["sub", "jti", "sid", "nbf", "client_id"] {
        assert!(!said[name].is_null(), "{name}: {said}");
    }
    app.stop().await;
}

#[tokio::test]
async fn nobody_on_the_way_keeps_what_has_a_token_in_it() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    let bad = json!({ "email": "ada@example.org" });
    for (status, answer) in [
        (200, app.login("ada@example.org", PASSWORD).await),
        (200, app.refresh(&ada.refresh).await),
        // RFC 6749 section 5.2 has it on refusals too.
        (401, app.login("ada@example.org", "another password").await),
        (401, app.refresh("none").await),
        (422, app.post("/api/v1/auth/login", bad).await),
    ] {
        assert_eq!((answer.status, answer.header("cache-control")), (status, Some("no-store")));
    }
    assert_eq!(app.by(&ada, app.http().get("/api/v1/users/me")).await.header("cache-control"), None);
    app.stop().await;
}

#[tokio::test]
async fn asvs_6_3_8_a_wrong_password_and_an_unknown_address_are_one_answer() {
    let app = App::start().await;
    app.signed_in("ada@example.org").await;
    let wrong = app.login("ada@example.org", "another password").await;
    let unknown = app.login("nobody@example.org", "another password").await;
    let long = app.login("ada@example.org", &"x".repeat(5_000)).await;
    let strip = |answer: &partie_testkit::Answer| {
        let mut body = answer.json();
        body["request_id"].take();
        (answer.status, body.to_string())
    };
    assert_eq!(said(&wrong), (401, "invalid-credentials".into()));
    assert_eq!((strip(&wrong), strip(&wrong)), (strip(&unknown), strip(&long)));
    app.stop().await;
}

#[tokio::test]
async fn asvs_6_2_8_a_password_is_taken_to_the_byte() {
    let app = App::start().await;
    let password = " two  spaces and an umlaut \u{fc} ";
    let new = json!({ "email": "ada@example.org", "password": password });
    assert_eq!(app.post("/api/v1/users", new).await.status, 201);
    app.verify("ada@example.org").await;
    assert_eq!(app.login("ada@example.org", password).await.status, 200);
    for other in [
        password.trim(),
        &password.replace("  ", " "),
        &password.replace('\u{fc}', "u\u{308}"),
        &password.to_uppercase(),
    ] {
        assert_eq!(app.login("ada@example.org", other).await.status, 401, "{other}");
    }
    app.stop().await;
}

#[tokio::test]
async fn asvs_6_1_1_too_many_wrong_passwords_lock_for_a_while() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    for _ in 0..5 {
        assert_eq!(app.login("ada@example.org", "wrong password").await.status, 401);
    }
    let locked = app.login("ada@example.org", PASSWORD).await;
    assert_eq!(said(&locked), (429, "rate-limited".into()));
    assert_eq!(locked.header("retry-after"), Some("300"));
    assert_eq!(app.told(&ada.id).await.last().map(String::as_str), Some("user.locked"));
    // An address nobody has is locked alike.
    for _ in 0..5 {
        assert_eq!(app.login("nobody@example.org", "wrong password").await.status, 401);
    }
    assert_eq!(app.login("nobody@example.org", "wrong password").await.status, 429);
    app.step(Duration::from_secs(301)).await;
    app.session("ada@example.org").await;
    app.stop().await;
}

#[tokio::test]
async fn asvs_6_1_1_nobody_locks_somebody_else_out() {
    // Clients are who the proxy says; without one, nobody is believed.
    for (proxies, expected) in [(vec!["127.0.0.0/8"], 200), (vec![], 429)] {
        let trusted = proxies.iter().map(|network| network.parse().unwrap()).collect();
        let app = App::configured(cheap(), |config| config.gateway.trusted_proxies = trusted).await;
        app.signed_in("ada@example.org").await;
        let from = async |address: &str, password: &str| {
            let body = json!({ "email": "ada@example.org", "password": password });
            let login = app.http().post("/api/v1/auth/login").json(&body);
            send(login.header("x-forwarded-for", address).header("partie-client-address", "203.0.113.99"))
                .await
                .status
        };
        for _ in 0..5 {
            assert_eq!(from("203.0.113.7", "wrong password").await, 401);
        }
        assert_eq!(from("203.0.113.7", PASSWORD).await, 429);
        assert_eq!(from("203.0.113.8", PASSWORD).await, expected, "{proxies:?}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tries_at_once_are_as_many_as_one_by_one() {
    let app = App::start().await;
    app.signed_in("ada@example.org").await;
    let wrong = (0..60).map(|_| app.login("ada@example.org", "wrong password"));
    let all = futures_util::future::join_all(wrong).await;
    let told = all.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(told, 5, "the others learn nothing");
    assert!(all.iter().all(|answer| matches!(answer.status, 401 | 429)));
    app.stop().await;
}

#[tokio::test]
async fn asvs_7_2_4_each_time_is_a_session_of_its_own() {
    let app = App::start().await;
    let one = app.signed_in("ada@example.org").await;
    let two = session(&app.login("ada@example.org", PASSWORD).await);
    assert_ne!(claims(&one.access)["sid"], claims(&two.access)["sid"]);
    assert_ne!(one.refresh, two.refresh);
    app.stop().await;
}

#[tokio::test]
async fn administrators_are_those_of_the_settings_once_they_are_verified() {
    let app = App::start().await;
    let root = app.signed_in("Root@example.org").await;
    assert_eq!(claims(&root.access)["roles"], json!(["user", "admin"]));
    let ada = app.signed_in("ada@example.org").await;
    assert_eq!(claims(&ada.access)["roles"], json!(["user"]));
    app.stop().await;
}
