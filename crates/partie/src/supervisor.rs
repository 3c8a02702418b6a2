//! A supervisor: the parts of a system as processes of one machine, kept alive, restarted in turn, drained in order.

mod chaos;
mod child;
mod claim;
mod keeper;
mod plan;
mod troupe;
mod voices;

use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub(crate) use self::child::WAITING;
pub(crate) use self::claim::{door, runs};
use self::keeper::{Order, State};
pub(crate) use self::plan::{Plan, Slot};
pub(crate) use self::troupe::{Troupe, run};
use self::voices::Voice;
use crate::cli::out;

/// The longest a drain of everything may take.
const DRAIN: Duration = Duration::from_secs(30);
/// The longest request.
const LONGEST_REQUEST: u64 = 256;

/// The system as processes.
struct Supervisor {
    players: Vec<Player>,
    own: Voice,
}

/// One process, from outside.
struct Player {
    slot: Slot,
    state: watch::Receiver<State>,
    orders: mpsc::Sender<Order>,
    keeper: JoinHandle<()>,
}

/// What a person or a program wants.
enum Wish {
    Drain,
    Restart,
    Request(UnixStream),
}

// === impl Supervisor ===

impl Supervisor {
    /// Until everything answers; or which code to end with, when it cannot.
    async fn opened(&self) -> Result<(), ExitCode> {
        for player in &self.players {
            let mut state = player.state.clone();
            let settled = state.wait_for(|state| *state != State::Starting).await;
            if !matches!(settled.as_deref(), Ok(State::Up(_))) {
                out::error(&format!("error: {} does not start; it says above why", player.slot.label));
                return Err(ExitCode::from(2));
            }
        }
        Ok(())
    }

    /// Does what it is asked to, until it is told to stop.
    async fn serve(
        &self,
        requests: Option<UnixListener>,
        interrupt: &mut Signal,
        terminate: &mut Signal,
        hang_up: &mut Signal,
    ) {
        loop {
            let request = async {
                match &requests {
                    Some(requests) => requests.accept().await,
                    None => std::future::pending().await,
                }
            };
            let wish = tokio::select! {
                _ = interrupt.recv() => Wish::Drain,
                _ = terminate.recv() => Wish::Drain,
                _ = hang_up.recv() => Wish::Restart,
                Ok((request, _)) = request => Wish::Request(request),
            };
            let work = async {
                match wish {
                    Wish::Drain => return true,
                    Wish::Restart => self.restart(None, None).await,
                    Wish::Request(stream) => self.answer(stream).await,
                }
                false
            };
            let stop = tokio::select! {
                stop = work => stop,
                _ = interrupt.recv() => true,
                _ = terminate.recv() => true,
            };
            if stop {
                return;
            }
        }
    }

    /// One request: `restart` or `restart NAME`. What is done is told line by line.
    async fn answer(&self, stream: UnixStream) {
        let (from, mut to) = stream.into_split();
        let mut line = String::new();
        let mut from = BufReader::new(from.take(LONGEST_REQUEST));
        let read = tokio::time::timeout(Duration::from_secs(1), from.read_line(&mut line)).await;
        if !matches!(read, Ok(Ok(_))) {
            return;
        }
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("restart"), name) => self.restart(name, Some(&mut to)).await,
            _ => tell(&mut to, "error: the supervisor knows `restart` and `restart NAME`").await,
        }
    }

    /// Restarts processes one after another: those of a name or a label, or all.
    async fn restart(&self, name: Option<&str>, mut to: Option<&mut OwnedWriteHalf>) {
        let is_meant = |slot: &Slot| name.is_none_or(|name| slot.part == name || slot.label == name);
        let mut any = false;
        for player in self.players.iter().filter(|player| is_meant(&player.slot)) {
            any = true;
            let (done, end) = oneshot::channel();
            let sent = player.orders.send(Order::Restart(done)).await.is_ok();
            let line = match if sent { end.await.ok() } else { None } {
                Some(Ok(took)) => format!("restarted {} in {took:.1?}", player.slot.label),
                Some(Err(error)) => format!("error: {error}"),
                None => format!("error: {} is ending", player.slot.label),
            };
            self.own.say(&line);
            if let Some(to) = to.as_deref_mut() {
                tell(to, &line).await;
            }
            if line.starts_with("error") {
                return;
            }
        }
        if let (false, Some(to)) = (any, to) {
            let known: Vec<_> = self.players.iter().map(|player| player.slot.label.as_str()).collect();
            tell(to, &format!("error: there is no such process; there are {}", known.join(", "))).await;
        }
    }

    /// Whom chaos may kill: everybody.
    fn victims(&self) -> Vec<mpsc::Sender<Order>> {
        self.players.iter().map(|player| player.orders.clone()).collect()
    }

    /// Drains everything in order: callers first, the platform last. Says whether that was within its time.
    async fn drain(&self) -> bool {
        let drained = async {
            for player in self.players.iter().rev() {
                player.orders.send(Order::Drain).await.ok();
                player.gone().await;
            }
        };
        if tokio::time::timeout(DRAIN, drained).await.is_ok() {
            return true;
        }
        self.own.say("the drain took more than 30 s and is cut off");
        self.kill().await;
        false
    }

    async fn kill(&self) {
        for player in &self.players {
            player.orders.send(Order::Kill).await.ok();
        }
        for player in &self.players {
            player.gone().await;
        }
    }
}

impl Player {
    /// Ends when the keeper has.
    async fn gone(&self) {
        self.orders.closed().await;
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn tell(to: &mut OwnedWriteHalf, line: &str) {
    // Whoever does not wait for the answer gets what they asked for all the same.
    to.write_all(format!("{line}\n").as_bytes()).await.ok();
}
