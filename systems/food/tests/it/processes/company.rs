//! A supervisor and its processes, as the system sees them.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use partie::runtime::monotonic;

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
        let mut command = food();
        command.args(["up", "--processes"]);
        Self(stage.start_as(command).expect("it starts"))
    }

    pub(crate) fn food(&self) -> &Food {
        &self.0
    }

    /// The processes by what they serve.
    pub(crate) fn processes(&self) -> BTreeMap<String, u32> {
        let own = self.0.id();
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            (parent(pid)? == own).then_some(pid)
        });
        pids.filter_map(|pid| Some((part(pid)?, pid))).collect()
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

/// Waits for something, not longer than that.
pub(crate) fn within(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let until = monotonic() + patience;
    while !is_so() {
        assert!(monotonic() < until, "{what}: still waiting");
        thread::sleep(A_MOMENT);
    }
}

/// Whether a process runs.
pub(crate) fn lives(pid: u32) -> bool {
    parent(pid).is_some()
}

/// Sends it a signal.
pub(crate) fn signal(pid: u32, signal: &str) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill {signal} {pid}");
}

/// The parent of a process that runs and is not only waiting to be buried; proc(5).
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.next()?.parse().ok()
}

/// What a process serves.
fn part(pid: u32) -> Option<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words = line.split(|byte| *byte == 0).skip_while(|word| *word != b"serve").skip(1);
    Some(String::from_utf8_lossy(words.next()?).into_owned())
}
