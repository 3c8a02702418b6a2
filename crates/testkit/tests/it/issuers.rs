//! A service that issues tokens, in a system that believes it: from the first request on, and no longer than it may.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::routing::get;
use futures_util::stream;
use partie::Service;
use partie::identity::{Algorithm, Grant, Revocation, RevocationNews, Signer, jwk_set};
use partie_contract::{Call, EventStream, Outcome, StreamItem, contract};
use partie_testkit::{Http, TestRun, TestSystem};
use serde::Serialize;
use tokio::sync::{broadcast, watch};

const ISSUER: &str = "https://users.example";
/// How long any of this may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Gives out tokens, and takes them back.
#[contract(service = "users", version = 1)]
trait Sessions {
    /// Tell what is taken back.
    #[get("/auth/revocations/stream", role = "service")]
    async fn revocations(&self, cx: &Call) -> Outcome<EventStream<RevocationNews>>;
}

/// Somebody else's service, which believes the tokens too.
#[contract(service = "desk", version = 1)]
trait Desk {
    /// Say who asks.
    #[get("/whoami", role = "customer")]
    async fn whoami(&self, cx: &Call) -> Outcome<String>;
}

struct Clerk;

impl Desk for Clerk {
    async fn whoami(&self, cx: &Call) -> Outcome<String> {
        Ok(cx.caller().subject().unwrap_or_default().to_owned())
    }
}

/// The service as its test holds it.
#[derive(Clone)]
struct Users {
    /// The keys it publishes; the last one signs.
    keys: Arc<Mutex<Vec<Signer>>>,
    news: broadcast::Sender<Revocation>,
    /// Whether streams are cut off, and new ones refused.
    cut: watch::Sender<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    issuer: &'static str,
    audience: &'static str,
}

impl Users {
    fn new() -> Self {
        let keys = Arc::new(Mutex::new(vec![signer()]));
        Self { keys, news: broadcast::channel(16).0, cut: watch::Sender::new(false) }
    }

    fn service(&self) -> Service {
        let (state, jwks) = (self.clone(), self.clone());
        Service::new("users")
            .issues_tokens()
            .settings(&Settings { issuer: ISSUER, audience: "test" })
            .start(async |_| Ok(state))
            .serve(Sessions::routes())
            .router(move |_| {
                axum::Router::new()
                    .route("/.well-known/jwks.json", get(move || std::future::ready(jwks.jwks())))
            })
            .into()
    }

    fn jwks(&self) -> String {
        jwk_set(self.keys.lock().unwrap().iter().map(Signer::jwk)).to_string()
    }

    fn token(&self, subject: &str, session: &str) -> String {
        let grant = Grant::new("test", subject, Duration::from_secs(300)).role("customer").session(session);
        self.keys.lock().unwrap().last().unwrap().issue(&grant).unwrap()
    }

    fn revoke(&self, session: &str) {
        let until = partie_runtime::trust_now() + 300;
        let session = Some(session.to_owned());
        self.news.send(Revocation { session, subject: None, issued_before: 0, until }).unwrap();
    }
}

impl Sessions for Users {
    async fn revocations(&self, _: &Call) -> Outcome<EventStream<RevocationNews>> {
        let (news, cut) = (self.news.subscribe(), self.cut.subscribe());
        Ok(EventStream::new(stream::unfold((true, news, cut), |(first, mut news, mut cut)| async move {
            let mut revocations = Vec::new();
            if !first {
                tokio::select! {
                    revocation = news.recv() => revocations.push(revocation.unwrap()),
                    () = tokio::time::sleep(Duration::from_millis(50)) => {}
                    _ = cut.wait_for(|cut| *cut) => {}
                }
            }
            if *cut.borrow_and_update() {
                return None;
            }
            let at = partie_runtime::trust_now() * 1000;
            let data = RevocationNews { at, complete: first, revocations };
            Some((Ok(StreamItem { id: None, event: "revocations".into(), data }), (false, news, cut)))
        })))
    }
}

fn signer() -> Signer {
    Signer::from_pkcs8(&Signer::generate(Algorithm::Es256).unwrap(), ISSUER).unwrap()
}

async fn start(users: &Users, change: fn(&mut partie::Config)) -> TestRun {
    let system = TestSystem::new().service(users.service()).fake(Desk::routes(), Clerk);
    system.configure(change).start().await
}

async fn whoami(http: &Http, token: &str) -> (u16, String) {
    let answer = http.get("/api/v1/whoami").token(token).send().await.unwrap();
    (answer.status, answer.text())
}

/// Asks until the answer has that status.
async fn until(http: &Http, token: &str, status: u16) -> String {
    let asked = async {
        loop {
            let (answered, text) = whoami(http, token).await;
            if answered == status {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, asked).await.unwrap()
}

#[tokio::test]
async fn its_tokens_are_believed_at_the_edge_and_by_every_service_from_the_first_request_on() {
    let users = Users::new();
    let run = start(&users, |_| {}).await;
    assert_eq!(whoami(&run.http(), &users.token("ann", "s-1")).await, (200, "\"ann\"".to_owned()));
    let ready = run.http().get("/health/ready").send().await.unwrap();
    assert_eq!((ready.status, &ready.json()["services"]["identity"]), (200, &"ready".into()));
    let shown = run.http().get("/.well-known/jwks.json").send().await.unwrap().json();
    let kid = users.keys.lock().unwrap()[0].kid().to_owned();
    let shown = shown["keys"].as_array().unwrap();
    assert!(shown.len() == 2 && shown.iter().any(|key| key["kid"] == kid), "{shown:?}");
    // Whoever it is, he is none of the system's own services.
    let grant = Grant::new("test", "service:desk", Duration::from_secs(60)).role("service");
    let forged = users.keys.lock().unwrap()[0].issue(&grant).unwrap();
    assert_eq!(whoami(&run.http(), &forged).await.0, 401);
    run.stop().await;
}

#[tokio::test]
async fn a_key_that_signs_before_anybody_knows_it_is_learned_at_once() {
    let users = Users::new();
    let run = start(&users, |_| {}).await;
    let before = users.token("ann", "s-1");
    assert_eq!(whoami(&run.http(), &before).await.0, 200);
    users.keys.lock().unwrap().push(signer());
    assert_eq!(whoami(&run.http(), &users.token("ann", "s-1")).await.0, 200);
    assert_eq!(whoami(&run.http(), &before).await.0, 200);
    run.stop().await;
}

#[tokio::test]
async fn a_session_that_is_revoked_is_refused_within_a_second_although_its_token_is_remembered() {
    let users = Users::new();
    let run = start(&users, |_| {}).await;
    let (one, other) = (users.token("ann", "s-1"), users.token("ann", "s-2"));
    assert_eq!(whoami(&run.http(), &one).await.0, 200);
    users.revoke("s-1");
    let begun = partie_runtime::monotonic();
    let refused = until(&run.http(), &one, 401).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(refused.contains("revoked"), "{refused}");
    assert_eq!(whoami(&run.http(), &other).await.0, 200);
    run.stop().await;
}

#[tokio::test]
async fn while_nothing_is_heard_only_tokens_that_were_issued_later_are_taken() {
    let users = Users::new();
    let run = start(&users, |config| {
        config.identity.issuers.get_mut("users").unwrap().silence = Duration::from_millis(300);
    })
    .await;
    let before = users.token("ann", "s-1");
    assert_eq!(whoami(&run.http(), &before).await.0, 200);
    users.cut.send_replace(true);
    let refused = until(&run.http(), &before, 401).await;
    assert!(refused.contains("renew it"), "{refused}");
    // Seconds are the finest a token says: one of the next second was issued after the last news.
    let later = async {
        loop {
            let token = users.token("ann", "s-1");
            if whoami(&run.http(), &token).await.0 == 200 {
                return token;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, later).await.unwrap();
    users.cut.send_replace(false);
    until(&run.http(), &before, 200).await;
    run.stop().await;
}

#[tokio::test]
async fn who_fails_open_goes_on_with_what_is_known() {
    let users = Users::new();
    users.cut.send_replace(true);
    let run = start(&users, |config| {
        let issuer = config.identity.issuers.get_mut("users").unwrap();
        (issuer.silence, issuer.fail_open) = (Duration::from_millis(1), true);
    })
    .await;
    assert_eq!(whoami(&run.http(), &users.token("ann", "s-1")).await.0, 200);
    run.stop().await;
}

#[tokio::test]
async fn a_system_that_has_not_heard_what_was_revoked_is_not_ready_and_takes_no_token() {
    let users = Users::new();
    users.cut.send_replace(true);
    let run = start(&users, |_| {}).await;
    let ready = run.http().get("/health/ready").send().await.unwrap();
    assert_eq!(ready.status, 503);
    assert!(
        ready.json()["services"]["identity"].as_str().unwrap().contains("revocations"),
        "{}",
        ready.text()
    );
    let token = users.token("ann", "s-1");
    assert_eq!(whoami(&run.http(), &token).await.0, 503);
    users.cut.send_replace(false);
    until(&run.http(), &token, 200).await;
    assert_eq!(run.http().get("/health/ready").send().await.unwrap().status, 200);
    run.stop().await;
}
