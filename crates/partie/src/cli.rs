//! The command line every system has.

mod backup;
mod config;
mod contracts;
mod dead_letters;
mod life;
mod manifest;
mod openapi;
pub(crate) mod out;
mod policies;
mod processes;
mod reload;
mod restore;
mod retention;
mod routes;
mod serve;
mod token;
mod up;

use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches};

use crate::config::{Config, ConfigError, Effective, Layers, Origin};
use crate::server::GATEWAY;
use crate::system::System;

/// The exit code of everything that was refused before it had an effect.
const REFUSED: u8 = 2;
/// The configuration file that is read when it is there.
const FILE: &str = "partie.toml";

pub(crate) fn main(mut system: System) -> ExitCode {
    let commands = std::mem::take(&mut system.commands);
    let mut command = command(&system);
    for own in &commands {
        command = command.subcommand(own.command.clone());
    }
    let matches = match command.try_get_matches() {
        Ok(matches) => matches,
        // Help goes to stdout with 0, a mistake to stderr with 2.
        Err(error) => error.exit(),
    };
    match matches.subcommand() {
        None if matches.get_flag("processes") => processes::main(system, &matches),
        None => up::main(system, &matches),
        Some(("up", flags)) if flags.get_flag("processes") => processes::main(system, flags),
        Some(("up", flags)) => up::main(system, flags),
        Some(("restart", flags)) => processes::restart(&system, flags),
        Some(("backup", flags)) => backup::main(&system, flags),
        Some(("restore", flags)) => restore::main(&system, flags),
        Some(("dead-letters", flags)) => dead_letters::main(&system, flags),
        Some(("retention", flags)) => retention::main(&system, flags),
        Some(("serve", flags)) => serve::main(system, flags),
        Some(("routes", _)) => routes::main(&system),
        Some(("openapi", flags)) => openapi::main(&system, flags),
        Some(("contracts", flags)) => contracts::main(&system, flags),
        Some(("token", flags)) => token::main(&system, flags),
        Some(("config", flags)) => config::main(&system, flags),
        Some(("policies", flags)) => policies::main(&system, flags),
        Some(("check", flags)) => policies::check(&system, flags),
        Some((name, flags)) => match commands.into_iter().find(|own| own.command.get_name() == name) {
            Some(own) => (own.run)(system, flags),
            None => refuse(&format!("there is no command {name}")),
        },
    }
}

fn command(system: &System) -> clap::Command {
    let own = |command: clap::Command| command.args(up_flags(system));
    own(clap::Command::new(system.name))
        .args(processes::flags())
        .about(format!("The {} system. Without a command it starts: the same as `up`.", system.name))
        .args_conflicts_with_subcommands(true)
        .subcommand(own(clap::Command::new("up")).args(processes::flags()).about("Start the whole system"))
        .subcommand(processes::restart_command(system))
        .subcommand(serve::command(system))
        .subcommand(backup::command(system))
        .subcommand(restore::command(system))
        .subcommand(dead_letters::command(system))
        .subcommand(
            own(clap::Command::new("retention"))
                .about("Print what is kept, for how long, and where to change it"),
        )
        .subcommand(clap::Command::new("routes").about("List every route, its access and its operation"))
        .subcommand(openapi::command())
        .subcommand(contracts::command())
        .subcommand(token::command())
        .subcommand(own(clap::Command::new("config")).about("Print every setting and where it comes from"))
        .subcommand(
            own(clap::Command::new("policies"))
                .about("Print every call between services, and what holds for it"),
        )
        .subcommand(own(clap::Command::new("check")).about("Prove that the calls between services can work"))
}

fn up_flags(system: &System) -> Vec<Arg> {
    let mut flags = vec![
        Arg::new("listen")
            .long("listen")
            .value_name("ADDR")
            .help("Where to listen; port 0 is any free port [default: 127.0.0.1:8080]"),
        data_flag(system),
        Arg::new("ephemeral")
            .long("ephemeral")
            .action(ArgAction::SetTrue)
            .help("Keep the data in a temporary directory that is removed at the end"),
        config_flag(),
    ];
    flags.push(chaos_flag().help(
        "For development: events come late and twice, calls fail, processes are killed; counts what became of it",
    ));
    if !system.actors.is_empty() {
        flags.push(
            Arg::new("no-demo")
                .long("no-demo")
                .action(ArgAction::SetTrue)
                .help("Start without the demo actors"),
        );
    }
    flags
}

fn data_flag(system: &System) -> Arg {
    let default = system.defaults.data.display();
    Arg::new("data").long("data").value_name("DIR").help(format!("Where the data is [default: {default}]"))
}

fn config_flag() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .help("A configuration file [default: partie.toml, if there]")
}

fn chaos_flag() -> Arg {
    Arg::new("chaos").long("chaos").value_name("SEED").value_parser(clap::value_parser!(u64))
}

/// The seed of the chaos, if there is to be any. Only where nobody else depends on it.
fn chaos(flags: &ArgMatches, config: &Config) -> Result<Option<u64>, String> {
    let seed = flags.try_get_one::<u64>("chaos").ok().flatten().copied();
    match config.gateway.listen.ip().to_canonical().is_loopback() {
        false if seed.is_some() => Err("--chaos is for development: listen on a loopback address".to_owned()),
        _ => Ok(seed),
    }
}

/// The configuration as the layers make it: defaults, file, environment, flags.
fn configure(system: &System, flags: &ArgMatches) -> Result<Effective, ConfigError> {
    configure_from(&system.defaults, flags)
}

fn configure_from(defaults: &Config, flags: &ArgMatches) -> Result<Effective, ConfigError> {
    let mut layers = Layers::new(defaults)?;
    layers.file(file(flags), flags.get_one::<String>("config").is_some())?;
    layers.environment(std::env::vars());
    let text = |id: &str| flags.try_get_one::<String>(id).ok().flatten();
    // A service that is served alone listens somewhere else than the gateway.
    let is_the_gateways = text("name").is_none_or(|part| part == GATEWAY);
    if let Some(listen) = text("listen").filter(|_| is_the_gateways) {
        layers.set("gateway.listen", listen.as_str().into(), &Origin::Flag("--listen"));
    }
    if let Some(data) = text("data") {
        layers.set("data", data.as_str().into(), &Origin::Flag("--data"));
    }
    let set = |id: &str| flags.try_get_one::<bool>(id).ok().flatten() == Some(&true);
    if set("ephemeral") {
        layers.set("ephemeral", true.into(), &Origin::Flag("--ephemeral"));
    }
    if set("no-demo") {
        layers.set("demo", false.into(), &Origin::Flag("--no-demo"));
    }
    layers.finish()
}

/// The configuration file, which may not be there.
fn file(flags: &ArgMatches) -> &Path {
    Path::new(flags.get_one::<String>("config").map_or(FILE, String::as_str))
}

/// One clear line, and the exit code that says nothing was touched.
fn refuse(reason: &dyn std::fmt::Display) -> ExitCode {
    out::error(&format!("error: {reason}"));
    ExitCode::from(REFUSED)
}
