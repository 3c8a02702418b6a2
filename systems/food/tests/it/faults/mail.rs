//! The program dies after a mail has left and before it is on record: nothing is lost, and a repeat says that it is one.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use food_contracts::notifications::Notification;
use partie::runtime::monotonic;
use partie_testservers::MailServer;
use serde_json::{Value, json};

use super::caller::Caller;
use super::stage::Stage;
use crate::program::{Food, food};

const PATIENCE: Duration = Duration::from_secs(30);
const PEOPLE: [&str; 3] = ["ann@example.org", "bob@example.org", "cid@example.org"];

#[test]
fn a_mail_that_left_before_a_death_is_sent_again_under_its_id() {
    let server = MailServer::start(&[]);
    let stage = Stage::new("mail", &[]).unwatched();
    let start = |failpoint: Option<&str>| -> Food {
        let mut command = food();
        let url = format!("smtp://localhost:{}?tls=none", server.port());
        command.env("PARTIE__SERVICES__NOTIFICATIONS__MAIL__URL", url);
        command.env("PARTIE__SERVICES__NOTIFICATIONS__MAIL__FROM", "food@food.example");
        if let Some(failpoint) = failpoint {
            command.env("PARTIE_FAILPOINT", failpoint);
        }
        stage.start_as(command).unwrap()
    };
    let mut first = start(Some("job.deliver-notification.after_call"));
    let second = thread::scope(|scope| {
        scope.spawn(|| {
            let mut service = Caller::new(&stage, "service:users", "service");
            for to in PEOPLE {
                let mail = json!({"channel": "email", "recipient": to, "template": "mail", "dedupe_key": "one",
                    "variables": {"subject": "Soup", "text": "It is hot."}});
                assert_eq!(service.post("/api/v1/notifications", to, Some(&mail)).status, 201);
            }
        });
        let until = monotonic() + PATIENCE;
        while first.ended().is_none() {
            assert!(monotonic() < until, "it does not die");
            thread::sleep(Duration::from_millis(5));
        }
        start(None)
    });
    let mut admin = Caller::new(&stage, "admin", "admin");
    let until = monotonic() + PATIENCE;
    let sent = loop {
        let answer = admin.get("/api/v1/notifications?status=sent").json()["data"].clone();
        let sent: Vec<Notification> = serde_json::from_value(answer).unwrap();
        if sent.len() == PEOPLE.len() {
            break sent;
        }
        assert!(monotonic() < until, "{sent:#?}");
    };
    second.kill();
    let mut mails: BTreeMap<String, usize> = BTreeMap::new();
    for line in fs::read_to_string(server.notes()).unwrap().lines() {
        let note: Value = serde_json::from_str(line).unwrap();
        if note["what"] == "mail" {
            *mails.entry(note["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    let known: Vec<_> = sent.iter().rev().map(|one| format!("<{}@food.example>", one.id)).collect();
    assert_eq!(mails.keys().cloned().collect::<Vec<_>>(), known);
    assert!(mails.values().any(|times| *times == 2), "{mails:?}");
    assert!(sent.iter().any(|one| one.attempts == 2), "{sent:#?}");
}
