//! An old program is replaced by a new one, and the other way round, while it is used: no request fails.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use partie_testkit::{Answer, Http, Processes, lives, signal};

const OLD: &str = env!("CARGO_BIN_EXE_evolving-old");
const NEW: &str = env!("CARGO_BIN_EXE_evolving-new");

/// Callers at once.
const CALLERS: usize = 4;
/// How long anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const A_MOMENT: Duration = Duration::from_millis(20);
/// What there is of soup at first.
const SOUP: i64 = 1_000_000;

/// A program that is installed somewhere, and runs as `up --processes`.
struct Installed {
    dir: PathBuf,
    child: Child,
    address: SocketAddr,
}

/// What callers have seen.
#[derive(Default)]
struct Seen {
    done: AtomicBool,
    orders: AtomicI64,
    /// Answers of a program that knows shelves, and of one that does not.
    new: AtomicU32,
    old: AtomicU32,
}

// === impl Installed ===

impl Installed {
    fn start() -> Self {
        let dir = std::env::temp_dir().join(format!("partie-evolving-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        install(&dir, OLD);
        let mut command = Command::new(dir.join("evolving"));
        command.args(["up", "--processes", "--listen", "127.0.0.1:0", "--data"]).arg(dir.join("data"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(dir.join("log")).unwrap());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").expect("it starts").parse().unwrap();
        // The rest is for people.
        std::thread::spawn(move || out.read_to_end(&mut Vec::new()).ok());
        Self { dir, child, address }
    }

    /// Puts the other program in its place and restarts everything, one process after the other.
    async fn becomes(&self, program: &str) {
        install(&self.dir, program);
        let mut command = Command::new(self.dir.join("evolving"));
        command.arg("restart").arg("--data").arg(self.dir.join("data"));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{output:?}\n{}", self.log());
    }

    fn token(&self) -> String {
        let mut command = Command::new(self.dir.join("evolving"));
        command.args(["token", "--sub", "ada", "--role", "customer", "--data"]).arg(self.dir.join("data"));
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().last().expect("a token").to_owned()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let left = Processes::of(self.child.id()).all();
        self.child.kill().ok();
        self.child.wait().ok();
        left.iter().filter(|(_, pid)| lives(*pid)).for_each(|(_, pid)| signal(*pid, "-TERM"));
        fs::remove_dir_all(&self.dir).ok();
    }
}

/// As an upgrade does it: the name is of the one or of the other file at any time.
fn install(dir: &Path, program: &str) {
    let next = dir.join("evolving.next");
    fs::copy(program, &next).unwrap();
    fs::rename(next, dir.join("evolving")).unwrap();
}

/// Uses the system until somebody says that it is enough.
async fn call(http: Http, token: String, caller: usize, seen: Arc<Seen>) -> Vec<Answer> {
    let mut failed = Vec::new();
    for number in 0.. {
        if seen.done.load(Ordering::SeqCst) {
            break;
        }
        let answer = match number % 2 {
            0 => {
                let order = http.post("/api/v1/orders").token(&token).key(&format!("{caller}-{number}"));
                order.header("content-type", "application/json").body(r#"{"name":"soup"}"#).send().await
            }
            _ => http.get("/api/v1/stock/soup").send().await,
        };
        let answer = answer.expect("an answer");
        match answer.status {
            200..300 => {
                seen.orders.fetch_add(i64::from(number % 2 == 0), Ordering::SeqCst);
                let of = if answer.json().get("shelf").is_some_and(|shelf| shelf.is_string()) {
                    &seen.new
                } else {
                    &seen.old
                };
                of.fetch_add(1, Ordering::SeqCst);
            }
            // Other tests may want the whole machine; that is told as what it is.
            503 if answer.code().as_deref() == Some("overloaded") => tokio::time::sleep(A_MOMENT).await,
            _ => failed.push(answer),
        }
    }
    failed
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(A_MOMENT).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: still waiting"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_and_new_programs_replace_each_other_under_load_without_a_failed_request() {
    let installed = Installed::start();
    let (http, token, seen) = (Http::new(installed.address), installed.token(), Arc::new(Seen::default()));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| tokio::spawn(call(http.clone(), token.clone(), caller, Arc::clone(&seen))))
        .collect();
    let more = async |of: &AtomicU32| {
        let so_far = of.load(Ordering::SeqCst);
        until("answers", async || of.load(Ordering::SeqCst) > so_far + 50).await;
    };
    more(&seen.old).await;
    assert_eq!(seen.new.load(Ordering::SeqCst), 0);
    // Forwards, and back again: the database stays as the new program made it.
    installed.becomes(NEW).await;
    more(&seen.new).await;
    installed.becomes(OLD).await;
    let new = seen.new.load(Ordering::SeqCst);
    more(&seen.old).await;
    assert!(seen.new.load(Ordering::SeqCst) <= new + 8, "the old program is back");
    installed.becomes(NEW).await;
    more(&seen.new).await;
    seen.done.store(true, Ordering::SeqCst);
    let mut failed = Vec::new();
    for caller in callers {
        failed.extend(caller.await.unwrap());
    }
    let orders = seen.orders.load(Ordering::SeqCst);
    assert!(
        failed.is_empty(),
        "{} of {orders} orders and as many looks: {failed:#?}\n{}",
        failed.len(),
        installed.log()
    );

    // Every order reached the stock once, whichever versions wrote and read its event.
    until("the events", async || {
        let item = http.get("/api/v1/stock/soup").send().await.expect("an answer").json();
        assert_eq!(item["shelf"], "by the door");
        item["left"] == SOUP - orders
    })
    .await;
}
