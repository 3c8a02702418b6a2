//! Refresh tokens: good once, the same successor for the impatient, the end for thieves.

use std::time::Duration;

use futures_util::future::join_all;

use crate::support::{App, claims, said, session};

#[tokio::test]
async fn a_token_is_traded_for_another_and_the_session_stays() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    let next = session(&app.refresh(&ada.refresh).await);
    assert_ne!(next.refresh, ada.refresh);
    assert_eq!(claims(&next.access)["sid"], claims(&ada.access)["sid"]);
    let third = session(&app.refresh(&next.refresh).await);
    assert_ne!(third.refresh, next.refresh);
    for bad in ["", "x", &ada.refresh[1..], &ada.access] {
        assert_eq!(said(&app.refresh(bad).await), (401, "invalid-refresh-token".into()), "{bad}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_refreshes_with_one_token_have_one_successor() {
    let app = App::start().await;
    let mut ada = app.signed_in("ada@example.org").await;
    for _ in 0..5 {
        let all = join_all((0..20).map(|_| app.refresh(&ada.refresh))).await;
        let successors: Vec<_> = all.iter().map(session).collect();
        assert!(successors.iter().all(|one| one.refresh == successors[0].refresh));
        ada = successors[0].clone();
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await, 1);
    app.stop().await;
}

#[tokio::test]
async fn within_the_grace_the_impatient_stay_signed_in() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    let next = session(&app.refresh(&ada.refresh).await);
    app.step(Duration::from_secs(9)).await;
    assert_eq!(session(&app.refresh(&ada.refresh).await).refresh, next.refresh);
    app.stop().await;
}

#[tokio::test]
async fn asvs_10_4_5_a_token_that_comes_again_later_ends_the_session() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    let other = app.session("ada@example.org").await;
    let next = session(&app.refresh(&ada.refresh).await);
    app.step(Duration::from_secs(11)).await;
    assert_eq!(app.refresh(&ada.refresh).await.status, 401);
    assert_eq!(app.refresh(&next.refresh).await.status, 401, "the honest one is out too");
    assert_eq!(app.refresh(&other.refresh).await.status, 200, "other sessions stay");
    let sid = claims(&ada.access)["sid"].as_str().unwrap().to_owned();
    assert_eq!(app.told(&sid).await, ["session.started", "session.revoked", "token.reuse_detected"]);
    app.stop().await;
}

#[tokio::test]
async fn asvs_7_3_1_a_session_ends_when_idle_and_7_3_2_at_the_latest() {
    let app = App::start().await;
    let day = Duration::from_secs(24 * 3600);
    let ada = app.signed_in("ada@example.org").await;
    app.step(day * 14).await;
    assert_eq!(app.refresh(&ada.refresh).await.status, 401, "idle");
    let mut ada = app.session("ada@example.org").await;
    for _ in 0..8 {
        app.step(day * 10).await;
        ada = session(&app.refresh(&ada.refresh).await);
    }
    app.step(day * 10).await;
    assert_eq!(app.refresh(&ada.refresh).await.status, 401, "ninety days old");
    app.stop().await;
}
