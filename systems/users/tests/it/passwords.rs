//! Passwords that are forgotten, changed, and tried out by many.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{App, PASSWORD, cheap, said, send};

const OTHER: &str = "an analytical engine";

#[tokio::test]
async fn a_forgotten_password_is_set_anew_and_all_sessions_end() {
    let app = App::start().await;
    let (one, two) = (app.signed_in("ada@example.org").await, app.session("ada@example.org").await);
    app.post("/api/v1/auth/password/forgot", json!({ "email": "ada@example.org" })).await;
    let token = app.mailed_token("ada@example.org").await.unwrap();
    let reset = async |token: &str, password: &str| {
        let body = json!({ "token": token, "new_password": password });
        said(&app.post("/api/v1/auth/password/reset", body).await)
    };
    // A password that is not taken leaves the token good.
    assert_eq!(reset(&token, "password").await, (422, "password-rejected".into()));
    assert_eq!(reset(&token, OTHER).await, (204, String::new()));
    assert_eq!(reset(&token, PASSWORD).await, (410, "one-time-token-expired".into()), "once");
    for session in [&one, &two] {
        assert_eq!(app.refresh(&session.refresh).await.status, 401);
        assert_eq!(app.by(session, app.http().get("/api/v1/users/me")).await.status, 401);
    }
    assert_eq!(app.login("ada@example.org", PASSWORD).await.status, 401);
    assert_eq!(app.login("ada@example.org", OTHER).await.status, 200);
    // And the owner hears of it.
    let mail = notifications::last_mail(app.data(), "ada@example.org").unwrap().unwrap();
    assert!(mail.contains("Your password was changed"), "{mail}");
    app.stop().await;
}

#[tokio::test]
async fn a_token_of_one_purpose_is_none_of_another() {
    let app = App::start().await;
    app.register("ada@example.org").await;
    let verify = app.mailed_token("ada@example.org").await.unwrap();
    let reset = json!({ "token": verify, "new_password": OTHER });
    assert_eq!(app.post("/api/v1/auth/password/reset", reset).await.status, 410);
    app.post("/api/v1/auth/password/forgot", json!({ "email": "ada@example.org" })).await;
    let reset = app.mailed_token("ada@example.org").await.unwrap();
    assert_eq!(app.post("/api/v1/users/verify-email", json!({ "token": reset })).await.status, 410);
    // Who has the token has the mailbox, so the address is verified with the password.
    let body = json!({ "token": reset, "new_password": OTHER });
    assert_eq!(app.post("/api/v1/auth/password/reset", body).await.status, 204);
    assert_eq!(app.login("ada@example.org", OTHER).await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn asvs_6_2_3_a_change_needs_the_password_until_now() {
    let app = App::start().await;
    let (here, elsewhere) = (app.signed_in("ada@example.org").await, app.session("ada@example.org").await);
    let change = async |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        said(&app.by(&here, app.http().put("/api/v1/users/me/password").json(&body)).await)
    };
    assert_eq!(change("wrong password", OTHER).await, (403, "wrong-password".into()));
    assert_eq!(change(PASSWORD, "12345678").await, (422, "password-rejected".into()));
    assert_eq!(change(PASSWORD, OTHER).await, (204, String::new()));
    assert_eq!(app.refresh(&here.refresh).await.status, 200, "who changed it stays");
    assert_eq!(app.refresh(&elsewhere.refresh).await.status, 401);
    app.stop().await;
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_renewed_when_its_password_is_known() {
    let app = App::start().await;
    app.signed_in("ada@example.org").await;
    // As if it had been made by an earlier version of the settings: 64 KiB, one pass, of this password.
    let other = partie::identity::passwords::Config { memory_kib: 128, passes: 1, ..cheap().passwords };
    let hash = partie::identity::passwords::Passwords::start(&other).unwrap().hash(PASSWORD).await.unwrap();
    let store = app.running.store("users").unwrap();
    let written: partie::Outcome<usize> =
        store.write(move |tx| Ok(tx.execute("UPDATE users SET password = $1", &[&hash])?)).await;
    assert_eq!(written.unwrap(), 1);
    app.session("ada@example.org").await;
    let renewed = "SELECT COUNT(*) FROM users WHERE password LIKE '$argon2id$v=19$m=64,t=1,p=1$%'";
    assert_eq!(app.count(renewed).await, 1);
    app.session("ada@example.org").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_logins_is_refused_at_once_and_tokens_are_verified_all_the_while() {
    let mut settings = cheap();
    // One thread, and so slow a hash that the flood meets a full queue.
    settings.passwords.memory_kib = 19 * 1024;
    settings.passwords.passes = 4;
    settings.passwords.threads = Some(1);
    settings.passwords.queue = 4;
    let app = App::with(settings).await;
    let ada = app.signed_in("ada@example.org").await;
    let flood = join_all((0..60).map(|number| {
        let app = &app;
        async move { app.login(&format!("nobody{number}@example.org"), PASSWORD).await }
    }));
    let reads = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..100 {
            let begun = partie::runtime::monotonic();
            assert_eq!(app.by(&ada, app.http().get("/api/v1/users/me")).await.status, 200);
            slowest = slowest.max(begun.elapsed());
        }
        slowest
    };
    let (flood, slowest) = tokio::join!(flood, reads);
    let refused: Vec<_> = flood.iter().filter(|answer| answer.status == 503).collect();
    assert!(refused.len() >= 20, "{} of {}", refused.len(), flood.len());
    assert!(refused.iter().all(|answer| answer.code().as_deref() == Some("overloaded")));
    assert!(refused.iter().all(|answer| answer.header("retry-after").is_some()));
    assert!(slowest < Duration::from_secs(1), "a token took {slowest:?}");
    assert_eq!(send(app.http().get("/health")).await.status, 200);
    app.stop().await;
}
