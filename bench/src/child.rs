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
    let ticks = ticks(&stat).ok_or_else(|| format!("no CPU time in {stat:?}"))?;
    Ok(TICK * ticks)
}

/// The address at the end of a line, with `http://` or without.
fn address(line: &str) -> Option<SocketAddr> {
    let last = line.split_whitespace().last()?;
    last.strip_prefix("http://").unwrap_or(last).parse().ok()
}

/// Fields 14 and 15 of proc(5). The program's name before them is in parentheses and may hold anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11).map(str::parse::<u32>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_ends_a_line() {
        for line in ["127.0.0.1:80\n", "listening on http://127.0.0.1:80\n"] {
            assert_eq!(address(line), Some(([127, 0, 0, 1], 80).into()), "{line}");
        }
        assert_eq!(address("error: the port is taken\n"), None);
    }

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 130 0 0 20 0 4 0 100 0 0";
        assert_eq!(ticks(stat), Some(380));
        assert_eq!(ticks("7 (x) S 1"), None);
    }
}
