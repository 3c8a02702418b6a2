//! A supervisor and its processes, as the system sees them.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use partie_testkit::Processes;
pub(crate) use partie_testkit::{lives, signal, within};

use crate::faults::stage::Stage;
use crate::program::{Food, food};

/// How long anything here is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// How often somebody looks.
pub(crate) const A_MOMENT: Duration = Duration::from_millis(20);

/// A running `food up --processes`. Killed when dropped; what it started ends by itself.
pub(crate) struct Company(Food);

// === impl Company ===

impl Company {
    /// Starts it on the data of a stage.
    pub(crate) fn start(stage: &Stage) -> Self {
        Self::start_as(stage, food())
    }

    /// Starts it by a command that ends with the program.
    pub(crate) fn start_as(stage: &Stage, mut command: Command) -> Self {
        command.args(["up", "--processes"]);
        Self::launch(stage, command)
    }

    /// Starts it by a command that says everything else.
    pub(crate) fn launch(stage: &Stage, command: Command) -> Self {
        Self(stage.start_as(command).expect("it starts"))
    }

    pub(crate) fn food(&self) -> &Food {
        &self.0
    }

    /// What each process serves, and its id; replicas included.
    pub(crate) fn all(&self) -> Vec<(String, u32)> {
        Processes::of(self.0.id()).all()
    }

    /// The processes by what they serve, if there is one of each.
    pub(crate) fn processes(&self) -> BTreeMap<String, u32> {
        self.all().into_iter().collect()
    }

    /// `kill -9` of one process; gives it back.
    pub(crate) fn kill_one(&self, part: &str) -> u32 {
        let pid = self.processes()[part];
        signal(pid, "-KILL");
        pid
    }

    /// Waits until another process has taken the place of that one.
    pub(crate) fn wait_for_another(&self, part: &str, old: u32) {
        until(&format!("another {part}"), || self.processes().get(part).is_some_and(|pid| *pid != old));
    }

    /// `kill -9` of the supervisor; gives back what it has left behind.
    pub(crate) fn kill(self) -> Vec<u32> {
        let left = self.processes().into_values().collect();
        self.0.kill();
        left
    }

    /// Has it drain, and waits for that. Says how it ended.
    pub(crate) fn drain(mut self) -> Option<i32> {
        signal(self.0.id(), "-TERM");
        until("the drain", || self.0.ended().is_some());
        self.0.ended().and_then(|ended| ended.code())
    }
}

/// Waits for something.
pub(crate) fn until(what: &str, is_so: impl FnMut() -> bool) {
    within(PATIENCE, what, is_so);
}
