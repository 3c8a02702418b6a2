//! One process under a supervisor.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::process::{self, Command};
use tokio::sync::{mpsc, watch};

use super::voices::Voice;

/// How far a process is. Later is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It begins.
    Starting,
    /// All that is missing is a store that another process owns.
    Waiting,
    /// It answers there.
    Listening(SocketAddr),
}

/// A process that runs. Killed when dropped.
#[derive(Debug)]
pub(super) struct Child {
    process: process::Child,
    /// Hanging up tells it to drain. Its end of the line notices too when this process is gone.
    line: Option<OwnedWriteHalf>,
    pub(super) stage: watch::Receiver<Stage>,
}

/// What a process says when it waits for a store.
pub(crate) const WAITING: &str = "waiting for the store";

// === impl Child ===

impl Child {
    /// Starts it. Its input is the socket it serves, if it is to serve one of ours; its output is a line in both
    /// directions; what it logs is said in its voice. What else it says on its line goes to `audience`, if there is one.
    pub(super) fn spawn(
        mut command: Command,
        socket: Option<TcpListener>,
        voice: &Voice,
        audience: Option<mpsc::Sender<String>>,
    ) -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        command
            .stdin(socket.map_or_else(Stdio::null, |socket| Stdio::from(OwnedFd::from(socket))))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::piped())
            // Ctrl-C is for us: we drain them in order.
            .process_group(0)
            .kill_on_drop(true);
        let mut process = command.spawn()?;
        // Drops their end of the line, so that we notice when they hang up.
        drop(command);
        let (answers, line) = UnixStream::from_std(ours)?.into_split();
        if let Some(logs) = process.stderr.take() {
            let voice = voice.clone();
            tokio::spawn(lines(logs, move |line| voice.say(line)));
        }
        let (reached, stage) = watch::channel(Stage::Starting);
        let voice = voice.clone();
        tokio::spawn(lines(answers, move |line| match stage_of(&line) {
            Some(stage) => _ = reached.send_replace(stage),
            None => match &audience {
                // A program that talks more than anybody wants to hear is cut short.
                Some(audience) => _ = audience.try_send(line).ok(),
                None if line.is_empty() => {}
                None => voice.say(line),
            },
        }));
        Ok(Self { process, line: Some(line), stage })
    }

    /// Tells it to drain.
    pub(super) fn hang_up(&mut self) {
        self.line = None;
    }

    /// Ends it now.
    pub(super) fn kill(&mut self) {
        // One that is gone already is what was wanted.
        self.process.start_kill().ok();
    }

    /// How it ended.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.process.wait().await
    }
}

fn stage_of(line: &str) -> Option<Stage> {
    if line == WAITING {
        return Some(Stage::Waiting);
    }
    line.strip_prefix("listening on http://")?.parse().ok().map(Stage::Listening)
}

/// Hands over line by line until the other end is gone. Bytes that are no text are replaced.
async fn lines(from: impl AsyncRead + Unpin, mut each: impl FnMut(String)) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        each(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
        line.clear();
    }
}
