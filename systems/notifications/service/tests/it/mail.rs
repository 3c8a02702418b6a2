//! E-mail, by a real server and by the log of development.

use std::fs;
use std::path::Path;
use std::time::Duration;

use notifications_contracts::{Channel, NewNotification, NotificationError, NotificationStatus as Status};
use partie::contract::{Fault, Timestamp};
use partie_testkit::CallExt as _;
use partie_testservers::MailServer;
use serde_json::Value;

use crate::support::{ATTEMPTS, App, LINK, certificates, look, of, reset};

/// The service, with that server.
async fn app(server: &MailServer, url: &str, more: &str) -> App {
    App::start(settings(server, url, more)).await
}

fn settings(server: &MailServer, url: &str, more: &str) -> String {
    let url = url.replace("SERVER", &format!("localhost:{}", server.port()));
    format!("[mail]\nurl = '{url}'\nfrom = 'Food <food@food.example>'\n{more}\n")
}

fn noted(server: &MailServer) -> Vec<Value> {
    let notes = fs::read_to_string(server.notes()).unwrap();
    notes.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The mails it was given.
fn mails(server: &MailServer) -> Vec<Value> {
    noted(server).into_iter().filter(|note| note["what"] == "mail").collect()
}

const CLEAR: &str = "smtp://SERVER?tls=none";

#[tokio::test]
async fn a_mail_arrives_once_with_the_id_of_its_notification() {
    let server = MailServer::start(&[]);
    let app = app(&server, CLEAR, "").await;
    let new = reset("ann@example.org");
    let sent = app.sent(new.clone()).await;
    assert_eq!(look(&sent), (Status::Sent, 1, ""));
    assert_eq!((sent.subject.as_deref(), sent.text.contains("***")), (Some("A new password, Ann"), true));
    assert!(!format!("{sent:?}").contains("t0ken"), "{sent:?}");
    // Sent again it is the same notification.
    assert_eq!(app.sent(new).await.id, sent.id);
    let mails = mails(&server);
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail["from"], "food@food.example");
    assert_eq!(mail["id"], format!("<{}@food.example>", sent.id));
    let data = mail["data"].as_str().unwrap();
    for line in ["Subject: A new password, Ann\r\n", "To: ann@example.org\r\n", "multipart/alternative"] {
        assert!(data.contains(line), "{line}: {data}");
    }
    // What only the recipient reads is forgotten.
    let rows = "SELECT count(*) FROM notifications WHERE said IS NULL";
    let store = app.run.store("notifications").unwrap();
    let count: partie::Outcome<i64> =
        store.read(move |tx| Ok(tx.query_one(rows, &[], |row| row.get(0))?)).await;
    assert_eq!(count.unwrap(), 1);
}

#[tokio::test]
async fn one_connection_takes_several_mails() {
    let server = MailServer::start(&[]);
    let app = app(&server, CLEAR, "").await;
    for number in 0..3 {
        app.sent(reset(&format!("ann{number}@example.org"))).await;
    }
    let ports: Vec<_> = mails(&server).iter().map(|mail| mail["peer"].clone()).collect();
    assert_eq!(ports, vec![ports[0].clone(); 3]);
}

#[tokio::test]
async fn a_refusal_is_final_and_a_busy_server_is_asked_again() {
    let server = MailServer::start(&[]);
    let app = app(&server, CLEAR, "").await;
    let dead = app.sent(reset("nobody@example.org")).await;
    assert_eq!((dead.status, dead.attempts), (Status::Dead, 1));
    let error = dead.last_error.unwrap();
    assert!(error.contains("550") && error.contains("nobody of that name"), "{error}");
    let sent = app.sent(reset("busy-2@example.org")).await;
    assert_eq!((sent.status, sent.attempts), (Status::Sent, 3));
    let dead = app.sent(reset("busy-3@example.org")).await;
    assert_eq!((dead.status, dead.attempts), (Status::Dead, ATTEMPTS));
    assert!(dead.last_error.unwrap().contains("450"));
    assert_eq!(mails(&server).len(), 1);
    // A dead letter still knows what it has to say.
    app.client.requeue(&app.run.call_as("admin").keyed(), dead.id).await.unwrap();
    app.run.quiet().await;
    let mails = mails(&server);
    assert!(mails[1]["data"].as_str().unwrap().contains("t0ken"), "{}", mails[1]);
}

#[tokio::test]
async fn a_server_that_is_down_gets_the_mail_when_it_is_up() {
    let server = MailServer::new(&[]);
    let app = app(&server, CLEAR, "").await;
    let dead = app.sent(reset("ann@example.org")).await;
    assert_eq!((dead.status, dead.attempts), (Status::Dead, ATTEMPTS));
    server.restart();
    app.client.requeue(&app.run.call_as("admin").keyed(), dead.id).await.unwrap();
    app.run.quiet().await;
    assert_eq!(mails(&server).len(), 1);
    // The connection it kept is gone, which is noticed before a mail is lost.
    server.kill();
    server.restart();
    assert_eq!(look(&app.sent(reset("bob@example.org")).await), (Status::Sent, 1, ""));
}

#[tokio::test]
async fn a_server_that_dies_in_the_middle_gets_the_same_mail_again() {
    let server = MailServer::start(&[]);
    let app = app(&server, CLEAR, "").await;
    let queued = app.send(reset("dies-1@example.org")).await;
    let died = tokio::task::spawn_blocking(move || {
        server.wait();
        server.restart();
        server
    });
    let server = died.await.unwrap();
    app.run.quiet().await;
    let admin = app.run.call_as("admin");
    let mut known = app.client.notification(&admin, queued.id).await.unwrap().0;
    if known.status == Status::Dead {
        // It took longer to come back than the attempts of a test do.
        app.client.requeue(&admin.keyed(), queued.id).await.unwrap();
        app.run.quiet().await;
        known = app.client.notification(&app.run.call_as("admin"), queued.id).await.unwrap().0;
    }
    assert_eq!(known.status, Status::Sent, "{known:?}");
    let ids: Vec<_> = mails(&server).iter().map(|mail| mail["id"].clone()).collect();
    assert_eq!(ids, vec![format!("<{}@food.example>", queued.id); 2]);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_in_time() {
    let server = MailServer::start(&[]);
    let app = app(&server, CLEAR, "timeout = '200ms'\nconnections = 1").await;
    let dead = app.sent(reset("silence@example.org")).await;
    assert_eq!((dead.status, dead.attempts), (Status::Dead, ATTEMPTS));
    assert!(dead.last_error.unwrap().contains("did not answer in time"));
    // A connection that was given up in the middle of a mail is not used for another one.
    assert_eq!(look(&app.sent(reset("ann@example.org")).await), (Status::Sent, 1, ""));
    let mails = mails(&server);
    assert_ne!(mails[mails.len() - 1]["peer"], mails[mails.len() - 2]["peer"]);
}

#[tokio::test]
async fn passwords_and_mail_go_over_encrypted_connections() {
    let dir = certificates("mail-tls");
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let ca = format!("ca = '{}'", path("ca.pem"));
    for (option, scheme) in [("--starttls", "smtp"), ("--tls", "smtps")] {
        let server = MailServer::start(&[
            option,
            &path("server.pem"),
            &path("key.pem"),
            "--login",
            "ann@a.example:p@ss/",
        ]);
        let url = |password: &str| format!("{scheme}://ann%40a.example:{password}@SERVER");
        let trusting = app(&server, &url("p%40ss%2f"), &ca).await;
        assert_eq!(look(&trusting.sent(reset("ann@example.org")).await), (Status::Sent, 1, ""), "{scheme}");
        let mail = mails(&server).pop().unwrap();
        assert_eq!((&mail["tls"], &mail["user"]), (&Value::Bool(true), &Value::from("ann@a.example")));
        // A wrong password is the configuration's fault: the mail is tried until its attempts are over.
        let wrong = app(&server, &url("wr0ng"), &ca).await;
        let dead = wrong.sent(reset("bob@example.org")).await;
        assert_eq!((dead.status, dead.attempts), (Status::Dead, ATTEMPTS), "{scheme}");
        let error = dead.last_error.unwrap();
        assert!(error.contains("535") && !error.contains("wr0ng"), "{error}");
        // An authority nobody knows.
        let strict = app(&server, &url("p%40ss%2f"), "").await;
        let dead = strict.sent(reset("cid@example.org")).await;
        assert_eq!((dead.status, dead.attempts), (Status::Dead, ATTEMPTS), "{scheme}");
        assert!(dead.last_error.unwrap().contains("UnknownIssuer"), "{scheme}");
        assert_eq!(mails(&server).len(), 1);
    }
    fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn without_encryption_nothing_is_said_unless_the_configuration_says_so() {
    let server = MailServer::start(&["--login", "ann:s3cret"]);
    let app = app(&server, "smtp://ann:s3cret@SERVER", "").await;
    let dead = app.sent(reset("ann@example.org")).await;
    assert_eq!((dead.status, dead.attempts), (Status::Dead, ATTEMPTS));
    assert!(dead.last_error.unwrap().contains("STARTTLS"));
    assert!(noted(&server).is_empty());
}

#[tokio::test]
async fn without_a_server_mail_is_read_in_files() {
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mail-log");
    fs::remove_dir_all(&data).ok();
    let keep = data.clone();
    let app = App::launch(String::new(), |system| {
        system.configure(|config| {
            config.ephemeral = false;
            config.data = keep;
        })
    })
    .await;
    let sent = app.sent(reset("Ann@example.org")).await;
    assert_eq!(look(&sent), (Status::Sent, 1, ""));
    let mail = notifications::last_mail(&data, "ann@example.org").unwrap().unwrap();
    for line in ["To: Ann@example.org\n", "Subject: A new password, Ann\n", LINK] {
        assert!(mail.contains(line), "{line}: {mail}");
    }
    assert!(mail.starts_with(&format!("Message-ID: <{}@localhost>\n", sent.id)), "{mail}");
    // Text messages have their own log.
    app.sent(of(Channel::Sms, "+491701234567", "message", &[("message", "soup")])).await;
    assert!(notifications::last_mail(&data, "+491701234567").unwrap().is_none());
    app.run.stop().await;
    fs::remove_dir_all(data).unwrap();
}

#[tokio::test]
async fn an_address_or_a_subject_that_is_none_is_refused() {
    let app = App::start(String::new()).await;
    let cx = || app.run.call_as("service").keyed();
    let refused = async |new| match app.client.send(&cx(), new).await.unwrap_err() {
        Fault::Domain(problem) => format!("{problem:?}"),
        Fault::Platform(fault) => {
            fault.violations().iter().map(|violation| violation.pointer.to_string()).collect()
        }
    };
    for bad in
        ["ann", "ann@example", "+491701234567", "ann@example.org\r\nBcc: eve@example.org", "a@b.cd,c@d.ef"]
    {
        assert_eq!(refused(reset(bad)).await, "RecipientInvalid", "{bad}");
    }
    for name in ["Ann\r\nBcc: eve@example.org", "Ann\n.\nQUIT"] {
        let mut new = reset("ann@example.org");
        new.variables.insert("name".to_owned(), name.to_owned());
        assert_eq!(refused(new).await, "/variables", "{name}");
    }
}

#[tokio::test]
async fn mail_is_tried_in_rounds_as_long_as_somebody_waits() {
    let server = MailServer::new(&[]);
    let settings = settings(&server, CLEAR, "").replacen("[mail]", "patience = '10m'\n[mail]", 1);
    let start = Timestamp::from_millis(1_732_159_534_000);
    let app = App::launch(settings, |system| system.stepped(start)).await;
    let minute = Duration::from_mins(1);
    let [ann, bob] = [reset("ann@example.org"), reset("bob@example.org")];
    let waits = app.sent(ann).await;
    assert_eq!((waits.status, waits.attempts), (Status::Retrying, ATTEMPTS));
    app.run.step(minute).await;
    let waits = app.look(waits.id).await;
    assert_eq!((waits.status, waits.attempts), (Status::Retrying, 2 * ATTEMPTS));
    server.restart();
    app.run.step(minute).await;
    let sent = app.look(waits.id).await;
    assert_eq!((sent.status, sent.attempts), (Status::Sent, 2 * ATTEMPTS + 1));
    // Rounds at 0, 1, 2, 4 and 8 minutes; the next one would be too late.
    server.kill();
    let dead = app.sent(bob).await;
    app.run.step(10 * minute).await;
    let dead = app.look(dead.id).await;
    assert_eq!((dead.status, dead.attempts), (Status::Dead, 5 * ATTEMPTS));
}

#[tokio::test]
async fn a_mail_that_is_late_is_not_sent_and_says_so() {
    let server = MailServer::new(&[]);
    let settings = settings(&server, CLEAR, "").replacen("[mail]", "patience = '10m'\n[mail]", 1);
    let start = Timestamp::from_millis(1_732_159_534_000);
    let app = App::launch(settings, |system| system.stepped(start)).await;
    let second = Duration::from_secs(1);
    let until = |seconds: u32| Some(start + seconds * second);
    let [ann, bob] = [("ann@example.org", 90), ("bob@example.org", 91)]
        .map(|(to, seconds)| NewNotification { until: until(seconds), ..reset(to) });
    let (ann, bob) = (app.sent(ann).await, app.sent(bob).await);
    assert_eq!((ann.status, ann.attempts, ann.until), (Status::Retrying, ATTEMPTS, until(90)));
    // The rounds at 0 and 1 minutes; the next one would be at 2.
    app.run.step(90 * second).await;
    let late = app.look(ann.id).await;
    assert_eq!((late.status, late.attempts, late.expired_at), (Status::Dead, 2 * ATTEMPTS, until(90)));
    assert_eq!(app.look(bob.id).await.status, Status::Retrying);
    let refused = app.client.requeue(&app.run.call_as("admin").keyed(), late.id).await.unwrap_err();
    assert!(matches!(refused, Fault::Domain(NotificationError::InvalidTransition { .. })), "{refused:?}");
    // The server is back, and nothing that is over goes out; nor what was over when it came.
    server.restart();
    let never = app.sent(NewNotification { until: until(90), ..reset("cem@example.org") }).await;
    assert_eq!((never.status, never.attempts, never.expired_at), (Status::Dead, 0, until(90)));
    let dan = app.sent(NewNotification { until: until(91), ..reset("dan@example.org") }).await;
    assert_eq!(dan.status, Status::Sent);
    app.run.step(10 * second * 60).await;
    assert_eq!(app.look(bob.id).await.expired_at, until(91));
    assert_eq!(mails(&server).len(), 1);
}
