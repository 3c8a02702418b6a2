//! The tutorial's pair: a Flask gateway and a grpcio server, each a process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{Child, End, Error};

/// The running pair.
#[derive(Debug)]
pub struct Pair {
    web: Child,
    factorial: Child,
}

// === impl Pair ===

impl Pair {
    /// Starts the two with that Python, which has Flask and grpcio-tools. What those make of `fact.proto` goes to `dir`.
    ///
    /// # Errors
    /// When there is no stub, or one of them does not start.
    pub fn start(python: &Path, dir: &Path) -> Result<Self, Error> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let stub = dir.join("stub");
        std::fs::create_dir_all(&stub)?;
        let mut protoc = Command::new(python);
        protoc.args(["-m", "grpc_tools.protoc", "fact.proto"]);
        protoc.arg("-I").arg(here.join("../systems/ncr/contracts/proto"));
        for kind in ["--python_out", "--grpc_python_out"] {
            protoc.arg(format!("{kind}={}", stub.display()));
        }
        if !protoc.status()?.success() {
            return Err("grpcio-tools make nothing of fact.proto".into());
        }
        let start = |arguments: &[&str]| {
            let mut command = Command::new(python);
            command.arg(here.join("flask/ncr.py")).args(arguments).env("PYTHONPATH", &stub);
            command.stderr(Stdio::null());
            Child::run(command, End::Input)
        };
        let factorial = start(&["factorial"])?;
        Ok(Self { web: start(&["web", &factorial.address().to_string()])?, factorial })
    }

    /// Where the gateway listens.
    pub fn address(&self) -> SocketAddr {
        self.web.address()
    }

    /// User and system time of both so far.
    ///
    /// # Errors
    /// When `/proc` does not say.
    pub fn cpu(&self) -> Result<Duration, Error> {
        Ok(self.web.cpu_of_all()? + self.factorial.cpu_of_all()?)
    }
}
