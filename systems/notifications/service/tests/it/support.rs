//! A running service, and what is sent with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notifications_contracts::{
    Channel, NewNotification, NewWebhook, Notification, NotificationId, NotificationStatus as Status,
    NotificationsClient, WebhooksClient, Wording,
};
use partie::messaging::Backoff;
use partie_testkit::{CallExt as _, TestRun, TestSystem};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// A template with a secret.
pub(crate) const RESET: Wording = Wording {
    html: Some("<p>Hello {name}, <a href=\"{link}\">choose a new password</a>.</p>"),
    secrets: &["link"],
    ..Wording::mail("password-reset", "A new password, {name}", "Hello {name},\n\n{link}\n.\nBye, Ünal\n")
};
/// What a notification may be tried in a round, in tests.
pub(crate) const ATTEMPTS: u32 = 3;
/// The secret of the template.
pub(crate) const LINK: &str = "https://food.example/reset?token=t0ken";

/// The service.
pub(crate) struct App {
    pub(crate) run: TestRun,
    pub(crate) client: NotificationsClient,
}

// === impl App ===

impl App {
    /// With these settings, `[services.notifications]`.
    pub(crate) async fn start(settings: String) -> Self {
        Self::launch(settings, |system| system).await
    }

    /// The same, in a system that is changed before it starts.
    pub(crate) async fn launch(settings: String, change: impl FnOnce(TestSystem) -> TestSystem) -> Self {
        let system =
            TestSystem::named("post").service(notifications::service(&[&[RESET]])).configure(move |config| {
                let own = config.services["notifications"].as_table_mut().unwrap();
                own.insert("attempts".to_owned(), i64::from(ATTEMPTS).into());
                own.insert("patience".to_owned(), "0s".into());
                for (key, value) in settings.parse::<toml::Table>().unwrap() {
                    match (own.get_mut(&key).and_then(toml::Value::as_table_mut), value) {
                        (Some(table), toml::Value::Table(more)) => table.extend(more),
                        (_, value) => drop(own.insert(key, value)),
                    }
                }
                let (first, most) = (Duration::from_millis(1), Duration::from_millis(2));
                config.messaging.jobs.backoff = Backoff::new(first, most);
            });
        let run = change(system).start().await;
        Self { client: run.client(), run }
    }

    /// Sends it, without waiting for what becomes of it.
    pub(crate) async fn send(&self, new: NewNotification) -> Notification {
        self.client.send(&self.run.call_as("service").keyed(), new).await.unwrap().0
    }

    /// Sends it, and waits for what becomes of it.
    pub(crate) async fn sent(&self, new: NewNotification) -> Notification {
        let id = self.send(new).await.id;
        self.run.quiet().await;
        self.look(id).await
    }

    /// A dead letter: what went to an endpoint that was removed.
    pub(crate) async fn dead(&self) -> Notification {
        let webhooks: WebhooksClient = self.run.client();
        let admin = || self.run.call_as("admin").keyed();
        // What its name means is not on the public internet.
        let url = format!("https://localhost/{}", partie_testkit::fresh_key());
        let endpoint = webhooks.register(&admin(), NewWebhook { url: url.clone() }).await.unwrap().0;
        let queued = self.sent(of(Channel::Webhook, &url, "message", &[("message", "soup")])).await;
        webhooks.remove(&admin(), endpoint.id).await.unwrap();
        self.look(queued.id).await
    }

    pub(crate) async fn look(&self, id: NotificationId) -> Notification {
        self.client.notification(&self.run.call_as("admin"), id).await.unwrap().0
    }
}

/// Somebody gets that template, once.
pub(crate) fn of(channel: Channel, to: &str, template: &str, variables: &[(&str, &str)]) -> NewNotification {
    let variables: BTreeMap<_, _> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    NewNotification {
        channel,
        recipient: to.to_owned(),
        template: template.to_owned(),
        variables,
        dedupe_key: partie_testkit::fresh_key(),
        until: None,
    }
}

/// A mail with a link to reset a password.
pub(crate) fn reset(to: &str) -> NewNotification {
    of(Channel::Email, to, RESET.name, &[("name", "Ann"), ("link", LINK)])
}

/// Status, attempts, last error.
pub(crate) fn look(notification: &Notification) -> (Status, u32, &str) {
    (notification.status, notification.attempts, notification.last_error.as_deref().unwrap_or_default())
}

/// A directory with a certificate for `localhost`, its key, and the authority that has signed it.
pub(crate) fn certificates(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).unwrap();
    let mut params = CertificateParams::new(vec!["post".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let server =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(dir.join("server.pem"), server.pem()).unwrap();
    fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
    dir
}
