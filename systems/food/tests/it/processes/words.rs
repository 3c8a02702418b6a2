//! What people see: refusals in one line, and logs with names.

use std::process::Stdio;

use super::company::{Company, until};
use crate::faults::stage::Stage;
use crate::program::{Food, Scratch, food};

/// Exit code and last line of what a command says on stderr.
pub(crate) fn refused(arguments: &[&str], data: &std::path::Path) -> (Option<i32>, String) {
    let mut command = food();
    command.args(arguments).arg("--data").arg(data).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text.lines().last().unwrap_or_default().to_owned())
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    let data = Scratch::new("words");
    for (arguments, needle) in [
        (&["up", "--processes", "--replicas", "orders=2"][..], "orders keeps its data in SQLite"),
        (&["up", "--processes", "--replicas", "kitchens=2"], "there is no such service"),
        (&["up", "--processes", "--replicas", "orders"], "NAME=N"),
        (&["serve", "orders"], "--registry URL"),
        (&["serve", "orders", "--registry", "nowhere"], "http://HOST:PORT"),
        (&["serve", "kitchens", "--registry", "http://127.0.0.1:1"], "there is no service kitchens"),
        (&["restart"], "nothing runs there"),
    ] {
        let (code, line) = refused(arguments, data.path());
        assert_eq!(code, Some(2), "{arguments:?}: {line}");
        assert!(line.starts_with("error: ") && line.contains(needle), "{arguments:?}: {line}");
    }
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "nothing was touched");
}

#[test]
fn every_line_has_the_name_of_who_says_it() {
    let stage = Stage::new("names", &[]).unwatched();
    let company = Company::start(&stage);
    let (code, line) = refused(&["up", "--processes", "--listen", "127.0.0.1:0"], &stage.data());
    assert_eq!(code, Some(2));
    assert!(line.contains("are under another supervisor (process "), "{line}");
    let (code, line) = refused(&["restart", "nobody"], &stage.data());
    assert_eq!(
        (code, line.contains("there is no such process; there are platform")),
        (Some(2), true),
        "{line}"
    );
    assert_eq!(company.drain(), Some(0));
    let names = [
        "platform",
        "orders-1",
        "restaurants-1",
        "delivery-1",
        "notifications-1",
        "users-1",
        "gateway",
        "supervisor",
    ];
    let words = stage.last_words();
    for line in words.lines() {
        let name = line.split(" | ").next().unwrap();
        assert_eq!(name.len(), "notifications-1".len(), "{line}");
        assert!(names.contains(&name.trim_end()), "{line}");
    }
    assert!(names[..7].iter().all(|name| words.contains(name)), "{words}");
}

#[test]
fn the_platform_looks_behind_every_service_and_long_polls_hold_up_nobody() {
    let stage = Stage::new("behind", &[]).unwatched();
    let mut command = food();
    // A debug build hashes a hundred times as long.
    command.env("PARTIE__SERVICES__USERS__PASSWORDS__MEMORY_KIB", "64");
    let company = Company::start_as(&stage, command);
    let food = company.food();
    let [ada, root, dan] = [("ada", "customer"), ("root", "admin"), ("dan", "driver")]
        .map(|(subject, role)| Food::token(&stage.data(), subject, role));
    let order = food.post("/api/v1/orders", &ada, "k", &food.basket()).json();
    let saga = food.get(&format!("/api/v1/sagas/{}", order["id"].as_str().unwrap()), &root);
    assert_eq!((saga.status, saga.json()["kind"].is_string()), (200, true), "{saga:?}");
    let nobody = food.get("/api/v1/sagas/01934000-0000-7000-8000-00000000dead", &root);
    assert_eq!((nobody.status, nobody.code().as_str()), (404, "saga-not-found"));
    let letters = food.get("/api/v1/dead-letters", &root);
    assert_eq!((letters.status, letters.json()["data"].as_array().unwrap().len()), (200, 0), "{letters:?}");

    // The users are another process than the gateway, whose port they were told.
    let eve = serde_json::json!({ "email": "eve@example.org", "password": "a difference engine" });
    let registered = food.request("POST", "/api/v1/users", &[], Some(&eve));
    assert_eq!(registered.status, 201, "{registered:?}");
    let link = format!("http://{}/verify-email?token=", food.address());
    until("a mail with a link to the gateway", || {
        let mail = food_command(&["mail", "--to", "eve@example.org"], &stage.data());
        String::from_utf8_lossy(&mail.stdout).contains(&link)
    });

    // Somebody who waits for news is asked to wait at the next one.
    let online = serde_json::json!({ "status": "available", "location": { "lat": 52.52, "lon": 13.405 } });
    let dans = format!("Authorization: Bearer {dan}");
    let said = food.request("PUT", "/api/v1/drivers/me/status", std::slice::from_ref(&dans), Some(&online));
    assert_eq!(said.status, 200, "{said:?}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let headers = [dans.clone(), "Prefer: wait=8".to_owned()];
            food.request("GET", "/api/v1/drivers/me/offers", &headers, None)
        });
        std::thread::sleep(std::time::Duration::from_millis(300));
        let begun = partie::runtime::monotonic();
        let restarted = food_command(&["restart", "delivery"], &stage.data());
        assert!(restarted.status.success(), "{restarted:?}");
        assert!(begun.elapsed().as_secs() < 5, "it took {:?}", begun.elapsed());
        assert!(!waiting.is_finished());
        let waited = waiting.join().unwrap();
        assert_eq!(waited.status, 200, "{waited:?}");
    });
    assert_eq!(company.drain(), Some(0));
}

fn food_command(arguments: &[&str], data: &std::path::Path) -> std::process::Output {
    food().args(arguments).arg("--data").arg(data).output().unwrap()
}
