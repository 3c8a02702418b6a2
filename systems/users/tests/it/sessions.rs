//! Sessions: seen, ended from here and elsewhere, and told to everybody who verifies tokens.

use std::time::Duration;

use serde_json::Value;

use crate::support::{App, Session, claims, said};

async fn list(app: &App, who: &Session) -> Vec<Value> {
    let answer = app.by(who, app.http().get("/api/v1/users/me/sessions")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].as_array().unwrap().clone()
}

fn sid(of: &Session) -> String {
    claims(&of.access)["sid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn asvs_7_5_2_one_sees_and_ends_one_s_sessions() {
    let app = App::start().await;
    let (one, two) = (app.signed_in("ada@example.org").await, app.session("ada@example.org").await);
    let eve = app.signed_in("eve@example.org").await;
    let seen = list(&app, &two).await;
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0]["id"].as_str(), Some(&*sid(&two)));
    assert_eq!((seen[0]["current"].as_bool(), seen[1]["current"].as_bool()), (Some(true), Some(false)));
    assert_eq!(seen[0]["address"], "127.0.0.1");

    let end =
        |who, of: &Session| app.by(who, app.http().delete(format!("/api/v1/users/me/sessions/{}", sid(of))));
    assert_eq!(said(&end(&eve, &one).await), (404, "session-not-found".into()), "others' do not exist");
    assert_eq!(end(&two, &one).await.status, 204);
    assert_eq!(end(&two, &one).await.status, 204, "it has ended");
    assert_eq!(app.refresh(&one.refresh).await.status, 401);
    assert_eq!(list(&app, &two).await.len(), 1);

    let three = app.session("ada@example.org").await;
    assert_eq!(app.by(&three, app.http().delete("/api/v1/users/me/sessions")).await.status, 204);
    assert_eq!(app.refresh(&two.refresh).await.status, 401);
    assert_eq!(app.refresh(&three.refresh).await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn asvs_7_4_1_a_logout_is_the_end_at_once() {
    let app = App::start().await;
    let (one, two) = (app.signed_in("ada@example.org").await, app.session("ada@example.org").await);
    assert_eq!(app.by(&one, app.http().post("/api/v1/auth/logout")).await.status, 204);
    assert_eq!(app.by(&one, app.http().get("/api/v1/users/me")).await.status, 401);
    assert_eq!(app.refresh(&one.refresh).await.status, 401);
    assert_eq!(app.by(&two, app.http().get("/api/v1/users/me")).await.status, 200);
    let three = app.session("ada@example.org").await;
    assert_eq!(app.by(&two, app.http().post("/api/v1/auth/logout-all")).await.status, 204);
    for session in [&two, &three] {
        assert_eq!(app.by(session, app.http().get("/api/v1/users/me")).await.status, 401);
    }
    assert_eq!(app.told(&sid(&two)).await, ["session.started", "session.revoked"]);
    app.stop().await;
}

#[tokio::test]
async fn somebody_has_a_hundred_sessions_at_most() {
    let app = App::start().await;
    let first = app.signed_in("ada@example.org").await;
    for _ in 0..100 {
        app.session("ada@example.org").await;
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await, 100);
    assert_eq!(app.refresh(&first.refresh).await.status, 401, "the oldest went");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_verifies_tokens_hears_of_the_end_within_a_second() {
    let app = App::start().await;
    let ada = app.signed_in("ada@example.org").await;
    let before = app.session("ada@example.org").await;
    app.by(&before, app.http().post("/api/v1/auth/logout")).await;
    let service = app.running.token("service:gateway", &["service"]).unwrap();
    let mut stream = app.http().get("/api/v1/auth/revocations/stream").token(&service).open().await.unwrap();
    assert_eq!(stream.status, 200);
    let next = async |stream: &mut partie_testkit::Open| -> Value {
        let event = tokio::time::timeout(Duration::from_secs(5), stream.event()).await.unwrap();
        serde_json::from_str(&event.unwrap().unwrap().data).unwrap()
    };
    let names = |news: &Value| -> Vec<String> {
        let all = news["revocations"].as_array().unwrap().iter();
        all.filter_map(|one| one["session"].as_str().map(str::to_owned)).collect()
    };
    let mut first = next(&mut stream).await;
    assert_eq!(first["complete"], true);
    // What committed between the last look and this one comes as news.
    for _ in 0..5 {
        if names(&first).is_empty() {
            first = next(&mut stream).await;
        }
    }
    assert_eq!(names(&first), [sid(&before)]);

    let ended = partie::runtime::monotonic();
    app.by(&ada, app.http().post("/api/v1/auth/logout")).await;
    let mut heard = names(&next(&mut stream).await);
    for _ in 0..5 {
        if heard.is_empty() {
            heard = names(&next(&mut stream).await);
        }
    }
    assert_eq!(heard, [sid(&ada)]);
    assert!(ended.elapsed() < Duration::from_secs(1), "{:?}", ended.elapsed());
    // And there is a sign of life each second, later than the one before.
    let (one, two) = (next(&mut stream).await, next(&mut stream).await);
    assert!(two["at"].as_i64() > one["at"].as_i64() || two["at"] == one["at"]);
    app.stop().await;
}
