//! A running service with a phone network that does as it is told.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use food_contracts::NotificationId;
use food_contracts::notifications::{
    Channel, ListNotifications, NewNotification, Notification, NotificationsClient,
};
use food_notifications::{Message, Provider, ProviderError};
use partie::Config;
use partie::contract::Outcome;
use partie::messaging::Backoff;
use partie_testkit::{CallExt as _, TestRun, TestSystem};

pub(crate) const ANN: &str = "+491701234567";
/// Nobody has this number.
pub(crate) const NOBODY: &str = "+0000000";
/// Whoever calls this number waits.
pub(crate) const SILENCE: &str = "+1111111";
/// What a notification may be tried, in tests.
pub(crate) const ATTEMPTS: u32 = 3;

/// A phone network. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Phones(Arc<Network>);

#[derive(Default)]
struct Network {
    /// The ids of all calls.
    calls: Mutex<Vec<NotificationId>>,
    delivered: Mutex<Vec<Message>>,
    /// So many calls still fail.
    failures: Mutex<u32>,
}

/// The service, with that network.
pub(crate) struct App {
    pub(crate) run: TestRun,
    pub(crate) phones: Phones,
    pub(crate) client: NotificationsClient,
}

// === impl Phones ===

impl Phones {
    /// Lets that many calls fail.
    pub(crate) fn break_for(&self, calls: u32) {
        *self.0.failures.lock().unwrap() = calls;
    }

    /// What people read, in no particular order.
    pub(crate) fn texts(&self) -> Vec<String> {
        let delivered = self.0.delivered.lock().unwrap();
        let mut texts: Vec<_> = delivered.iter().map(|message| message.text.clone()).collect();
        texts.sort_unstable();
        texts
    }

    pub(crate) fn calls(&self) -> Vec<NotificationId> {
        self.0.calls.lock().unwrap().clone()
    }
}

impl Provider for Phones {
    async fn deliver(&self, message: &Message) -> Result<(), ProviderError> {
        self.0.calls.lock().unwrap().push(message.id);
        match message.recipient.as_str() {
            NOBODY => return Err(ProviderError::permanent("no such number")),
            SILENCE => pending().await,
            _ => {}
        }
        let mut failures = self.0.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(ProviderError::transient("the network is busy"));
        }
        self.0.delivered.lock().unwrap().push(message.clone());
        Ok(())
    }
}

// === impl App ===

impl App {
    pub(crate) async fn start() -> Self {
        Self::launch(|_| {}).await
    }

    /// One that does not wait long for the network.
    pub(crate) async fn impatient() -> Self {
        Self::launch(|config| config.messaging.jobs.timeout = Duration::from_secs(1)).await
    }

    async fn launch(change: fn(&mut Config)) -> Self {
        let phones = Phones::default();
        let provider = phones.clone();
        let run = TestSystem::named("food")
            .service(food_notifications::service_with(move |_| Ok(provider)))
            .configure(|config| {
                config.services["notifications"]["attempts"] = i64::from(ATTEMPTS).into();
                let (first, most) = (Duration::from_millis(1), Duration::from_millis(2));
                config.messaging.jobs.backoff = Backoff::new(first, most);
            })
            .configure(change)
            .start()
            .await;
        Self { client: run.client(), run, phones }
    }

    /// Waits until everything that follows from what was done is done.
    pub(crate) async fn settled(&self) {
        self.run.activity().quiet().await;
    }

    /// Sends a text and waits for what becomes of it.
    pub(crate) async fn text(&self, recipient: &str, text: &str) -> Notification {
        let sent = self.client.send(&self.run.call_as("service").keyed(), message(recipient, text)).await;
        self.settled().await;
        self.look(sent.unwrap().0.id).await
    }

    pub(crate) async fn look(&self, id: NotificationId) -> Notification {
        self.client.notification(&self.run.call_as("admin"), id).await.unwrap().0
    }

    pub(crate) async fn list(&self, query: ListNotifications) -> Vec<Notification> {
        self.client.list(&self.run.call_as("admin"), query).await.unwrap().data
    }

    /// The types of the events about a notification, in order.
    pub(crate) async fn said(&self, id: NotificationId) -> Vec<String> {
        let (store, subject) = (self.run.store("notifications").unwrap(), id.to_string());
        let sql = "SELECT type FROM partie_outbox WHERE subject = $1 ORDER BY position";
        let said: Outcome<Vec<String>> =
            store.read(move |tx| Ok(tx.query(sql, &[&subject], |row| row.get(0))?)).await;
        said.unwrap()
    }
}

/// Somebody is to read a text, once.
pub(crate) fn message(recipient: &str, text: &str) -> NewNotification {
    NewNotification {
        channel: Channel::Sms,
        recipient: recipient.to_owned(),
        template: "message".to_owned(),
        variables: [("message".to_owned(), text.to_owned())].into(),
        dedupe_key: text.to_owned(),
        until: None,
    }
}
