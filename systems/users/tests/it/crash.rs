//! `kill -9` while people register: who was told that they are in is in, and the others hear of it once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use partie_testkit::Http;
use serde_json::json;

use crate::support::{PASSWORD, send};

/// Registrations at once.
const CALLERS: usize = 8;
/// Answers after which the program is killed, in the middle of the next ones.
const ENOUGH: usize = 40;

/// A running `users`. Killed when dropped.
struct Program {
    child: Child,
    http: Http,
}

impl Program {
    async fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_users"))
            .args(["--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("PARTIE__SERVICES__USERS__PASSWORDS__MEMORY_KIB", "64")
            .env("PARTIE__REGISTRY__CONSUL", "false")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
        Self { child, http: Http::new(address) }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn scratch() -> PathBuf {
    let path = std::env::temp_dir().join(format!("partie-users-crash-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// How often each subject is in a table, as `sql` counts.
fn counted(data: &Path, database: &str, sql: &str) -> BTreeMap<String, i64> {
    let database = rusqlite::Connection::open(data.join(database)).unwrap();
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_after_a_crash_is_told_of_once() {
    let data = scratch();
    let mut program = Program::start(&data).await;
    let answered = std::sync::Mutex::new(Vec::new());
    let callers = (0..CALLERS).map(|caller| {
        let (http, answered) = (&program.http, &answered);
        async move {
            let mut number = 0;
            while answered.lock().unwrap().len() < ENOUGH {
                number += 1;
                let new =
                    json!({ "email": format!("ada{caller}-{number}@example.org"), "password": PASSWORD });
                let answer = send(http.post("/api/v1/users").json(&new)).await;
                assert_eq!(answer.status, 201, "{}", answer.text());
                answered.lock().unwrap().push(answer.json()["id"].as_str().unwrap().to_owned());
            }
        }
    });
    join_all(callers).await;
    program.kill();

    let mut program = Program::start(&data).await;
    // What was left in the outbox is on its way before anything new.
    let sentinel = json!({ "email": "last@example.org", "password": PASSWORD });
    let last = send(program.http.post("/api/v1/users").json(&sentinel)).await;
    assert_eq!(last.status, 201);
    let last = last.json()["id"].as_str().unwrap().to_owned();
    let told = "SELECT key, COUNT(*) FROM partie_log WHERE type = 'user.registered' GROUP BY key";
    let begun = partie::runtime::monotonic();
    while !counted(&data, "broker.db", told).keys().any(|key| key.contains(&last)) {
        assert!(begun.elapsed() < Duration::from_secs(20), "the last one is not told of");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    program.kill();

    let told = counted(&data, "broker.db", told);
    for id in answered.into_inner().unwrap() {
        let times: Vec<i64> =
            told.iter().filter(|(key, _)| key.contains(&id)).map(|(_, count)| *count).collect();
        assert_eq!(times, [1], "{id}");
    }
    let users = counted(&data, "users.db", "SELECT 'all', COUNT(*) FROM users")["all"];
    assert_eq!(users, told.values().sum::<i64>(), "as many are told of as there are");
    std::fs::remove_dir_all(data).ok();
}
