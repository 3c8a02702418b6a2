//! The program `food`, as it ships, on a directory of its own.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{Child, End, Error};

/// A running system without demo actors.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    binary: PathBuf,
    data: PathBuf,
}

// === impl Program ===

impl Program {
    /// Starts it on a port of the system's choice, with those variables of the environment. Its log goes to a file beside its data.
    pub(super) fn start(binary: &Path, data: &Path, engines: &[(&str, String)]) -> Result<Self, Error> {
        std::fs::create_dir_all(data)?;
        let mut command = Command::new(binary);
        command.args(["--no-demo", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        command.envs(engines.iter().map(|(name, value)| (name, value)));
        command.stderr(File::create(data.join("food.log"))?);
        let child = Child::run(command, End::Kill)?;
        Ok(Self { child, binary: binary.to_owned(), data: data.to_owned() })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.child.address()
    }

    /// User and system time so far.
    pub(super) fn cpu(&self) -> Result<Duration, Error> {
        self.child.cpu()
    }

    pub(super) fn resident_kib(&self) -> Result<u64, Error> {
        self.child.resident_kib()
    }

    /// The header line that says who asks.
    pub(super) fn authorization(&self, subject: &str, role: &str) -> Result<String, Error> {
        let mut command = Command::new(&self.binary);
        command.args(["token", "--sub", subject, "--role", role, "--data"]).arg(&self.data);
        let output = command.stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8(output.stdout)?;
        let token = text.lines().last().filter(|_| output.status.success()).ok_or("food gives no token")?;
        Ok(format!("authorization: Bearer {token}\r\n"))
    }
}
