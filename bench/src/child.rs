//! A server as a child process: this program again, found by the address it prints, with a CPU time of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{self, Command, Stdio};
use std::time::Duration;

use crate::Error;

/// Linux reports to user space in hundredths of a second whatever the kernel ticks in (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    address: SocketAddr,
}

// === impl Child ===

impl Child {
    /// Starts this program with these arguments and waits for the address it [announces](announce).
    ///
    /// # Errors
    /// When it does not start, or ends without an address.
    pub fn start(arguments: &[&str]) -> Result<Self, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(out) = process.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        match line.trim().parse() {
            Ok(address) => Ok(Self { process, address }),
            Err(_) => {
                process.kill()?;
                process.wait()?;
                Err(format!("{arguments:?} said {line:?} instead of an address").into())
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
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let ticks = ticks(&stat).ok_or_else(|| format!("no CPU time in {stat:?}"))?;
        Ok(TICK * ticks)
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
        // The end of its input tells it to end.
        drop(self.process.stdin.take());
        self.process.wait().ok();
    }
}

/// Says where this server listens.
///
/// # Errors
/// When nobody reads it.
pub fn announce(address: SocketAddr) -> Result<(), Error> {
    let mut out = std::io::stdout();
    writeln!(out, "{address}")?;
    Ok(out.flush()?)
}

/// Waits until whoever started this server drops it, or is gone. It blocks the thread.
pub fn until_told() {
    let mut rest = Vec::new();
    // An input that cannot be read is one that has ended.
    std::io::stdin().read_to_end(&mut rest).ok();
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
    fn cpu_time_is_found_behind_any_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 130 0 0 20 0 4 0 100 0 0";
        assert_eq!(ticks(stat), Some(380));
        assert_eq!(ticks("7 (x) S 1"), None);
    }
}
