//! A supervisor and its processes, and where its data is.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use partie_testkit::{Http, Processes, lives, signal, within};

use crate::program::{Program, ncr};

/// How long anything here is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

/// A running `ncr up --processes`. Killed when dropped; what it started ends by itself.
pub(super) struct Company {
    pub(super) program: Program,
    registry: SocketAddr,
    scratch: Scratch,
}

/// A directory of its own, removed with it.
struct Scratch(PathBuf);

// === impl Company ===

impl Company {
    /// Starts it with two factorials and two calculators, in that environment.
    pub(super) fn start(environment: &[(&str, String)]) -> Self {
        static COMPANIES: AtomicUsize = AtomicUsize::new(0);
        let number = COMPANIES.fetch_add(1, Ordering::Relaxed);
        let scratch = std::env::temp_dir().join(format!("ncr-it-{}-{number}", std::process::id()));
        fs::create_dir_all(&scratch).unwrap();
        let mut command = ncr();
        command.args(["up", "--processes", "--replicas", "factorial=2", "--replicas", "calculator=2"]);
        command.arg("--data").arg(scratch.join("data")).stderr(File::create(scratch.join("log")).unwrap());
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut program = Program::launch(command);
        Self { registry: program.registry(), program, scratch: Scratch(scratch) }
    }

    pub(super) fn processes(&self) -> Processes {
        Processes::of(self.program.id())
    }

    /// `kill -9` of one of the replicas, and waits until as many as before can be found again.
    pub(super) fn kill(&self, part: &str, pid: u32) {
        let before = self.processes().serving(part).len();
        signal(pid, "-KILL");
        within(PATIENCE, "the death", || !lives(pid));
        within(PATIENCE, &format!("another {part}"), || self.found(part).len() == before);
    }

    /// The replicas that live and that the registry knows.
    pub(super) fn found(&self, part: &str) -> Vec<u32> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let path = format!("/v1/health/service/{part}?passing");
        let known = runtime.block_on(Http::new(self.registry).get(path).send());
        // The platform may be on its way back.
        let known = known.map(|answer| answer.text()).unwrap_or_default();
        let mut replicas = self.processes().serving(part);
        replicas.retain(|pid| known.contains(&format!("\"{part}-{pid}-")));
        replicas
    }

    /// `ncr restart`.
    pub(super) fn restart(&self) -> Output {
        ncr().arg("restart").arg("--data").arg(self.scratch.0.join("data")).output().unwrap()
    }

    /// Has all of them drain, and waits for that. Says how it ended.
    pub(super) fn end(self) -> Option<i32> {
        self.program.drain()
    }

    /// The last lines of what all of them have logged.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.scratch.0.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
