//! Webhooks: signed, repeated, disabled, and not everywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use notifications_contracts::{
    Channel, ListWebhooks, NewNotification, NewWebhook, Notification, NotificationError,
    NotificationStatus as Status, Webhook, WebhookError, WebhookSecret, WebhooksClient, verify_webhook,
};
use partie::contract::Fault;
use partie::runtime::trust_now;
use partie_testkit::CallExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::receiver::{Received, Receiver};
use crate::support::{ATTEMPTS, App, LINK, RESET, certificates, look, of, reset};

/// The service, which may send to this machine.
async fn app() -> App {
    App::start("[webhooks]\nallow-private = true\ntimeout = '1s'".to_owned()).await
}

impl App {
    fn webhooks(&self) -> WebhooksClient {
        self.run.client()
    }

    async fn register(&self, url: &str) -> Result<Webhook, Fault<WebhookError>> {
        let new = NewWebhook { url: url.to_owned() };
        self.webhooks().register(&self.run.call_as("admin").keyed(), new).await.map(|created| created.0)
    }

    async fn webhook(&self, id: notifications_contracts::EndpointId) -> Webhook {
        self.webhooks().webhook(&self.run.call_as("service"), id).await.unwrap().0
    }

    async fn tell(&self, url: &str) -> Notification {
        self.sent(soup(url)).await
    }
}

fn soup(url: &str) -> NewNotification {
    of(Channel::Webhook, url, "message", &[("message", "soup")])
}

fn secret(webhook: &Webhook) -> WebhookSecret {
    webhook.secret.as_ref().unwrap().parse().unwrap()
}

fn believed(received: &Received, secret: &WebhookSecret) -> bool {
    let header = |name: &str| received.headers[name].as_str();
    let (id, at, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    verify_webhook(&[secret], id, at, signature, received.body.as_bytes(), trust_now()).is_ok()
}

#[tokio::test]
async fn a_webhook_is_signed_with_the_secret_of_its_endpoint() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let endpoint = app.register(&receiver.url).await.unwrap();
    let sent = app.tell(&receiver.url).await;
    assert_eq!(look(&sent), (Status::Sent, 1, ""));
    let received = receiver.received();
    assert_eq!(received.len(), 1);
    let first = &received[0];
    assert_eq!(first.line, "POST /in?from=food HTTP/1.1");
    assert_eq!(first.headers["webhook-id"], sent.id.to_string());
    assert_eq!(first.headers["content-type"], "application/json");
    assert!(receiver.url.contains(&first.headers["host"]));
    let body: Value = serde_json::from_str(&first.body).unwrap();
    let at = sent.created_at.to_string();
    assert_eq!(body["type"], "message");
    assert_eq!(body["data"], json!({"message": "soup"}));
    assert!(body["timestamp"].as_str().unwrap() <= at.as_str());
    assert!(believed(first, &secret(&endpoint)));
    assert!(!believed(first, &WebhookSecret::new(vec![0; 32]).unwrap()));
    // The secret is told once.
    assert_eq!(app.webhook(endpoint.id).await.secret, None);
}

#[tokio::test]
async fn secrets_of_the_template_reach_the_receiver_alone() {
    let (app, receiver) = (app().await, Receiver::start().await);
    app.register(&receiver.url).await.unwrap();
    let new = of(Channel::Webhook, &receiver.url, RESET.name, &[("name", "Ann"), ("link", LINK)]);
    let sent = app.sent(new).await;
    assert!(sent.text.contains("***") && !sent.text.contains("t0ken"), "{}", sent.text);
    assert!(receiver.received()[0].body.contains("t0ken"));
}

#[tokio::test]
async fn a_rotated_secret_signs_beside_the_new_one() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let old = app.register(&receiver.url).await.unwrap();
    let admin = app.run.call_as("admin").keyed();
    let new = app.webhooks().rotate(&admin, old.id).await.unwrap().0;
    // Under the same key it is the same rotation.
    assert_eq!(app.webhooks().rotate(&admin, old.id).await.unwrap().0, new);
    assert!(new.rotates_until.is_some() && new.version == old.version + 1);
    app.tell(&receiver.url).await;
    let received = &receiver.received()[0];
    assert_eq!(received.headers["webhook-signature"].split(' ').count(), 2);
    assert!(believed(received, &secret(&old)) && believed(received, &secret(&new)));
}

#[tokio::test]
async fn a_failure_is_repeated_with_the_same_id_and_body() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let endpoint = app.register(&receiver.url).await.unwrap();
    receiver.refuse("503 Service Unavailable");
    // It took the request and closed the connection: nobody knows.
    receiver.answer("");
    let sent = app.tell(&receiver.url).await;
    assert_eq!(look(&sent), (Status::Sent, 3, ""));
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    for again in &received {
        assert_eq!(again.headers["webhook-id"], sent.id.to_string());
        assert_eq!(again.body, received[0].body);
        assert!(believed(again, &secret(&endpoint)));
    }
}

#[tokio::test]
async fn what_keeps_failing_is_a_dead_letter() {
    let (app, receiver) = (app().await, Receiver::start().await);
    app.register(&receiver.url).await.unwrap();
    let endless = format!("HTTP/1.1 200 OK\r\nx-endless: {}", "a".repeat(64 * 1024));
    let elsewhere = format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", receiver.url);
    for (answer, says) in [
        ("HTTP/1.1 500 Internal Server Error\r\n\r\n".to_owned(), "500"),
        ("HTTP/1.1 404 Not Found\r\n\r\n".to_owned(), "404"),
        (elsewhere, "redirects are not followed"),
        (endless, "too large"),
        ("220 mail.example ESMTP\r\n".to_owned(), "invalid HTTP"),
    ] {
        let before = receiver.received().len();
        for _ in 0..ATTEMPTS {
            receiver.answer(&answer);
        }
        let dead = app.tell(&receiver.url).await;
        assert_eq!((dead.status, dead.attempts), (Status::Dead, ATTEMPTS), "{says}");
        let error = dead.last_error.unwrap();
        assert!(error.contains(says), "{says}: {error}");
        // A redirect leads nowhere.
        assert_eq!(receiver.received().len(), before + ATTEMPTS as usize, "{says}");
    }
    // A body without an end is not waited for.
    receiver.answer("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_eq!(look(&app.tell(&receiver.url).await), (Status::Sent, 1, ""));
}

#[tokio::test]
async fn an_endpoint_gets_only_so_many_at_once() {
    let app = App::start("[webhooks]\nallow-private = true\nat-once = 1".to_owned()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://localhost:{}/in", listener.local_addr().unwrap().port());
    app.register(&url).await.unwrap();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen, (open, gate)) = (Arc::clone(&most), watch::channel(false));
    let slow = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (now, most, mut gate) = (Arc::clone(&now), Arc::clone(&most), gate.clone());
            tokio::spawn(async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let length = stream.read(&mut [0; 4096]).await.unwrap();
                assert!(length > 0);
                gate.wait_for(|is_open| *is_open).await.unwrap();
                now.fetch_sub(1, Ordering::SeqCst);
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            });
        }
    });
    let [first, second] = [app.send(soup(&url)).await.id, app.send(soup(&url)).await.id];
    // Both are on their way when a mail overtakes them.
    let mail = app.send(reset("ann@example.org")).await.id;
    for (id, status) in [(first, Status::Sending), (second, Status::Sending), (mail, Status::Sent)] {
        loop {
            match app.look(id).await.status {
                Status::Dead => panic!("it took too long"),
                now if now == status => break,
                _ => tokio::task::yield_now().await,
            }
        }
    }
    open.send(true).unwrap();
    app.run.quiet().await;
    for id in [first, second] {
        assert_eq!(app.look(id).await.status, Status::Sent);
    }
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    slow.abort();
}

#[tokio::test]
async fn over_tls_the_name_and_the_authority_count() {
    let dir = certificates("webhooks-tls");
    let receiver = Receiver::start_tls(&dir).await;
    let settings = "[webhooks]\nallow-private = true".to_owned();
    let strict = App::start(settings.clone()).await;
    let trusting = App::start(format!("{settings}\nca = '{}'", dir.join("ca.pem").display())).await;
    let elsewhere = receiver.url.replace("localhost", "127.0.0.1");
    for (app, url, says) in [
        (&trusting, &receiver.url, ""),
        (&strict, &receiver.url, "UnknownIssuer"),
        (&trusting, &elsewhere, "not valid for name"),
    ] {
        let endpoint = app.register(url).await.unwrap();
        let told = app.tell(url).await;
        if says.is_empty() {
            assert_eq!(look(&told), (Status::Sent, 1, ""));
            assert!(believed(&receiver.received()[0], &secret(&endpoint)));
        } else {
            assert_eq!((told.status, told.attempts), (Status::Dead, ATTEMPTS), "{url}");
            assert!(told.last_error.as_deref().unwrap().contains(says), "{told:?}");
        }
    }
    assert_eq!(receiver.received().len(), 1);
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_until_somebody_enables_it() {
    let (app, receiver) = (app().await, Receiver::start().await);
    let endpoint = app.register(&receiver.url).await.unwrap();
    receiver.refuse("410 Gone");
    let dead = app.tell(&receiver.url).await;
    assert_eq!((dead.status, dead.attempts), (Status::Dead, 1));
    assert!(app.webhook(endpoint.id).await.disabled_at.is_some());
    assert_eq!(app.tell(&receiver.url).await.status, Status::Suppressed);
    // An administrator puts back what he likes, and it is not sent either.
    app.client.requeue(&app.run.call_as("admin").keyed(), dead.id).await.unwrap();
    app.run.quiet().await;
    assert_eq!(app.look(dead.id).await.status, Status::Dead);
    assert_eq!(receiver.received().len(), 1);
    let enabled = app.webhooks().enable(&app.run.call_as("admin").keyed(), endpoint.id).await.unwrap().0;
    assert_eq!(enabled.disabled_at, None);
    assert_eq!(app.tell(&receiver.url).await.status, Status::Sent);
}

#[tokio::test]
async fn nothing_goes_to_addresses_that_are_not_public() {
    let (app, receiver) = (App::start(String::new()).await, Receiver::start().await);
    // Neither by number nor in the clear.
    for bad in [
        receiver.url.as_str(),
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://0.0.0.0/",
        "https://ann:pw@receiver.example/",
        "ftp://receiver.example/",
        "receiver.example",
    ] {
        let refused = app.register(bad).await.unwrap_err();
        assert!(matches!(refused, Fault::Domain(WebhookError::UrlInvalid { .. })), "{bad}: {refused:?}");
    }
    // A name that means one of them is found out when it is asked for, each time.
    let port = receiver.url.split([':', '/']).nth(4).unwrap();
    for name in [
        format!("https://localhost:{port}/"),
        format!("https://127.1:{port}/"),
        format!("https://2130706433:{port}/"),
    ] {
        app.register(&name).await.unwrap();
        let dead = app.tell(&name).await;
        assert_eq!((dead.status, dead.attempts), (Status::Dead, 1), "{name}");
        assert!(dead.last_error.unwrap().contains("not on the public internet"), "{name}");
    }
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn endpoints_are_registered_once_listed_and_removed() {
    let app = app().await;
    let [one, two] = ["http://localhost:1/one", "http://localhost:1/two"];
    let (first, second) = (app.register(one).await.unwrap(), app.register(two).await.unwrap());
    assert_ne!(first.secret, second.secret);
    let again = app.register(one).await.unwrap_err();
    assert!(matches!(again, Fault::Domain(WebhookError::Exists { id }) if id == first.id), "{again:?}");
    let admin = app.run.call_as("admin");
    let all = app.webhooks().list(&admin, ListWebhooks::default()).await.unwrap().data;
    assert_eq!(all.iter().map(|webhook| webhook.id).collect::<Vec<_>>(), [second.id, first.id]);
    assert!(all.iter().all(|webhook| webhook.secret.is_none()));
    app.webhooks().remove(&admin, first.id).await.unwrap();
    let gone = app.webhooks().remove(&admin, first.id).await.unwrap_err();
    assert!(matches!(gone, Fault::Domain(WebhookError::NotFound)), "{gone:?}");
    let unknown = app.client.send(&app.run.call_as("service").keyed(), soup(one)).await.unwrap_err();
    assert!(matches!(unknown, Fault::Domain(NotificationError::WebhookUnknown)), "{unknown:?}");
}
