//! Keeps one process alive, until it is told to let it go.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partie_runtime::monotonic;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot, watch};

use super::child::{Child, Stage};
use super::plan::Slot;
use super::voices::Voice;

/// The wait after the first end; it doubles.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(10);
/// A process that has run so long was healthy.
const HEALTHY: Duration = Duration::from_secs(60);
/// So many ends in a row are told as what they are.
const LOOP: u32 = 5;
/// How long a process may take to drain.
const DRAIN: Duration = Duration::from_secs(30);
/// How long the successor may take until it can take over.
const TAKE_OVER: Duration = Duration::from_secs(30);

/// What a keeper is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Put a new process in the place of the one that runs, without a gap where that is possible.
    Restart(oneshot::Sender<Result<Duration, String>>),
    /// Let it drain, and end.
    Drain,
    /// Kill it, and start it again as if it had died by itself. Told when it answers.
    Crash(oneshot::Sender<()>),
    /// Kill it, and end.
    Kill,
}

/// How it stands with a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// It has never answered so far.
    Starting,
    /// It answers there, or will again.
    Up(SocketAddr),
    /// It was refused at its start: trying again would end the same way.
    Refused,
}

/// What it takes to start a process, again and again.
pub(super) struct Keeper {
    pub(super) slot: Slot,
    pub(super) voice: Voice,
    pub(super) own: Voice,
    /// Made anew for each start: tokens do not last.
    pub(super) command: Arc<dyn Fn(&Slot) -> Command + Send + Sync>,
    /// Its socket, if that outlives it.
    pub(super) socket: Option<TcpListener>,
    /// Where goes what it says to newcomers, once.
    pub(super) audience: Option<mpsc::Sender<String>>,
    pub(super) state: watch::Sender<State>,
    pub(super) orders: mpsc::Receiver<Order>,
    /// Told to end while a restart was under way.
    pub(super) leaving: bool,
    /// Who waits for a process that was killed on purpose to be back.
    pub(super) revived: Option<oneshot::Sender<()>>,
}

/// Why a process is not waited for any more.
enum Next {
    Ended(std::io::Result<ExitStatus>),
    Told(Order),
}

// === impl Keeper ===

impl Keeper {
    pub(super) async fn keep(mut self) {
        let mut failures = 0;
        loop {
            let begun = monotonic();
            let spawned = self.spawn();
            if let (Ok(child), Some(revived)) = (&spawned, self.revived.take()) {
                let mut stage = child.stage.clone();
                tokio::spawn(async move {
                    // If it ends before it answers, whoever waits is told so by the end of the line.
                    if stage.wait_for(|stage| matches!(stage, Stage::Listening(_))).await.is_ok() {
                        _ = revived.send(()).ok();
                    }
                });
            }
            let ended = match spawned {
                Ok(child) => match self.watch(child, begun).await {
                    Some(ended) => ended,
                    None => return,
                },
                Err(error) => format!("does not start: {error}"),
            };
            let on_purpose = self.revived.is_some();
            failures = if on_purpose || begun.elapsed() >= HEALTHY { 1 } else { failures + 1 };
            if *self.state.borrow() == State::Refused {
                return;
            }
            let wait = FIRST.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST);
            let label = &self.slot.label;
            match failures {
                1..LOOP => self.own.say(format_args!("{label} {ended}; it starts again in {wait:?}")),
                _ => self.own.say(format_args!(
                    "{label} {ended}, the {failures}th time in a row: something is wrong with it. It is tried again \
                     in {wait:?}"
                )),
            }
            if !self.pause(wait).await {
                return;
            }
        }
    }

    fn spawn(&mut self) -> std::io::Result<Child> {
        let socket = self.socket.as_ref().map(TcpListener::try_clone).transpose()?;
        let mut command = (self.command)(&self.slot);
        let audience = self.audience.clone().filter(|_| *self.state.borrow() == State::Starting);
        match audience {
            Some(_) => _ = command.arg("--welcome"),
            // Whoever came has been told.
            None => self.audience = None,
        }
        Child::spawn(command, socket, &self.voice, audience)
    }

    /// Waits for the end of a process and says how it ended, or nothing if that was wanted.
    async fn watch(&mut self, mut child: Child, begun: Instant) -> Option<String> {
        loop {
            if self.leaving {
                self.drain(child).await;
                return None;
            }
            let (state, mut stage) = (self.state.clone(), child.stage.clone());
            let next = tokio::select! {
                ended = child.ended() => Next::Ended(ended),
                order = self.orders.recv() => Next::Told(order.unwrap_or(Order::Drain)),
                Ok(stage) = stage.wait_for(|stage| is_news(*stage, &state)) => {
                    if let Stage::Listening(address) = *stage {
                        self.state.send_replace(State::Up(address));
                    }
                    continue;
                }
            };
            match next {
                Next::Ended(ended) => {
                    let refused = ended.as_ref().is_ok_and(|status| status.code() == Some(2));
                    if refused && *self.state.borrow() == State::Starting {
                        self.state.send_replace(State::Refused);
                    }
                    return Some(told(&ended, begun));
                }
                Next::Told(Order::Kill) => {
                    child.kill();
                    // It is gone or will be; there is nothing to be done about it.
                    child.ended().await.ok();
                    return None;
                }
                Next::Told(Order::Crash(revived)) => {
                    child.kill();
                    self.revived = Some(revived);
                }
                Next::Told(Order::Drain) => {
                    self.drain(child).await;
                    return None;
                }
                Next::Told(Order::Restart(done)) => {
                    let restarted = self.replace(&mut child).await;
                    _ = done.send(restarted).ok();
                }
            }
        }
    }

    /// Starts a successor, and has the process that runs drain once the successor has all but what that one holds.
    async fn replace(&mut self, child: &mut Child) -> Result<Duration, String> {
        let (begun, label) = (monotonic(), self.slot.label.clone());
        let mut next = self.spawn().map_err(|error| format!("{label} does not start: {error}"))?;
        let mut stage = next.stage.clone();
        tokio::select! {
            reached = tokio::time::timeout(TAKE_OVER, stage.wait_for(|stage| *stage > Stage::Starting)) => {
                if !matches!(reached, Ok(Ok(_))) {
                    return Err(format!("the new {label} is not ready to take over; the old one goes on"));
                }
            }
            ended = next.ended() => {
                return Err(format!("the new {label} {}; the old one goes on", told(&ended, begun)));
            }
        }
        let old = std::mem::replace(child, next);
        // Whatever becomes of the new one is seen by whoever watches it.
        self.drain(old).await;
        let listening = child.stage.wait_for(|stage| matches!(stage, Stage::Listening(_)));
        match tokio::time::timeout(TAKE_OVER, listening).await {
            Ok(Ok(_)) => Ok(begun.elapsed()),
            _ => Err(format!("the new {label} does not answer yet")),
        }
    }

    /// Until it has drained, or somebody has had enough.
    async fn drain(&mut self, mut child: Child) {
        child.hang_up();
        let until = tokio::time::sleep(DRAIN);
        tokio::pin!(until);
        loop {
            tokio::select! {
                _ = child.ended() => return,
                () = &mut until => {
                    self.own.say(format_args!("{} did not drain within 30 s and is killed", self.slot.label));
                    break;
                }
                order = self.orders.recv() => match order {
                    Some(Order::Kill) | None => {
                        self.leaving = true;
                        break;
                    }
                    Some(Order::Drain) => self.leaving = true,
                    Some(Order::Restart(_) | Order::Crash(_)) => {}
                },
            }
        }
        child.kill();
        child.ended().await.ok();
    }

    /// Waits before the next start, and says whether there is to be one.
    async fn pause(&mut self, wait: Duration) -> bool {
        let until = tokio::time::sleep(wait);
        tokio::pin!(until);
        tokio::select! {
            () = &mut until => true,
            order = self.orders.recv() => match order {
                Some(Order::Restart(done)) => {
                    _ = done.send(Ok(Duration::ZERO)).ok();
                    true
                }
                // It is dead already.
                Some(Order::Crash(revived)) => {
                    self.revived = Some(revived);
                    true
                }
                Some(Order::Drain | Order::Kill) | None => false,
            },
        }
    }
}

fn is_news(stage: Stage, state: &watch::Sender<State>) -> bool {
    matches!(stage, Stage::Listening(address) if *state.borrow() != State::Up(address))
}

fn told(ended: &std::io::Result<ExitStatus>, begun: Instant) -> String {
    match ended {
        Ok(status) => format!("ended after {:.1?} ({status})", begun.elapsed()),
        Err(error) => format!("cannot be watched: {error}"),
    }
}
