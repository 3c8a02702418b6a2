//! The program that dies and comes back, on one data directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use partie_testkit::Engines;

use crate::program::{Food, Scratch, engines, food};

/// Where the program plays. The players only see that its address changes.
pub(crate) struct Stage {
    scratch: Scratch,
    /// Environment variables of every start.
    settings: &'static [(&'static str, &'static str)],
    address: Mutex<String>,
    /// Whether the states in its answers count as visited.
    pub(crate) is_watched: bool,
}

// === impl Stage ===

impl Stage {
    pub(crate) fn new(name: &str, settings: &'static [(&'static str, &'static str)]) -> Self {
        // Two tests may play the same day.
        static STAGES: AtomicUsize = AtomicUsize::new(0);
        let scratch = Scratch::new(&format!("{name}-{}", STAGES.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(scratch.path().join("data")).unwrap();
        Self { scratch, settings, address: Mutex::default(), is_watched: true }
    }

    /// Nobody takes note of the states in its answers.
    pub(crate) fn unwatched(mut self) -> Self {
        self.is_watched = false;
        self
    }

    /// Starts it on the data as it is. With a failpoint it may be over before it answers; then: how.
    pub(crate) fn start(&self, failpoint: Option<&str>) -> Result<Food, ExitStatus> {
        let mut command = food();
        if let Some(failpoint) = failpoint {
            command.env("PARTIE_FAILPOINT", failpoint);
        }
        self.start_as(command)
    }

    /// Starts it by a command that ends with the program and wants its arguments.
    pub(crate) fn start_as(&self, mut command: Command) -> Result<Food, ExitStatus> {
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        command.args(["--no-demo", "--listen", "127.0.0.1:0", "--data"]).arg(self.data()).stderr(log);
        command.envs(engines(&self.data()).iter().flat_map(Engines::environment));
        command.envs(self.settings.iter().copied());
        let food = Food::launch(&mut command)?;
        food.address().clone_into(&mut self.address.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(food)
    }

    /// Where it was seen last.
    pub(crate) fn address(&self) -> String {
        self.address.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// A token of that subject. It is good for every start.
    pub(crate) fn token(&self, subject: &str, role: &str) -> String {
        Food::token(&self.data(), subject, role)
    }

    /// A copy of the databases as they are now, for a look that changes nothing.
    pub(crate) fn snapshot(&self) -> Scratch {
        let copy = Scratch::new(&format!("{}-snapshot", name(self.scratch.path())));
        for entry in fs::read_dir(self.data()).unwrap() {
            let path = entry.unwrap().path();
            if [".db", ".db-wal"].iter().any(|end| name(&path).ends_with(end)) {
                fs::copy(&path, copy.path().join(name(&path))).unwrap();
            }
        }
        copy
    }

    /// The last words of all starts.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    /// How many lines of all starts say that.
    pub(crate) fn said(&self, what: &str) -> usize {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().filter(|line| line.contains(what)).count()
    }

    fn log(&self) -> PathBuf {
        self.scratch.path().join("log")
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
