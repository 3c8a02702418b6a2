//! Servers of vendors, started by the test and ended with it.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};

use crate::world::LIMIT;

/// A process that ends with the test, and says when it is ready.
pub(crate) struct Process(Child);

/// A directory in the target directory that goes with the test.
pub(crate) struct TestDir(PathBuf);

// === impl Process ===

impl Process {
    /// Starts it and waits until it says that. The server may say it on either of its outputs.
    pub(crate) async fn start(mut command: Command, ready: &str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| {
            let program = command.as_std().get_program().to_string_lossy().into_owned();
            panic!("{program} is missing ({error}): cargo xtask test --only setup installs it")
        });
        let (told, tell) = tokio::sync::mpsc::channel(64);
        follow(BufReader::new(child.stdout.take().unwrap()).lines(), told.clone());
        follow(BufReader::new(child.stderr.take().unwrap()).lines(), told);
        tokio::time::timeout(LIMIT, listen(tell, ready)).await.expect("the server does not start");
        Self(child)
    }

    /// Starts one that says nothing.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        Self(command.spawn().expect("a program is missing: cargo xtask test --only setup installs it"))
    }

    /// With SIGKILL.
    pub(crate) async fn kill(mut self) {
        tokio::time::timeout(LIMIT, self.0.kill()).await.unwrap().unwrap();
    }
}

async fn listen(mut lines: tokio::sync::mpsc::Receiver<String>, ready: &str) {
    let mut said = Vec::new();
    loop {
        let Some(line) = lines.recv().await else { panic!("the server ended: {said:#?}") };
        if line.contains(ready) {
            break;
        }
        said.push(line);
    }
    // It goes on talking, and must not be held up by nobody listening.
    tokio::spawn(async move { while lines.recv().await.is_some() {} });
}

fn follow<R: AsyncRead + Unpin + Send + 'static>(
    mut lines: Lines<BufReader<R>>,
    told: tokio::sync::mpsc::Sender<String>,
) {
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            if told.send(line).await.is_err() {
                break;
            }
        }
    });
}

// === impl TestDir ===

impl TestDir {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("partie-{name}-{}-{number}", std::process::id()));
        drop(std::fs::remove_dir_all(&dir));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// An address nobody listens on. The next moment somebody might, but a test that is unlucky says so.
pub(crate) fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A program that `cargo xtask test --only setup` installed from PyPI.
pub(crate) fn installed(venv: &str, inside: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let program = target.join("xtask").join(venv).join(inside);
    assert!(program.exists(), "{venv} is missing: cargo xtask test --only setup installs it");
    program
}
