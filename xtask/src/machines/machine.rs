//! One machine: a shell in namespaces of its own that is given the commands of the guide one after another.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::guide::Command;
use crate::process::{Result, program, timed};

/// How long a command may take: orders that wait for a machine that is gone among them.
const PATIENCE: Duration = Duration::from_secs(240);
/// Lines that may wait to be read.
const LINES: usize = 1024;
/// Ends what a command said; its exit code follows.
const END: &str = "-- that was all: ";
/// Commands longer than this are printed with how long they took.
const LONG: Duration = Duration::from_secs(2);
/// Lines of each log that are shown when a run has failed.
const WORDS: usize = 25;
/// Not among them: on a busy machine there are many of these.
const SLOW: &str = "a slow closure";
/// Reads commands that end with a null byte. What they start has none of its input.
const SHELL: &str = r#"
    mount --bind "$0/lib" /var/lib && mount -t tmpfs tmpfs /run &&
    install -d -o postgres -g postgres /run/postgresql && cd /var/lib/home || exit 1
    exec 3<&0 < /dev/null 2>&1
    while IFS= read -r -d '' command <&3; do eval "$command"; printf '\n-- that was all: %s\n' $?; done
"#;

/// A machine that runs. The kernel ends whatever runs there with this process.
pub(super) struct Machine {
    name: &'static str,
    dir: PathBuf,
    #[expect(dead_code, reason = "held for as long as it is spoken to")]
    shell: Child,
    input: ChildStdin,
    said: Receiver<String>,
}

// === impl Machine ===

impl Machine {
    /// Starts its shell. Its directories are in `scratch/NAME`.
    pub(super) fn start(name: &'static str, scratch: &Path, path: &str) -> Result<Self> {
        let dir = scratch.join(name);
        let home = dir.join("lib/home");
        std::fs::create_dir_all(&home).map_err(|e| format!("{}: {e}", home.display()))?;
        let path = format!("{path}:{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let mut shell = program("ip");
        shell.args(["netns", "exec", name, "bash", "-c", SHELL]).arg(&dir).env("PATH", path);
        shell.env("HOME", "/var/lib/home").env("MACHINES", scratch).env("MACHINE", name);
        let mut shell = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("the shell of {name}: {e}"))?;
        let (input, output) = shell.stdin.take().zip(shell.stdout.take()).ok_or("a shell without pipes")?;
        let (sender, said) = sync_channel(LINES);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name, dir, shell, input, said })
    }

    /// Runs a command of the guide. It has to succeed, and to say what the guide shows.
    pub(super) fn run(&mut self, command: &Command) -> Result {
        println!("{}$ {}", self.name, command.text);
        let (said, took) = timed(|| self.ask(&command.text));
        let failed = |why: &str| format!("line {} of the guide, on {}: {why}", command.line, self.name);
        let said = said.map_err(|why| failed(&why))?;
        if took > LONG {
            println!("  ({:.1} s)", took.as_secs_f64());
        }
        match command.missing(&said) {
            None => Ok(()),
            Some(line) => Err(failed(&format!("it does not say `{line}`, but:\n{}", said.join("\n")))),
        }
    }

    /// What a command says, if it succeeds.
    pub(super) fn ask(&mut self, command: &str) -> Result<Vec<String>> {
        let sent = self.input.write_all(format!("{command}\0").as_bytes()).and_then(|()| self.input.flush());
        sent.map_err(|e| format!("its shell is gone: {e}"))?;
        let mut said = Vec::new();
        loop {
            match self.said.recv_timeout(PATIENCE) {
                Ok(line) => match line.strip_prefix(END) {
                    Some("0") => return Ok(said),
                    Some(code) => return Err(format!("it ended with {code}:\n{}", said.join("\n"))),
                    None => said.push(line),
                },
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "it goes on for {} s without a word; before:\n{}",
                        PATIENCE.as_secs(),
                        said.join("\n")
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(format!("its shell ended:\n{}", said.join("\n")));
                }
            }
        }
    }

    /// The ends of all logs, for a run that failed.
    pub(super) fn last_words(&self) -> String {
        let logs = ["lib/home", "lib/food", "lib/nats", "lib/postgresql"].map(|dir| self.dir.join(dir));
        let files = logs.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten().flatten();
        let mut files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        files.sort();
        files.iter().map(|path| format!("--- {} of {}\n{}\n", name(path), self.name, tail(path))).collect()
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn tail(path: &Path) -> String {
    let log = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = log.lines().filter(|line| !line.contains(SLOW)).collect();
    lines[lines.len().saturating_sub(WORDS)..].join("\n")
}
