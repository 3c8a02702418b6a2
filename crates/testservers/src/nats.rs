//! NATS with JetStream: a server of its own, its streams on the disk.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread::sleep;
use std::time::Duration;

use crate::guard::{Directory, free_port, guarded};

/// How long a server may take to be ready, in hundredths of a second.
const PATIENCE: u32 = 3000;
/// What it says then.
const READY: &str = "Server is ready";

/// A server. Dropping it ends it at once; so does the end of the process, however that ends.
#[derive(Debug)]
pub struct Nats {
    dir: Directory,
    port: u16,
    server: Mutex<Option<Child>>,
    prefixes: AtomicU32,
}

// === impl Nats ===

impl Nats {
    /// The one server of a test binary, for tests that do it no harm. Each takes a [`prefix`](Self::prefix) of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Nats> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server for a test that kills it.
    ///
    /// # Panics
    /// When it is not installed, or does not start within half a minute.
    pub fn start() -> Self {
        let (dir, port) = (Directory::new("nats"), free_port());
        fs::create_dir(dir.path().join("data")).unwrap();
        let nats = Self { dir, port, server: Mutex::new(None), prefixes: AtomicU32::new(0) };
        nats.restart();
        nats
    }

    /// Starts it again, on its port and with its data, after [`kill`](Self::kill).
    ///
    /// # Panics
    /// When it does not start within half a minute.
    pub fn restart(&self) {
        let log = self.dir.path().join("log");
        fs::write(&log, "").unwrap();
        let mut command = guarded("-KILL", &log);
        command.arg(installed()).arg("--jetstream").arg("--store_dir").arg(self.data());
        command.args(["--addr", "127.0.0.1", "--port", &self.port.to_string()]);
        command.arg("--pid").arg(self.pid_file());
        *self.server.lock().unwrap() = Some(command.spawn().unwrap());
        let said = || fs::read_to_string(&log).unwrap_or_default();
        for _ in 0..PATIENCE {
            if said().contains(READY) {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("NATS does not start: {}", said());
    }

    /// Ends it as the loss of its process would: it has no last word.
    pub fn kill(&self) {
        let pid = fs::read_to_string(self.pid_file()).unwrap();
        let sent = Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap();
        assert!(sent.success());
        if let Some(mut server) = self.server.lock().unwrap().take() {
            server.wait().unwrap();
        }
    }

    /// A prefix nobody used before: a stream of its own.
    pub fn prefix(&self) -> String {
        format!("test_{}", self.prefixes.fetch_add(1, Ordering::Relaxed))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// The address to connect to it.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Where its streams are.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.path().join("pid")
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        if let Ok(Some(server)) = self.server.get_mut() {
            // The end of its input ends it.
            drop(server.stdin.take());
            drop(server.wait());
        }
    }
}

/// What `cargo xtask test --only setup` has installed in the target directory: the one this test was built in.
fn installed() -> PathBuf {
    let inside = Path::new("xtask/nats-server/bin/nats-server");
    let test = std::env::current_exe().unwrap();
    let found = test.ancestors().map(|dir| dir.join(inside)).find(|path| path.exists());
    found.expect("nats-server is missing: cargo xtask test --only setup installs it")
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn it_comes_back_where_it_was_and_nothing_survives_the_test() {
        let nats = Nats::start();
        let answers = || TcpStream::connect(nats.address()).is_ok();
        assert!(answers());
        nats.kill();
        assert!(!answers());
        nats.restart();
        assert!(answers());
        assert_ne!(nats.prefix(), nats.prefix());
        let (data, address) = (nats.data(), nats.address());
        drop(nats);
        assert!(!data.exists());
        assert!(TcpStream::connect(address).is_err());
    }
}
