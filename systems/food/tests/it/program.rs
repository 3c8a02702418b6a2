//! The program under test, and a plain HTTP client.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use partie_testkit::Engines;
use serde_json::Value;

/// How long a test waits for anything before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `food`. Killed when dropped.
pub(crate) struct Food {
    child: Child,
    address: String,
    /// Reads what it says to people.
    listener: Option<std::thread::JoinHandle<String>>,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

/// `food`, not started.
pub(crate) fn food() -> Command {
    Command::new(env!("CARGO_BIN_EXE_food"))
}

/// The same with its data in that directory, and on the engines that go with it.
pub(crate) fn food_in(data: &Path) -> Command {
    let mut command = food();
    if let Some(engines) = engines(data) {
        command.envs(engines.environment());
    }
    command
}

/// The engines of the system whose data is in that directory: the same for every start.
pub(crate) fn engines(data: &Path) -> Option<Engines> {
    known_engines().entry(data.to_owned()).or_insert_with(Engines::fresh).clone()
}

/// Has the system whose data will be in that directory use these.
pub(crate) fn use_engines(data: &Path, engines: Engines) {
    known_engines().insert(data.to_owned(), Some(engines));
}

fn known_engines() -> MutexGuard<'static, BTreeMap<PathBuf, Option<Engines>>> {
    static KNOWN: Mutex<BTreeMap<PathBuf, Option<Engines>>> = Mutex::new(BTreeMap::new());
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Food ===

impl Food {
    /// Starts it with its data in that directory, and waits until it answers.
    pub(crate) fn start(data: &Path) -> Self {
        let mut command = food_in(data);
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(data);
        Self::launch(command.stderr(Stdio::null())).expect("it starts")
    }

    /// Starts it as that command says, and waits until it answers. If it ended before that: how.
    pub(crate) fn launch(command: &mut Command) -> Result<Self, ExitStatus> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on http://").map(str::to_owned) else {
            assert!(line.is_empty(), "the first line is {line:?}");
            return Err(child.wait().unwrap());
        };
        // The rest is for people; nobody may have to read it for the program to go on.
        let listener = std::thread::spawn(move || {
            let mut rest = Vec::new();
            out.read_to_end(&mut rest).ok();
            String::from_utf8_lossy(&rest).into_owned()
        });
        Ok(Self { child, address, listener: Some(listener) })
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Has it drain. Says how it ended, and what it said to people.
    pub(crate) fn drain(mut self) -> (Option<i32>, String) {
        partie_testkit::signal(self.id(), "-TERM");
        let code = self.child.wait().unwrap().code();
        (code, self.listener.take().unwrap().join().unwrap())
    }

    /// A token of that subject.
    pub(crate) fn token(data: &Path, subject: &str, role: &str) -> String {
        let mut command = food();
        command.args(["token", "--sub", subject, "--role", role, "--data"]).arg(data);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
    }

    /// One request on a connection of its own. Headers are lines.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[String],
        body: Option<&Value>,
    ) -> Answer {
        self.try_request(method, path, headers, body).expect("a whole answer")
    }

    /// The same of a program that may end meanwhile.
    fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[String],
        body: Option<&Value>,
    ) -> std::io::Result<Answer> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for header in headers {
            head += &format!("{header}\r\n");
        }
        if !body.is_empty() {
            head += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        let mut socket = self.connect()?;
        socket.write_all(format!("{head}\r\n{body}").as_bytes())?;
        let mut text = String::new();
        socket.read_to_string(&mut text)?;
        let (head, text) = text.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Ok(Answer { status, head: head.to_lowercase(), text: text.to_owned() })
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Answer {
        self.request("GET", path, &[bearer(token)], None)
    }

    pub(crate) fn post(&self, path: &str, token: &str, key: &str, body: &Value) -> Answer {
        self.request("POST", path, &[bearer(token), format!("Idempotency-Key: {key}")], Some(body))
    }

    /// The same of a program that may end meanwhile.
    pub(crate) fn try_post(
        &self,
        path: &str,
        token: &str,
        key: &str,
        body: &Value,
    ) -> std::io::Result<Answer> {
        self.try_request("POST", path, &[bearer(token), format!("Idempotency-Key: {key}")], Some(body))
    }

    /// The events of a stream, until it has sent that many or ends.
    pub(crate) fn events(
        &self,
        path: &str,
        token: &str,
        last: Option<&str>,
        count: usize,
    ) -> Vec<(String, String)> {
        let mut socket = self.connect().unwrap();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}\r\n{last}\r\n",
            self.address,
            bearer(token)
        );
        socket.write_all(head.as_bytes()).unwrap();
        let (mut events, mut id) = (Vec::new(), String::new());
        for line in BufReader::new(socket).lines().map(Result::unwrap) {
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.to_owned();
            }
            if let Some(name) = line.strip_prefix("event: ") {
                events.push((std::mem::take(&mut id), name.to_owned()));
            }
            if events.len() == count {
                break;
            }
        }
        events
    }

    /// `kill -9`: nothing gets to say goodbye.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = TcpStream::connect(&self.address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket)
    }

    /// An order of the first dish of the first restaurant.
    pub(crate) fn basket(&self) -> Value {
        let restaurants = self.request("GET", "/api/v1/restaurants", &[], None).json();
        let restaurant = &restaurants["data"][0];
        let id = restaurant["id"].as_str().unwrap();
        let menu = self.request("GET", &format!("/api/v1/restaurants/{id}/menu"), &[], None).json();
        serde_json::json!({
            "restaurant_id": id,
            "items": [{ "item_id": menu["items"][0]["id"], "quantity": 2 }],
            "drop_off": restaurant["location"],
            "contact": { "phone": "+4930123456" }
        })
    }
}

impl Drop for Food {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The stable code of a problem.
    pub(crate) fn code(&self) -> String {
        assert!(self.head.contains("application/problem+json"), "{self:?}");
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// A directory of its own for a test, removed with it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("food-it-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        known_engines().retain(|data, _| !data.starts_with(&self.0));
        std::fs::remove_dir_all(&self.0).ok();
    }
}
