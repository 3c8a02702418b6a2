//! What a supervisor starts: the sockets, the processes, and what each of them is given.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use partie_contract::BoxError;
use partie_identity::Signer;
use partie_mesh::{BindError, Handles, Listener};
use partie_runtime::monotonic;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::chaos::kill_now_and_then;
use super::claim::{self, Claim, door};
use super::keeper::{Keeper, State};
use super::plan::{Plan, Slot};
use super::voices::Voices;
use super::{Player, Supervisor};
use crate::chaos::{COUNTS, Chaos};
use crate::cli::out;
use crate::config::{Config, PublicUrl};
use crate::platform;
use crate::server::GATEWAY;
use crate::wire::join_grant;

/// How long the port may be held by what a supervisor that was killed has left.
const AFTER_DEATH: Duration = Duration::from_secs(35);
/// How long to wait before a port that is held is tried again.
const PORT_AGAIN: Duration = Duration::from_millis(50);
/// How many lines newcomers are told at most.
const LONGEST_WELCOME: usize = 1024;
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
    /// What goes wrong on purpose.
    pub(crate) chaos: Option<Chaos>,
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
    async fn perform(mut self) -> Result<ExitCode, BoxError> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        std::fs::create_dir_all(&self.data)?;
        let claim = Claim::take(&self.data)?;
        // What an earlier chaos has left is told.
        std::fs::remove_dir_all(self.data.join(COUNTS)).ok();
        let signer = Signer::development(&self.data)?;
        signer.check_listen(self.config.gateway.listen)?;
        // The sockets outlive the processes that serve them: a restart loses no connection.
        let edge = socket(self.config.gateway.listen, &self.config, claim.after_death).await?;
        let limits = &self.config.gateway.limits;
        let meeting = self.config.registry.bind::<BoxError>(limits, &Handles::default())?.socket()?;
        let (at, registry) = (edge.local_addr()?, meeting.local_addr()?);
        let url = PublicUrl::of(at, self.config.gateway.tls.is_some());
        // The services cannot know which port the gateway got, and write links to it.
        let public_url = self.config.public_url(at);
        self.environment.push(("PARTIE__PUBLIC_URL".to_owned(), public_url.into()));
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
                let serving = supervisor.serve(requests.ok(), &mut interrupt, &mut terminate, &mut hang_up);
                match &self.chaos {
                    Some(chaos) => tokio::select! {
                        () = serving => {}
                        () = kill_now_and_then(supervisor.victims(), chaos.clone()) => {}
                    },
                    None => serving.await,
                }
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
        if let Some(chaos) = &self.chaos {
            chaos.tally().gather(&self.data.join(COUNTS));
            out::tally(chaos.tally());
        }
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
                revived: None,
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
