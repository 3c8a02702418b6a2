//! `serve`: one part of the system in this process: a service, the gateway, or the platform they meet at.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches};
use partie_mesh::discovery::RegistryUrl;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::life::{self, Signals};
use super::reload::Source;
use super::{out, refuse, up};
use crate::Config;
use crate::platform;
use crate::server::GATEWAY;
use crate::supervisor::WAITING;
use crate::system::{Environment, Listen, Meeting, Place, System};

/// The environment variable of the join token, which has no place in a list of processes.
pub(super) const JOIN: &str = "PARTIE_JOIN";
/// Any free port of this machine.
const ANYWHERE: &str = "127.0.0.1:0";

pub(super) fn command(system: &System) -> clap::Command {
    let own = |id: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name(value).help(help)
    };
    clap::Command::new("serve")
        .about("Run one service alone in this process; or the gateway, or the platform they all meet at")
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .help(format!("One of: {}", system.parts().join(", "))),
        )
        .arg(own(
            "registry",
            "URL",
            "Where services find each other: what `serve platform` listens on (http://HOST:PORT), or etcd://HOST:PORT, \
             consul://HOST:PORT, dns:DOMAIN, static:NAME=ADDR,ADDR;NAME=ADDR",
        ))
        .arg(own(
            "broker",
            "URL",
            "What carries the events: what `serve platform` listens on [default: the registry, if it is that]",
        ))
        .arg(own("listen", "ADDR", "Where to listen; port 0 is any free port [default: 127.0.0.1:0]"))
        .arg(super::data_flag(system))
        .arg(own(
            "join",
            "TOKEN",
            "What lets this process be that service, if it is not the key; or PARTIE_JOIN",
        ))
        .arg(own(
            "key",
            "FILE",
            "The key of the system, PKCS#8 [default: the development key in the data directory]",
        ))
        .arg(
            own("system", "NAME", "The system it is part of")
                .help(format!("The system it is part of [default: {}]", system.name)),
        )
        .arg(super::config_flag())
        .arg(Arg::new("no-demo").long("no-demo").action(ArgAction::SetTrue).hide(true))
        .arg(super::chaos_flag().hide(true).requires("supervised"))
        .arg(Arg::new("supervised").long("supervised").action(ArgAction::SetTrue).hide(true))
        .arg(Arg::new("welcome").long("welcome").action(ArgAction::SetTrue).hide(true))
        .arg(Arg::new("inherited").long("inherited").action(ArgAction::SetTrue).hide(true))
}

pub(super) fn main(mut system: System, flags: &ArgMatches) -> ExitCode {
    let mut source = Source::new(&system, flags);
    let (config, place) = match prepare(&system, flags, &mut source) {
        Ok(prepared) => prepared,
        Err(error) => return refuse(&error),
    };
    system.chaos = match super::chaos(flags, &config) {
        Ok(chaos) => chaos,
        Err(error) => return refuse(&error),
    };
    let supervised = flags.get_flag("supervised");
    let welcomes = place.part == GATEWAY && (flags.get_flag("welcome") || !supervised);
    life::live(config, |config| run(system, config, source, place, (supervised, welcomes)))
}

fn prepare(system: &System, flags: &ArgMatches, source: &mut Source) -> Result<(Config, Place), String> {
    let mut config = source.read().map_err(|error| error.to_string())?.config;
    let text = |id: &str| flags.get_one::<String>(id).map(String::as_str);
    let part = text("name").unwrap_or_default().to_owned();
    let registry = text("registry").map(meeting).transpose()?;
    let broker = text("broker").map(|url| address("broker", url)).transpose()?;
    if part != platform::NAME && registry.is_none() {
        return Err(format!("{part} finds the others through a registry: say --registry URL"));
    }
    if flags.get_flag("supervised") && part != GATEWAY {
        // All processes of a supervisor read the same settings, and one address is for one of them.
        config.admin.listen = None;
    }
    let listen = if flags.get_flag("inherited") {
        Listen::Inherited(inherited().map_err(|error| format!("no socket was handed over: {error}"))?)
    } else {
        // The configured address is the gateway's.
        let address = match text("listen") {
            Some(listen) => listen.to_owned(),
            None if part == GATEWAY => config.gateway.listen.to_string(),
            None => ANYWHERE.to_owned(),
        };
        Listen::At(address.parse().map_err(|_| format!("--listen {address} is not an address with a port"))?)
    };
    let place = Place {
        part,
        system: text("system").unwrap_or(system.name).to_owned(),
        listen,
        registry,
        broker,
        join: text("join")
            .map(str::to_owned)
            .or_else(|| std::env::var(JOIN).ok().filter(|join| !join.is_empty())),
        key: text("key").map(Into::into),
        waits: if flags.get_flag("supervised") { waits } else { || {} },
    };
    Ok((config, place))
}

/// Tells the supervisor.
fn waits() {
    out::line(WAITING);
    out::flush();
}

/// Our own registry by its own wire, the others by theirs.
fn meeting(url: &str) -> Result<Meeting, String> {
    let failed = |error| format!("--registry {error}");
    match url.parse().map_err(failed)? {
        RegistryUrl::Own(_) => address("registry", url).map(Meeting::Platform),
        other => other.open().map(Meeting::Engine).map_err(failed),
    }
}

/// `http://HOST:PORT`, looked up once.
fn address(flag: &str, url: &str) -> Result<SocketAddr, String> {
    let wrong = || format!("--{flag} {url} is not of the form http://HOST:PORT");
    let authority = url.strip_prefix("http://").ok_or_else(wrong)?.trim_end_matches('/');
    let mut found = authority.to_socket_addrs().map_err(|_| wrong())?;
    found.next().ok_or_else(wrong)
}

/// The listening socket a supervisor keeps over the lives of its processes: it comes as our input.
fn inherited() -> std::io::Result<TcpListener> {
    Ok(TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned()?))
}

async fn run(
    mut system: System,
    config: Config,
    source: Source,
    place: Place,
    (supervised, welcomes): (bool, bool),
) -> ExitCode {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return refuse(&error),
    };
    let (guide, actors) = (Arc::clone(&system.guide), std::mem::take(&mut system.actors));
    let demo = config.demo && place.part == GATEWAY;
    let (part, data) = (place.part.clone(), config.data.clone());
    // Whoever is told to go while it still waits for a store has nothing to drain.
    let is_watched = part == GATEWAY && !supervised;
    let told = async {
        tokio::select! {
            () = line_ends(supervised) => {}
            () = life::terminal_closed(), if is_watched => {}
        }
    };
    tokio::pin!(told);
    let launched = tokio::select! {
        launched = system.launch_part(place, config, Environment::default()) => launched,
        () = &mut told => return ExitCode::SUCCESS,
        _ = signals.interrupt.recv() => return ExitCode::SUCCESS,
        _ = signals.terminate.recv() => return ExitCode::SUCCESS,
    };
    let running = match launched {
        Ok(running) => running,
        Err(error) => return refuse(&error),
    };
    out::line(&format!("listening on {}", running.url()));
    if let Some(admin) = running.admin_url() {
        out::line(&format!("admin on {admin}"));
    }
    out::flush();
    let mut playing = JoinSet::new();
    playing.spawn(source.keep(Arc::clone(&running)));
    if welcomes {
        let running = Arc::clone(&running);
        playing.spawn(async move { up::welcome(&running, &guide).await });
    }
    if demo && running.has_key() {
        for actor in actors {
            playing.spawn(actor(Arc::clone(&running)));
        }
    }
    let code = life::until_told(&running, &mut signals, playing, told).await;
    if let Some(chaos) = running.chaos() {
        chaos.leave(&part, &data);
    }
    code
}

/// Ends when the supervisor hangs up, or is gone. Our output is a line in both directions then.
async fn line_ends(supervised: bool) {
    if !supervised {
        return std::future::pending().await;
    }
    let (ended, end) = oneshot::channel();
    let line = std::io::stdout().as_fd().try_clone_to_owned().map(UnixStream::from);
    // A thread of its own: a line that does not block would not block for what we write either.
    let listening = std::thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
        let Ok(mut line) = line else { return };
        while line.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
        // Nobody may wait for it any more.
        _ = ended.send(()).ok();
    });
    if let Err(error) = listening {
        tracing::error!(%error, "nobody listens to the supervisor");
    }
    if end.await.is_err() {
        std::future::pending().await
    }
}
