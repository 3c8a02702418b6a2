//! A running system with an empty database and a clock that stands, and what people do with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use notifications::last_mail;
use partie::contract::{Outcome, Timestamp};
use partie::runtime::{Clock, Stepper};
use partie::{Config, Environment, Running};
use partie_testkit::{Answer, Http, HttpRequest};
use serde_json::{Value, json};
use users_accounts::Settings;

/// A Friday.
const START: &str = "2026-07-03T12:00:00Z";
pub(crate) const PASSWORD: &str = "a difference engine";

/// The system, on data of its own that is gone afterwards.
pub(crate) struct App {
    pub(crate) running: Arc<Running>,
    stepper: Stepper,
    data: PathBuf,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Settings with hashes that cost nothing.
pub(crate) fn cheap() -> Settings {
    let mut settings = Settings::default();
    settings.passwords.memory_kib = 64;
    settings.passwords.passes = 1;
    settings.passwords.queue = 1_000;
    settings.admins = vec!["root@example.org".to_owned()];
    settings
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::with(cheap()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::configured(settings, |_| {}).await
    }

    pub(crate) async fn configured(settings: Settings, configure: impl FnOnce(&mut Config)) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let data = std::env::temp_dir().join(format!("partie-users-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&data).unwrap();
        let system = users::system_with(&settings);
        let mut config = system.defaults().clone();
        config.data.clone_from(&data);
        config.gateway.listen.set_port(0);
        config.gateway.workers = Some(0);
        config.registry.consul = false;
        // Every closure runs twice and has to do the same both times.
        config.store.run_twice = true;
        configure(&mut config);
        let (clock, stepper) = Clock::stepped(START.parse().unwrap());
        let environment = Environment { clock, ..Environment::default() };
        let running = Box::pin(system.launch(config, environment)).await.unwrap();
        let app = Self { running, stepper, data };
        // It has to learn its own keys, as every process of a system does.
        while send(app.http().get("/health/ready")).await.status != 200 {
            tokio::task::yield_now().await;
        }
        app
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn http(&self) -> Http {
        Http::new(self.running.address())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.running.clock().now()
    }

    /// Moves business time on and waits until what follows is done.
    pub(crate) async fn step(&self, by: Duration) {
        let busy = self.running.activity().begin();
        self.stepper.step_to(self.now() + by, &busy);
        drop(busy);
        self.settled().await;
    }

    pub(crate) async fn settled(&self) {
        self.running.activity().quiet().await;
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.http().post(path).json(&body)).await
    }

    /// A request in somebody's name.
    pub(crate) async fn by(&self, who: &Session, request: HttpRequest) -> Answer {
        send(request.token(&who.access)).await
    }

    pub(crate) async fn register(&self, email: &str) -> Answer {
        self.post("/api/v1/users", json!({ "email": email, "password": PASSWORD })).await
    }

    /// The token in the last mail to somebody.
    pub(crate) async fn mailed_token(&self, to: &str) -> Option<String> {
        self.settled().await;
        let mail = last_mail(&self.data, to).unwrap()?;
        let (_, token) = mail.split_once("?token=")?;
        Some(token.split_whitespace().next()?.to_owned())
    }

    pub(crate) async fn verify(&self, email: &str) -> Answer {
        let token = self.mailed_token(email).await.unwrap();
        self.post("/api/v1/users/verify-email", json!({ "token": token })).await
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/api/v1/auth/login", json!({ "email": email, "password": password })).await
    }

    /// Registers, verifies and signs somebody in.
    pub(crate) async fn signed_in(&self, email: &str) -> Session {
        assert_eq!(self.register(email).await.status, 201);
        assert_eq!(self.verify(email).await.status, 200);
        self.session(email).await
    }

    /// Signs somebody in again.
    pub(crate) async fn session(&self, email: &str) -> Session {
        let answer = self.login(email, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        session(&answer)
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.post("/api/v1/auth/refresh", json!({ "refresh_token": token })).await
    }

    /// The types of the events about something, in order.
    pub(crate) async fn told(&self, subject: &str) -> Vec<String> {
        let (store, subject) = (self.running.store("users").unwrap(), subject.to_owned());
        let sql = "SELECT type FROM partie_outbox WHERE subject = $1 ORDER BY position";
        let told: Outcome<Vec<String>> =
            store.read(move |tx| Ok(tx.query(sql, &[&subject], |row| row.get(0))?)).await;
        told.unwrap()
    }

    /// A number the database knows.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let store = self.running.store("users").unwrap();
        let counted: Outcome<i64> = store.read(move |tx| Ok(tx.query_one(sql, &[], |row| row.get(0))?)).await;
        counted.unwrap()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.data).ok();
    }
}

/// What a login or a refresh gives.
pub(crate) fn session(answer: &Answer) -> Session {
    let tokens = answer.json();
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    let claims = claims(&access);
    Session {
        id: claims["sub"].as_str().unwrap().to_owned(),
        access,
        refresh: tokens["refresh_token"].as_str().unwrap().to_owned(),
    }
}

/// What a token says.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// A part of a token: 0 is its header.
pub(crate) fn part(token: &str, place: usize) -> Value {
    use base64::Engine as _;
    let text = token.split('.').nth(place).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// A request has an answer before long.
pub(crate) async fn send(request: HttpRequest) -> Answer {
    tokio::time::timeout(Duration::from_secs(30), request.send()).await.unwrap().unwrap()
}

/// An answer in short.
pub(crate) fn said(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code().unwrap_or_default())
}
