//! The configuration of the gateway is read again while it serves, whichever command runs it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use partie_testkit::{Http, signal, within};

use crate::support::send;

/// How long anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, with a configuration of its own. Killed when dropped.
struct Program {
    child: Child,
    address: SocketAddr,
    dir: PathBuf,
}

impl Program {
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_users"));
        command.args(arguments).args(["--listen", "127.0.0.1:0", "--config"]).arg(dir.join("users.toml"));
        command.arg("--data").arg(dir).env("PARTIE__LOGS__FORMAT", "json").stdin(Stdio::null());
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        // It says more, to nobody in particular.
        std::thread::spawn(move || lines.for_each(drop));
        let address = line.rsplit("http://").next().unwrap().parse().unwrap();
        Self { child, address, dir: dir.to_owned() }
    }

    fn configure(&self, text: &str) {
        // Whole or not at all, as editors and deployments do it.
        std::fs::write(self.dir.join("new"), text).unwrap();
        std::fs::rename(self.dir.join("new"), self.dir.join("users.toml")).unwrap();
    }

    /// Whose pages may read its answers, as far as that is this origin.
    async fn lets(&self, origin: &str) -> bool {
        let answer = send(Http::new(self.address).get("/api/v1/users/me").header("origin", origin)).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
        answer.header("access-control-allow-origin") == Some(origin)
    }

    async fn comes_to_let(&self, origin: &str) {
        tokio::time::timeout(PATIENCE, async {
            while !self.lets(origin).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{origin}: {}", self.log()));
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn cors(origin: &str) -> String {
    format!("[gateway.cors]\norigins = [\"{origin}\"]\n")
}

#[tokio::test]
async fn a_changed_file_counts_without_a_restart_and_a_bad_one_does_not() {
    let dir = std::env::temp_dir().join(format!("partie-users-reload-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("users.toml"), cors("https://one.example")).unwrap();
    let program = Program::start(&dir, &["up"]);
    assert!(program.lets("https://one.example").await && !program.lets("https://two.example").await);
    program.configure(&cors("https://two.example"));
    program.comes_to_let("https://two.example").await;
    assert!(!program.lets("https://one.example").await);

    // What cannot be is said in one line, and changes nothing.
    let bad = format!("{}[[gateway.routes]]\nprefix = \"/x\"\nto = \"\"\n", cors("https://three.example"));
    for (bad, names) in [(&*bad, "route /x"), ("[gateway]\nlistne = 1\n", "listne")] {
        program.configure(bad);
        within(PATIENCE, "the refusal", || {
            let log = program.log();
            log.lines().any(|line| line.contains("the old one stays") && line.contains(names))
        });
        assert!(program.lets("https://two.example").await);
    }

    // What is not the gateway's has to wait, and SIGHUP is enough where a clock cannot tell two files apart.
    program.configure(&format!("{}[logs]\nfilter = \"debug\"\n", cors("https://four.example")));
    signal(program.child.id(), "-HUP");
    program.comes_to_let("https://four.example").await;
    within(PATIENCE, "what waits", || {
        program.log().lines().any(|line| line.contains("only after a restart") && line.contains("logs"))
    });
    std::fs::remove_dir_all(&dir).ok();
}
