//! Every operation of the users keeps what its contract promises.

use std::sync::atomic::{AtomicU64, Ordering};

use partie_testkit::{Case, Conformance, Example, TestRun, TestSystem};
use serde_json::{Value, json};

use crate::support::{PASSWORD, cheap};

fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn new_user() -> Value {
    json!({
        "email": format!("ada{}@example.org", number()), "password": PASSWORD, "username": format!("ada-{}", number()),
        "name": "Ada", "locale": "en-GB", "roles": ["user"],
    })
}

/// Somebody who has registered, and whose address is verified.
async fn user(run: &TestRun) -> (String, String) {
    let new = new_user();
    let answer = run.http().post("/api/v1/users").json(&new).send().await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let store = run.store("users").unwrap();
    let email = new["email"].as_str().unwrap().to_owned();
    let own = email.clone();
    let verified: partie::Outcome<usize> = store
        .write(move |tx| {
            Ok(tx.execute(
                "UPDATE users SET status = 'active', email_verified_at = 1 WHERE email = $1",
                &[&own],
            )?)
        })
        .await;
    assert_eq!(verified.unwrap(), 1);
    (id, email)
}

async fn tokens(run: &TestRun) -> (String, Value) {
    let (id, email) = user(run).await;
    let login = json!({ "email": email, "password": PASSWORD });
    (id, run.http().post("/api/v1/auth/login").json(&login).send().await.unwrap().json())
}

/// A token that was mailed.
async fn code(run: &TestRun, about: &str, email: &str) -> String {
    run.http().post(about).json(&json!({ "email": email })).send().await.unwrap();
    run.quiet().await;
    let mail = notifications::last_mail(run.data(), email).unwrap().unwrap();
    let (_, token) = mail.split_once("?token=").unwrap();
    token.split_whitespace().next().unwrap().to_owned()
}

const RESET: &str = "/api/v1/auth/password/forgot";
const VERIFY: &str = "/api/v1/users/verify-email/resend";

#[tokio::test]
async fn every_operation_keeps_its_contract() {
    let mut settings = cheap();
    settings.attempts = 1_000_000;
    let run = TestSystem::of(users::system_with(&settings)).start().await;
    while run.http().get("/health/ready").send().await.unwrap().status != 200 {
        tokio::task::yield_now().await;
    }
    const ME: &[&str] = &["user"];
    const ADMIN: &[&str] = &["admin"];
    let once = "the token in it was used up by the first request";
    let report = Conformance::new(&run)
        .only(&["users"])
        .example("users.accounts.register", async |_| Example::new().body(new_user()))
        .example("users.accounts.verify_email", async |run| {
            let new = new_user();
            run.http().post("/api/v1/users").json(&new).send().await.unwrap();
            Example::new().body(json!({ "token": code(run, VERIFY, new["email"].as_str().unwrap()).await }))
        })
        .example("users.accounts.resend_verification", async |_| Example::new().body(json!({ "email": "a@example.org" })))
        .example("users.accounts.me", async |run| Example::new().by(&user(run).await.0, ME))
        .example("users.accounts.change_profile", async |run| {
            Example::new().by(&user(run).await.0, ME).if_match(1)
                .body(json!({ "name": "Ada L.", "username": format!("ada-{}", number()), "locale": "en", "avatar_url": "https://example.org/a.png" }))
        })
        .example("users.accounts.delete", async |run| Example::new().by(&user(run).await.0, ME))
        .example("users.accounts.export", async |run| Example::new().by(&user(run).await.0, ME))
        .example("users.accounts.change_password", async |run| {
            Example::new().by(&user(run).await.0, ME)
                .body(json!({ "current_password": PASSWORD, "new_password": "an analytical engine" }))
        })
        .example("users.accounts.change_email", async |run| {
            Example::new().by(&user(run).await.0, ME)
                .body(json!({ "email": format!("new{}@example.org", number()), "password": PASSWORD }))
        })
        .example("users.accounts.user", async |run| Example::new().param("id", user(run).await.0))
        .example("users.accounts.list", async |run| { user(run).await; Example::new().query("limit", 1) })
        .example("users.accounts.suspend", async |run| {
            Example::new().by("root", ADMIN).param("id", user(run).await.0).body(json!({ "reason": "spam" }))
        })
        .example("users.accounts.unsuspend", async |run| {
            let (id, _) = user(run).await;
            let token = run.token("root", ADMIN);
            let suspend = run.http().post(format!("/api/v1/users/{id}/suspend")).token(&token);
            assert_eq!(suspend.json(&json!({ "reason": "spam" })).send().await.unwrap().status, 200);
            Example::new().by("root", ADMIN).param("id", id)
        })
        .example("users.accounts.unlock", async |run| Example::new().by("root", ADMIN).param("id", user(run).await.0))
        .example("users.auth.login", async |run| {
            Example::new().body(json!({ "email": user(run).await.1, "password": PASSWORD, "device": "a test" }))
        })
        .example("users.auth.refresh", async |run| {
            Example::new().body(json!({ "refresh_token": tokens(run).await.1["refresh_token"] }))
        })
        .example("users.auth.logout", async |run| Example::new().by(&user(run).await.0, ME))
        .example("users.auth.logout_all", async |run| Example::new().by(&user(run).await.0, ME))
        .example("users.auth.forgot_password", async |_| Example::new().body(json!({ "email": "a@example.org" })))
        .example("users.auth.reset_password", async |run| {
            let (_, email) = user(run).await;
            Example::new().body(json!({ "token": code(run, RESET, &email).await, "new_password": "an analytical engine" }))
        })
        .example("users.auth.revocations", async |_| Example::new().by("service:gateway", &["service"]))
        .example("users.sessions.list", async |run| Example::new().by(&tokens(run).await.0, ME))
        .example("users.sessions.end_others", async |run| Example::new().by(&tokens(run).await.0, ME))
        .example("users.sessions.end", async |run| {
            let (id, tokens) = tokens(run).await;
            let sid = crate::support::claims(tokens["access_token"].as_str().unwrap())["sid"].clone();
            Example::new().by(&id, ME).param("sid", sid.as_str().unwrap())
        })
        .example("users.clients.create", async |_| {
            Example::new().by("root", ADMIN).body(json!({ "id": format!("client-{}", number()), "roles": ["auditor"], "scopes": ["a:b"] }))
        })
        .example("users.clients.list", async |_| Example::new().by("root", ADMIN))
        .example("users.clients.remove", async |run| {
            let id = format!("client-{}", number());
            let token = run.token("root", ADMIN);
            run.http().post("/api/v1/clients").token(&token).json(&json!({ "id": id })).send().await.unwrap();
            Example::new().by("root", ADMIN).param("id", id)
        })
        .example("users.seed_users.register", async |_| Example::new().body(new_user()))
        .example("users.seed_users.user", async |run| Example::new().param("id", user(run).await.0))
        .skip("users.accounts.verify_email", Case::OddValues, once)
        .run()
        .await
        .unwrap();
    assert!(report.passed() > 400, "{}", report.passed());
}
