//! Keys that take their turns while tokens are verified.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use partie::identity::Algorithm;

use crate::support::{App, Session, cheap, part, send, session};

/// Keys that live for seconds, as their tokens do.
fn hasty() -> users_accounts::Settings {
    let mut settings = cheap();
    settings.access_lifetime = Duration::from_secs(1);
    settings.keys.rotate_after = Duration::from_secs(2);
    settings.keys.publish_ahead = Duration::from_secs(1);
    settings.keys.retire_after = Duration::from_secs(2);
    settings
}

fn kid(of: &Session) -> String {
    part(&of.access, 0)["kid"].as_str().unwrap().to_owned()
}

/// The names of the keys the service shows.
async fn shown(app: &App) -> BTreeSet<String> {
    let keys = send(app.http().get("/.well-known/jwks.json")).await.json();
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn turning_keys_over_under_load_refuses_no_good_token() {
    let app = App::with(hasty()).await;
    let (over, verified) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut people = Vec::new();
    for number in 0..4 {
        people.push(app.signed_in(&format!("ada{number}@example.org")).await);
    }
    let load = join_all(people.into_iter().map(|mut who| {
        let (app, over, verified) = (&app, &over, &verified);
        async move {
            let mut kids = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                who = session(&app.refresh(&who.refresh).await);
                kids.insert(kid(&who));
                for _ in 0..10 {
                    let answer = app.by(&who, app.http().get("/api/v1/users/me")).await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    verified.fetch_add(1, Ordering::Relaxed);
                }
            }
            kids
        }
    }));
    let turn = async {
        let begun = partie::runtime::monotonic();
        while begun.elapsed() < Duration::from_secs(9) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (kids, ()) = tokio::join!(load, turn);
    let kids: BTreeSet<String> = kids.into_iter().flatten().collect();
    assert!(kids.len() >= 3, "{kids:?}");
    assert!(verified.load(Ordering::Relaxed) > 200);
    let rotated = app.count("SELECT COUNT(*) FROM partie_outbox WHERE type = 'key.rotated'").await;
    assert!(rotated >= 2, "{rotated}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_a_retired_key_is_refused_and_its_private_key_is_gone() {
    let app = App::with(hasty()).await;
    let old = app.signed_in("ada@example.org").await;
    assert_eq!(app.by(&old, app.http().get("/api/v1/users/me")).await.status, 200);
    let begun = partie::runtime::monotonic();
    let mut now = old.clone();
    // The token itself would be good for a minute, which clocks may differ by.
    while app.by(&old, app.http().get("/api/v1/users/me")).await.status == 200 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is still good");
        tokio::time::sleep(Duration::from_millis(200)).await;
        now = session(&app.refresh(&now.refresh).await);
        assert_eq!(app.by(&now, app.http().get("/api/v1/users/me")).await.status, 200);
    }
    assert_ne!(kid(&now), kid(&old));
    let gone = "SELECT COUNT(*) FROM signing_keys WHERE state = 'retired' AND sealed IS NULL";
    assert!(app.count(gone).await >= 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM signing_keys WHERE state = 'active'").await, 1);
    app.stop().await;
}

#[tokio::test]
async fn another_algorithm_signs_too() {
    let mut settings = cheap();
    settings.keys.algorithm = Algorithm::Es256;
    let app = App::with(settings).await;
    let ada = app.signed_in("ada@example.org").await;
    assert_eq!(part(&ada.access, 0)["alg"], "ES256");
    assert_eq!(app.by(&ada, app.http().get("/api/v1/users/me")).await.status, 200);
    assert!(shown(&app).await.contains(&kid(&ada)));
    app.stop().await;
}

#[tokio::test]
async fn asvs_9_1_tokens_of_others_and_broken_ones_are_refused() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    let parts: Vec<&str> = ada.access.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("{}", ada.access) };
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let none = encode(r#"{"typ":"at+jwt","alg":"none"}"#);
    let other = encode(&format!(r#"{{"typ":"at+jwt","alg":"HS256","kid":"{}"}}"#, kid(&ada)));
    let admin = encode(&part(&ada.access, 1).to_string().replace("\"user\"", "\"admin\""));
    for token in [
        format!("{none}.{claims}."),
        format!("{other}.{claims}.{signature}"),
        format!("{header}.{admin}.{signature}"),
        format!("{header}.{claims}.{}", encode("no signature")),
        format!("{header}.{claims}"),
        "x".repeat(9_000),
        "%%%".to_owned(),
    ] {
        let answer = send(app.http().get("/api/v1/users/me").token(&token)).await;
        assert_eq!(answer.status, 401, "{token}");
        assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"));
    }
    app.stop().await;
}
