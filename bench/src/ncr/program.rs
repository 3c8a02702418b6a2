//! The program `ncr`, as it ships.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Child, End, Error};

/// How the system runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// All of it in one process: calls between services are function calls.
    OneProcess,
    /// Each part a process: gateway, calculator, factorial, platform and supervisor. Every hop is a wire.
    Processes,
}

/// A running system.
#[derive(Debug)]
pub struct Program {
    child: Child,
    data: PathBuf,
}

// === impl Form ===

impl Form {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneProcess => "partie, one process",
            Self::Processes => "partie, processes",
        }
    }
}

// === impl Program ===

impl Program {
    /// Starts it on a port of the system's choice, with these environment variables. Data and log go to a directory of
    /// its own under `dir`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(binary: &Path, dir: &Path, form: Form, settings: &[(&str, &str)]) -> Result<Self, Error> {
        let data = dir.join(format!("{}-{}", form.name().replace([' ', ','], ""), settings.len()));
        std::fs::create_dir_all(&data)?;
        let mut command = Command::new(binary);
        command.arg("up");
        if form == Form::Processes {
            command.arg("--processes");
        }
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(&data);
        command.env_remove("HOST").env_remove("PORT").envs(settings.iter().copied());
        command.stderr(File::create(data.join("ncr.log"))?);
        Ok(Self { child: Child::run(command, End::Drain)?, data })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.child.address()
    }

    /// User and system time of all its processes so far.
    ///
    /// # Errors
    /// When `/proc` does not say.
    pub fn cpu(&self) -> Result<Duration, Error> {
        self.child.cpu_of_all()
    }

    /// What it has logged, for whoever has to explain a failure.
    pub fn log(&self) -> PathBuf {
        self.data.join("ncr.log")
    }
}
