//! Registration, and the proof that an address is somebody's.

use std::time::Duration;

use futures_util::future::join_all;
use notifications::last_mail;
use partie::Config;
use serde_json::json;

use crate::support::{App, PASSWORD, cheap, said};

#[tokio::test]
async fn from_registration_to_the_first_token() {
    let app = App::start().await;
    let answer = app.register("Ada@Example.org").await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let user = answer.json();
    let id = user["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), Some(&*format!("/api/v1/users/{id}")));
    assert_eq!(
        (user["status"].as_str(), user["email"].as_str()),
        (Some("pending_verification"), Some("Ada@Example.org"))
    );
    assert_eq!(user["roles"], json!(["user"]));
    assert!(!answer.text().contains("password"), "{}", answer.text());

    assert_eq!(said(&app.login("ada@example.org", PASSWORD).await), (403, "email-unverified".into()));
    let verified = app.verify("ada@example.org").await;
    assert_eq!((verified.status, verified.json()["status"].as_str()), (200, Some("active")));
    let session = app.session("ada@example.ORG").await;
    assert_eq!(session.id, id);
    assert_eq!(app.told(&id).await, ["user.registered", "user.email_verified"]);
    app.stop().await;
}

#[tokio::test]
async fn links_lead_to_where_the_system_is() {
    let link = async |app: &App| {
        app.register("ada@example.org").await;
        app.settled().await;
        let mail = last_mail(app.data(), "ada@example.org").unwrap().unwrap();
        mail.split_whitespace().find_map(|word| word.split_once("?token=")).unwrap().0.to_owned()
    };
    // A free port, whichever it is.
    let app = App::start().await;
    assert_eq!(link(&app).await, format!("{}/verify-email", app.running.url()));
    app.stop().await;

    let public = |config: &mut Config| {
        config.public_url = Some("https://users.example.org/".to_owned().try_into().unwrap());
    };
    let app = App::configured(cheap(), public).await;
    assert_eq!(link(&app).await, "https://users.example.org/verify-email");
    app.stop().await;

    let mut settings = cheap();
    settings.verify_link = "https://app.example.org/verify".to_owned();
    let app = App::configured(settings, public).await;
    assert_eq!(link(&app).await, "https://app.example.org/verify");
    app.stop().await;
}

#[tokio::test]
async fn a_mail_with_a_link_is_worth_sending_as_long_as_the_link() {
    let app = App::start().await;
    let root = app.signed_in("root@example.org").await;
    app.post("/api/v1/auth/password/forgot", json!({ "email": "root@example.org" })).await;
    app.settled().await;
    let listed = app.by(&root, app.http().get("/api/v1/notifications?recipient=root@example.org")).await;
    let mails = listed.json()["data"].as_array().unwrap().clone();
    assert_eq!(mails.len(), 2, "{}", listed.text());
    let at = |mail: &serde_json::Value, name: &str| {
        mail[name].as_str().unwrap().parse::<partie::contract::Timestamp>().unwrap()
    };
    for mail in &mails {
        assert_eq!(at(mail, "until").since(at(mail, "created_at")), Duration::from_mins(10), "{mail}");
    }
    app.stop().await;
}

#[tokio::test]
async fn what_is_taken_or_not_taken() {
    let app = App::start().await;
    let new =
        |email: &str, username: &str| json!({ "email": email, "password": PASSWORD, "username": username });
    assert_eq!(app.post("/api/v1/users", new("ada@example.org", "ada")).await.status, 201);
    for (body, status, code) in [
        (new("ADA@example.org", "lovelace"), 409, "email-taken"),
        (new("byron@example.org", "ADA"), 409, "username-taken"),
        (json!({ "email": "b@example.org", "password": "short" }), 422, "password-rejected"),
        (json!({ "email": "b@example.org", "password": "Password1" }), 422, "password-rejected"),
        (json!({ "email": "byron@example.org", "password": "xbyron@example.org" }), 422, "password-rejected"),
        (json!({ "email": "b@example.org", "password": "x".repeat(1025) }), 422, "password-rejected"),
        (
            json!({ "email": "b@example.org", "password": PASSWORD, "roles": ["admin"] }),
            422,
            "role-not-offered",
        ),
        (
            json!({ "email": "b@example.org", "password": PASSWORD, "roles": ["service"] }),
            422,
            "role-not-offered",
        ),
        (json!({ "email": "b", "password": PASSWORD }), 422, "validation-failed"),
        (
            json!({ "email": "b@example.org", "password": PASSWORD, "name": "a\u{1}b" }),
            422,
            "validation-failed",
        ),
        (
            json!({ "email": "b@example.org", "password": PASSWORD, "locale": "en_GB" }),
            422,
            "validation-failed",
        ),
        (
            json!({ "email": "b@example.org", "password": PASSWORD, "is_admin": true }),
            422,
            "validation-failed",
        ),
        (json!({ "email": "b@example.org" }), 422, "validation-failed"),
    ] {
        let answer = app.post("/api/v1/users", body.clone()).await;
        assert_eq!(said(&answer), (status, code.to_owned()), "{body}");
    }
    // The reason is for programs.
    let weak = app.post("/api/v1/users", json!({ "email": "b@example.org", "password": "password" })).await;
    assert_eq!(weak.json()["reason"], "common");
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 1);
    app.stop().await;
}

#[tokio::test]
async fn asvs_6_5_1_a_token_is_good_once_and_6_5_5_for_ten_minutes() {
    let app = App::start().await;
    app.register("ada@example.org").await;
    let token = app.mailed_token("ada@example.org").await.unwrap();
    let verify =
        async |token: &str| said(&app.post("/api/v1/users/verify-email", json!({ "token": token })).await);
    let gone = (410, "one-time-token-expired".to_owned());
    for other in
        ["", "x", &token[1..], &format!("{token}x"), &token.replace(|c: char| c.is_ascii_digit(), "a")]
    {
        assert_eq!(verify(other).await, gone, "{other}");
    }
    assert_eq!(verify(&token).await.0, 200);
    assert_eq!(verify(&token).await, gone, "once");

    app.register("late@example.org").await;
    let late = app.mailed_token("late@example.org").await.unwrap();
    app.step(Duration::from_secs(601)).await;
    assert_eq!(verify(&late).await, gone, "late");
    let again = app.post("/api/v1/users/verify-email/resend", json!({ "email": "late@example.org" })).await;
    assert_eq!(again.status, 204);
    let fresh = app.mailed_token("late@example.org").await.unwrap();
    assert_ne!(fresh, late);
    assert_eq!(verify(&fresh).await.0, 200);
    app.stop().await;
}

#[tokio::test]
async fn whether_there_is_an_account_is_not_told_where_that_is_asked_for() {
    let app = App::start().await;
    app.register("ada@example.org").await;
    let mut answers = Vec::new();
    for email in ["ada@example.org", "nobody@example.org"] {
        for path in ["/api/v1/users/verify-email/resend", "/api/v1/auth/password/forgot"] {
            let answer = app.post(path, json!({ "email": email })).await;
            answers.push((answer.status, answer.text()));
        }
    }
    assert!(answers.iter().all(|answer| *answer == (204, String::new())), "{answers:?}");
    assert_eq!(app.mailed_token("nobody@example.org").await, None);
    app.stop().await;

    let mut settings = cheap();
    settings.enumeration_safe = true;
    let app = App::with(settings).await;
    let first = app.register("ada@example.org").await;
    let token = app.mailed_token("ada@example.org").await;
    assert!(token.is_some());
    let again = app.register("ada@example.org").await;
    assert_eq!((first.status, first.text()), (202, String::new()));
    assert_eq!((again.status, again.text()), (202, String::new()));
    // The second mail says that there is an account.
    assert_eq!(app.mailed_token("ada@example.org").await, None);
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 1);
    app.stop().await;
}

#[tokio::test]
async fn an_address_is_flooded_with_five_mails_at_most() {
    let app = App::start().await;
    app.register("ada@example.org").await;
    for _ in 0..10 {
        app.post("/api/v1/users/verify-email/resend", json!({ "email": "ada@example.org" })).await;
    }
    app.settled().await;
    assert_eq!(app.count("SELECT COUNT(*) FROM one_time_tokens").await, 5);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_registrations_of_one_address_make_one_account() {
    let app = App::start().await;
    let all = join_all((0..200).map(|_| app.register("ada@example.org"))).await;
    let statuses: Vec<u16> = all.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 199, "{statuses:?}");
    assert_eq!(app.count("SELECT COUNT(*) FROM users").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM partie_outbox WHERE type = 'user.registered'").await, 1);
    app.stop().await;
}

#[tokio::test]
async fn the_tutorial_registers_too() {
    let app = App::start().await;
    let answer =
        app.post("/users/register", json!({ "email": "ada@example.org", "password": PASSWORD })).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    app.verify("ada@example.org").await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let seen = crate::support::send(app.http().get(format!("/api/users/{id}"))).await;
    assert_eq!((seen.status, seen.json()["id"].as_str()), (200, Some(&*id)));
    assert!(!seen.text().contains("example.org"), "{}", seen.text());
    app.stop().await;
}
