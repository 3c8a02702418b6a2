//! The processes of a supervisor, seen and hit from outside.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use partie_runtime::monotonic;

/// How often somebody looks.
const A_MOMENT: Duration = Duration::from_millis(20);

/// What a running `up --processes` has started. It only looks: whoever started the supervisor ends it.
#[derive(Debug, Clone, Copy)]
pub struct Processes {
    supervisor: u32,
}

// === impl Processes ===

impl Processes {
    /// Those of the supervisor with that process id.
    pub fn of(supervisor: u32) -> Self {
        Self { supervisor }
    }

    /// What each serves, and its process id.
    ///
    /// # Panics
    /// When `/proc` cannot be read.
    pub fn all(self) -> Vec<(String, u32)> {
        let entries = fs::read_dir("/proc").expect("there is a /proc");
        let pids = entries.filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            (Stat::of(pid)?.parent == self.supervisor).then_some(pid)
        });
        let mut all: Vec<_> = pids.filter_map(|pid| Some((part(pid)?, pid))).collect();
        all.sort_unstable();
        all
    }

    /// Those that serve that part: its replicas.
    ///
    /// # Panics
    /// As [`all`](Self::all).
    pub fn serving(self, part: &str) -> Vec<u32> {
        self.all().into_iter().filter(|(serves, _)| serves == part).map(|(_, pid)| pid).collect()
    }
}

/// Waits for something, not longer than that, looking now and then. It blocks the thread.
///
/// # Panics
/// When it is not so in time: `what` is said then.
pub fn within(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let until = monotonic() + patience;
    while !is_so() {
        assert!(monotonic() < until, "{what}: still waiting");
        thread::sleep(A_MOMENT);
    }
}

/// Sends a process a signal: `-KILL`.
///
/// # Panics
/// When there is no such process.
pub fn signal(pid: u32, signal: &str) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill {signal} {pid}");
}

/// Whether a process runs, and is not only waiting to be buried.
pub fn lives(pid: u32) -> bool {
    Stat::of(pid).is_some()
}

/// User and system time of a process so far; nothing if it does not run.
pub fn cpu_time(pid: u32) -> Option<Duration> {
    // Linux reports to user space in hundredths of a second.
    Stat::of(pid).map(|stat| Duration::from_millis(10) * stat.ticks)
}

/// What proc(5) says of a process that runs.
struct Stat {
    parent: u32,
    ticks: u32,
}

// === impl Stat ===

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program, in parentheses, may hold anything. The state comes behind it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
        let runs = *fields.first()? != "Z";
        Some(Self { parent: number(1)?, ticks: number(11)? + number(12)? }).filter(|_| runs)
    }
}

/// What a process serves.
fn part(pid: u32) -> Option<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words = line.split(|byte| *byte == 0).skip_while(|word| *word != b"serve").skip(1);
    Some(String::from_utf8_lossy(words.next()?).into_owned())
}
