//! The processes of the system, each `food serve NAME` on one of the hosts.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::network::{A, B, on_b};
use crate::process::{Result, capture, program};

/// Where the platform and the gateway listen.
pub(super) const PLATFORM: &str = "10.77.0.1:7000";
pub(super) const GATEWAY: &str = "10.77.0.1:8080";
/// Who is where, in the order to start in. Host B has no key of the system: who is there joins by a token.
const CAST: &[(&str, Host)] = &[
    ("platform", Host::A),
    ("restaurants", Host::B),
    ("delivery", Host::B),
    ("notifications", Host::B),
    ("users", Host::B),
    ("orders", Host::A),
    ("gateway", Host::A),
];
/// How long a process may drain.
const DRAIN: Duration = Duration::from_secs(40);
/// How often somebody looks whether it has.
const A_MOMENT: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    A,
    B,
}

/// The processes that run. The kernel ends whoever is left, with this one.
pub(super) struct Cast {
    food: PathBuf,
    data: PathBuf,
    running: Vec<(&'static str, Child)>,
}

// === impl Cast ===

impl Cast {
    /// Starts everybody.
    pub(super) fn start(food: &Path, data: &Path) -> Result<Self> {
        let mut cast = Self { food: food.to_owned(), data: data.to_owned(), running: Vec::new() };
        let mut key = program("openssl");
        key.args(["genpkey", "-algorithm", "ed25519", "-outform", "DER", "-out"]).arg(cast.key());
        capture(key)?;
        for (part, host) in CAST {
            cast.serve(part, *host)?;
        }
        Ok(cast)
    }

    fn serve(&mut self, part: &'static str, host: Host) -> Result {
        let (address, data) = match host {
            Host::A => (A, self.data.join("a")),
            Host::B => (B, self.data.join("b")),
        };
        let listen = match part {
            "platform" => PLATFORM.to_owned(),
            "gateway" => GATEWAY.to_owned(),
            _ => format!("{address}:0"),
        };
        let mut arguments = vec!["serve".to_owned(), part.to_owned()];
        if part != "platform" {
            arguments.extend(
                ["--registry", "--broker"]
                    .iter()
                    .flat_map(|flag| [(*flag).to_owned(), format!("http://{PLATFORM}")]),
            );
        }
        arguments.extend(["--listen".to_owned(), listen]);
        let mut command = match host {
            Host::A => {
                println!("[{address}] food {} --key food.key --data ...", arguments.join(" "));
                let mut command = program(&self.food);
                command.args(arguments).arg("--key").arg(self.key());
                command
            }
            Host::B => {
                println!("[{address}] PARTIE_JOIN=$TOKEN food {} --data ...", arguments.join(" "));
                let [ip, rest @ ..] = on_b();
                let mut command = program(ip);
                command.args(rest).arg(&self.food).args(arguments);
                command.env("PARTIE_JOIN", self.signed(&["--join", part])?);
                command
            }
        };
        command.arg("--data").arg(data);
        let log = File::options().create(true).append(true).open(self.log(part));
        command.stderr(log.map_err(|e| format!("the log of {part}: {e}"))?);
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|e| format!("{part}: {e}"))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            let mut out = BufReader::new(out);
            out.read_line(&mut line).map_err(|e| format!("{part}: {e}"))?;
            // What else it says is for people; it must not be held up by nobody listening.
            std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()).ok());
        }
        if !line.starts_with("listening on ") {
            return Err(format!("{part} does not start:\n{}", self.last_words(part)));
        }
        self.running.push((part, child));
        Ok(())
    }

    /// `kill -9` of one on host A, and another in its place.
    pub(super) fn replace(&mut self, part: &'static str) -> Result {
        let at = self.running.iter().position(|(name, _)| *name == part).ok_or("nobody is called so")?;
        let (_, mut child) = self.running.remove(at);
        child.kill().and_then(|()| child.wait()).map_err(|e| format!("{part}: {e}"))?;
        println!("kill -9 of {part}, and it starts again");
        self.serve(part, Host::A)?;
        // It ends in its turn.
        self.running[at..].rotate_right(1);
        Ok(())
    }

    /// A token of somebody, signed with the system's key.
    pub(super) fn token(&self, subject: &str, role: &str) -> Result<String> {
        self.signed(&["--sub", subject, "--role", role])
    }

    fn signed(&self, what: &[&str]) -> Result<String> {
        let mut command = program(&self.food);
        command.arg("token").args(what).arg("--key").arg(self.key());
        Ok(capture(command)?.trim().to_owned())
    }

    /// Ends everybody in order, callers first; each has to drain.
    pub(super) fn end(mut self) -> Result {
        while let Some((part, mut child)) = self.running.pop() {
            let mut kill = Command::new("kill");
            kill.args(["-TERM", &child.id().to_string()]);
            capture(kill)?;
            let mut waited = Duration::ZERO;
            let ended = loop {
                match child.try_wait().map_err(|e| format!("{part}: {e}"))? {
                    Some(ended) => break ended,
                    None if waited > DRAIN => return Err(format!("{part} does not drain")),
                    None => {
                        std::thread::sleep(A_MOMENT);
                        waited += A_MOMENT;
                    }
                }
            };
            if !ended.success() {
                return Err(format!("{part} ended with {ended}:\n{}", self.last_words(part)));
            }
        }
        Ok(())
    }

    /// Everybody's last words, for a run that failed.
    pub(super) fn complaints(&self) -> String {
        CAST.iter().map(|(part, _)| format!("--- {part}\n{}\n", self.last_words(part))).collect()
    }

    fn last_words(&self, part: &str) -> String {
        let log = std::fs::read_to_string(self.log(part)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    fn log(&self, part: &str) -> PathBuf {
        self.data.join(format!("{part}.log"))
    }

    fn key(&self) -> PathBuf {
        self.data.join("food.key")
    }
}
