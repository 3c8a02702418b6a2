//! A supervisor: the parts of a system as processes of one machine, kept alive, restarted in turn, drained in order.

mod child;
mod claim;
mod keeper;
mod plan;
mod voices;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::BoxError;
use partie_identity::Signer;
use partie_mesh::{BindError, Handles, Listener};
use partie_runtime::monotonic;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::process::Command;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub(crate) use self::child::WAITING;
use self::claim::Claim;
pub(crate) use self::claim::door;
use self::keeper::{Keeper, Order, State};
pub(crate) use self::plan::{Plan, Slot};
use self::voices::{Voice, Voices};
use crate::cli::out;
use crate::config::Config;
use crate::platform;
use crate::server::GATEWAY;
use crate::wire::join_grant;

/// The longest a drain of everything may take.
const DRAIN: Duration = Duration::from_secs(30);
/// How long the port may be held by what a supervisor that was killed has left.
const AFTER_DEATH: Duration = Duration::from_secs(35);
/// How long to wait before a port that is held is tried again.
const PORT_AGAIN: Duration = Duration::from_millis(50);
/// How many lines newcomers are told at most.
const LONGEST_WELCOME: usize = 1024;
/// The longest request.
const LONGEST_REQUEST: u64 = 256;
/// The variable a join token is handed over in.
const JOIN: &str = "PARTIE_JOIN";

/// What a supervisor starts.
pub(crate) struct Troupe {
    pub(crate) plan: Plan,
    /// The name of the system.
    pub(crate) system: &'static str,
    pub(crate) config: Config,
    /// The directory of all data, made if it is not there.
    pub(crate) data: PathBuf,
    /// Whether that goes at the end.
    pub(crate) temporary: bool,
    /// Flags of every process.
    pub(crate) flags: Vec<String>,
    /// Environment of every process.
    pub(crate) environment: Vec<(String, String)>,
}

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

/// Runs the processes until it is told to stop.
pub(crate) async fn run(troupe: Troupe) -> ExitCode {
    match troupe.perform().await {
        Ok(code) => code,
        Err(error) => {
            out::error(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

// === impl Troupe ===

impl Troupe {
    async fn perform(self) -> Result<ExitCode, BoxError> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        std::fs::create_dir_all(&self.data)?;
        let claim = Claim::take(&self.data)?;
        let signer = Signer::development(&self.data)?;
        signer.check_listen(self.config.gateway.listen)?;
        // The sockets outlive the processes that serve them: a restart loses no connection.
        let edge = socket(self.config.gateway.listen, &self.config, claim.after_death).await?;
        let meeting = socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &self.config, false).await?;
        let (url, registry) = (format!("http://{}", edge.local_addr()?), meeting.local_addr()?);
        let requests = claim::open_door(&self.data);

        let (audience, mut welcome) = mpsc::channel(LONGEST_WELCOME);
        let supervisor = self.start(&signer, (edge, meeting), registry, &audience);
        if let Err(error) = &requests {
            supervisor.own.say(format_args!("`restart` does not work here, SIGHUP does: {error}"));
        }
        let opened = tokio::select! {
            opened = supervisor.opened() => opened,
            _ = interrupt.recv() => Err(ExitCode::from(130)),
            _ = terminate.recv() => Err(ExitCode::SUCCESS),
        };
        let code = match opened {
            Ok(()) => {
                out::line(&format!("listening on {url}"));
                out::line(&format!("registry on http://{registry}"));
                out::flush();
                tokio::spawn(async move {
                    while let Some(line) = welcome.recv().await {
                        out::line(&line);
                        out::flush();
                    }
                });
                supervisor.serve(requests.ok(), &mut interrupt, &mut terminate, &mut hang_up).await;
                ExitCode::SUCCESS
            }
            Err(code) => code,
        };
        let drained = tokio::select! {
            drained = supervisor.drain() => drained,
            _ = interrupt.recv() => {
                supervisor.kill().await;
                false
            }
        };
        std::fs::remove_file(door(&self.data)).ok();
        claim.release();
        if self.temporary {
            // What cannot be removed is in the system's own place for such files.
            std::fs::remove_dir_all(&self.data).ok();
        }
        Ok(if drained { code } else { ExitCode::from(130) })
    }

    /// Starts a keeper for each process. Services and gateway wait for the platform by themselves.
    fn start(
        &self,
        signer: &Signer,
        (edge, meeting): (TcpListener, TcpListener),
        registry: SocketAddr,
        audience: &mpsc::Sender<String>,
    ) -> Supervisor {
        let voices = Voices::of(self.plan.slots.iter().map(|slot| slot.label.as_str()));
        let command = self.command(signer.clone(), registry);
        let (mut edge, mut meeting) = (Some(edge), Some(meeting));
        let players = self.plan.slots.iter().enumerate().map(|(number, slot)| {
            let (state, seen) = watch::channel(State::Starting);
            let (orders, told) = mpsc::channel(8);
            let keeper = Keeper {
                slot: slot.clone(),
                voice: voices.voice(&slot.label, number),
                own: voices.own(),
                command: Arc::clone(&command),
                socket: match slot.part {
                    platform::NAME => meeting.take(),
                    GATEWAY => edge.take(),
                    _ => None,
                },
                audience: Some(audience.clone()).filter(|_| slot.part == GATEWAY),
                state,
                orders: told,
                leaving: false,
            };
            Player { slot: slot.clone(), state: seen, orders, keeper: tokio::spawn(keeper.keep()) }
        });
        Supervisor { players: players.collect(), own: voices.own() }
    }

    fn command(&self, signer: Signer, registry: SocketAddr) -> Arc<dyn Fn(&Slot) -> Command + Send + Sync> {
        let (system, flags, environment) = (self.system, self.flags.clone(), self.environment.clone());
        // The program as it is now: after an upgrade a restart runs the new one.
        let program = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
        Arc::new(move |slot| {
            let mut command = Command::new(&program);
            command.args(["serve", slot.part, "--supervised"]).args(&flags);
            command.envs(environment.iter().map(|(name, value)| (name, value)));
            if slot.part != platform::NAME {
                command.arg("--registry").arg(format!("http://{registry}"));
            }
            if matches!(slot.part, platform::NAME | GATEWAY) {
                command.arg("--inherited");
            }
            // Without one the process is refused, and says so.
            if let Ok(token) = signer.issue(&join_grant(system, slot.part)) {
                command.env(JOIN, token);
            }
            command
        })
    }
}

/// A socket at that address, which may be held for a while by the processes of a supervisor that was killed.
async fn socket(address: SocketAddr, config: &Config, after_death: bool) -> Result<TcpListener, BoxError> {
    let until = monotonic() + AFTER_DEATH;
    loop {
        match Listener::bind(address, config.gateway.limits.clone(), 0, Handles::default()) {
            Ok(listener) => return Ok(listener.socket()?),
            Err(BindError::Taken { .. }) if after_death && monotonic() < until => {
                tokio::time::sleep(PORT_AGAIN).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
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
