//! A server as a child process, found by the address it prints, with a CPU time of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::Error;

/// Linux reports to user space in hundredths of a second whatever the kernel ticks in (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    address: SocketAddr,
    end: End,
}

/// What ends a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The end of its input.
    Input,
    /// Nothing but a signal.
    Kill,
    /// The signal that asks it to drain, which it does in a time of its own: it has processes that end with it.
    Drain,
}

// === impl Child ===

impl Child {
    /// Starts this program with these arguments and waits for the address it [announces](announce).
    ///
    /// # Errors
    /// When it does not start, or ends without an address.
    pub fn start(arguments: &[&str]) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        Self::run(command, End::Input)
    }

    /// Starts a program and waits for its first line, which ends with its address.
    ///
    /// # Errors
    /// When it does not start, or says something else.
    pub fn run(mut command: Command, end: End) -> Result<Self, Error> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(out) = process.stdout.take() {
            let mut out = BufReader::new(out);
            out.read_line(&mut line)?;
            // Nobody needs the rest, but the program must never wait for somebody to take it.
            thread::spawn(move || io::copy(&mut out, &mut io::sink()));
        }
        match address(&line) {
            Some(address) => Ok(Self { process, address, end }),
            None => {
                process.kill()?;
                process.wait()?;
                Err(format!("{:?} said {line:?} instead of an address", command.get_program()).into())
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// User and system time of all its threads so far.
    ///
    /// # Errors
    /// When `/proc` does not say.
    pub fn cpu(&self) -> Result<Duration, Error> {
        cpu_of(&self.process.id().to_string())
    }

    /// User and system time of it and of all processes it has started so far, and these have, whether they still run or
    /// have been waited for.
    ///
    /// # Errors
    /// When `/proc` does not say.
    pub fn cpu_of_all(&self) -> Result<Duration, Error> {
        let mut stats = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let is_process = entry.as_ref().is_ok_and(|entry| {
                entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
            });
            // One that has ended meanwhile is counted by its parent.
            if let Some(stat) = entry
                .ok()
                .filter(|_| is_process)
                .and_then(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
            {
                stats.push(stat);
            }
        }
        Ok(TICK * family(self.process.id(), stats.iter().filter_map(|stat| Stat::of(stat))))
    }

    /// Resident memory, in KiB.
    ///
    /// # Errors
    /// When `/proc` does not say.
    pub fn resident_kib(&self) -> Result<u64, Error> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        match self.end {
            End::Input => drop(self.process.stdin.take()),
            // One that is gone already is what was wanted.
            End::Kill => self.process.kill().unwrap_or_default(),
            End::Drain => {
                let asked = Command::new("kill").arg(self.process.id().to_string()).status();
                if !asked.is_ok_and(|status| status.success()) {
                    self.process.kill().unwrap_or_default();
                }
            }
        }
        self.process.wait().ok();
    }
}

/// Says where this server listens.
///
/// # Errors
/// When nobody reads it.
pub fn announce(address: SocketAddr) -> Result<(), Error> {
    let mut out = io::stdout();
    writeln!(out, "{address}")?;
    Ok(out.flush()?)
}

/// Waits until whoever started this server drops it, or is gone. It blocks the thread.
pub fn until_told() {
    let mut rest = Vec::new();
    // An input that cannot be read is one that has ended.
    io::stdin().read_to_end(&mut rest).ok();
}

/// User and system time of this process so far.
///
/// # Errors
/// When `/proc` does not say.
pub fn own_cpu() -> Result<Duration, Error> {
    cpu_of("self")
}

fn cpu_of(process: &str) -> Result<Duration, Error> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let stat = Stat::of(&stat).ok_or_else(|| format!("no CPU time in {stat:?}"))?;
    Ok(TICK * stat.own)
}

/// What proc(5) says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    process: u32,
    parent: u32,
    /// Its own ticks.
    own: u32,
    /// Those of children it has waited for.
    buried: u32,
}

// === impl Stat ===

impl Stat {
    /// The program's name is in parentheses and may hold anything.
    fn of(stat: &str) -> Option<Self> {
        let (process, rest) = stat.split_once(" (")?;
        let (_, rest) = rest.rsplit_once(')')?;
        // From the third field on, the state.
        let fields: Vec<_> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u32>().ok();
        Some(Self {
            process: process.parse().ok()?,
            parent: field(4)?,
            own: field(14)? + field(15)?,
            buried: field(16)? + field(17)?,
        })
    }
}

/// The ticks of a process and of all that descend from it.
fn family(eldest: u32, all: impl Iterator<Item = Stat>) -> u32 {
    let all: Vec<_> = all.collect();
    let (mut members, mut next) = (vec![eldest], 0);
    while let Some(parent) = members.get(next).copied() {
        members.extend(all.iter().filter(|stat| stat.parent == parent).map(|stat| stat.process));
        next += 1;
    }
    all.iter().filter(|stat| members.contains(&stat.process)).map(|stat| stat.own + stat.buried).sum()
}

/// The address at the end of a line, with a scheme or without.
fn address(line: &str) -> Option<SocketAddr> {
    let last = line.split_whitespace().last()?;
    last.split_once("://").map_or(last, |(_, address)| address).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_ends_a_line() {
        for line in
            ["127.0.0.1:80\n", "listening on http://127.0.0.1:80\n", "listening on https://127.0.0.1:80\n"]
        {
            assert_eq!(address(line), Some(([127, 0, 0, 1], 80).into()), "{line}");
        }
        assert_eq!(address("error: the port is taken\n"), None);
    }

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 130 4 2 20 0 4 0 100 0 0";
        assert_eq!(Stat::of(stat), Some(Stat { process: 7, parent: 1, own: 380, buried: 6 }));
        assert_eq!(Stat::of("7 (x) S 1"), None);
    }

    #[test]
    fn a_family_is_a_process_its_children_and_theirs() {
        let stat = |process, parent, own, buried| Stat { process, parent, own, buried };
        let all = [
            stat(5, 2, 100, 0),
            stat(2, 1, 10, 5),
            stat(1, 0, 9_000, 0),
            stat(9, 5, 1_000, 0),
            stat(3, 1, 7, 0),
        ];
        assert_eq!(family(2, all.into_iter()), 1_115);
        assert_eq!(family(4, all.into_iter()), 0);
    }
}
