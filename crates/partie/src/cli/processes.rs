//! `up --processes`: every part of the system as a process of its own, under a supervisor; and `restart`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches};
use partie_telemetry::Format;

use super::{configure, life, out, refuse};
use crate::Config;
use crate::chaos::Chaos;
use crate::supervisor::{self, Plan, Troupe, door};
use crate::system::{System, check};

pub(super) fn flags() -> [Arg; 2] {
    [
        Arg::new("processes")
            .long("processes")
            .action(ArgAction::SetTrue)
            .help("Run every service as a process of its own"),
        Arg::new("replicas")
            .long("replicas")
            .value_name("NAME=N")
            .action(ArgAction::Append)
            .requires("processes")
            .help("How many processes of a service; may be repeated"),
    ]
}

pub(super) fn restart_command(system: &System) -> clap::Command {
    clap::Command::new("restart")
        .about("Restart the processes of `up --processes` one after another, without losing a request")
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .help("A service or a process, such as orders or orders-1 [default: all]"),
        )
        .arg(super::data_flag(system))
        .arg(super::config_flag())
}

pub(super) fn main(system: System, flags: &ArgMatches) -> ExitCode {
    let prepared = prepare(&system, flags);
    // The services are not needed here any more.
    drop(system);
    match prepared {
        Ok(troupe) => life::block_on(supervisor::run(troupe)),
        Err(error) => refuse(&error),
    }
}

fn prepare(system: &System, flags: &ArgMatches) -> Result<Troupe, String> {
    let config = configure(system, flags).map_err(|error| error.to_string())?.config;
    let replicas = flags.get_many::<String>("replicas").into_iter().flatten().map(String::as_str);
    check(system).map_err(|error| error.to_string())?;
    let plan = Plan::of(system, config.store.url.is_some(), replicas).map_err(|error| error.to_string())?;
    let data = match config.ephemeral {
        true => std::env::temp_dir().join(format!("partie-{}-{}", system.name, std::process::id())),
        false => config.data.clone(),
    };
    let mut environment = Vec::new();
    if config.ephemeral {
        // Gone at the end, so not forced to disk.
        for (name, value) in [
            ("PARTIE__EPHEMERAL", "false"),
            ("PARTIE__STORE__DURABILITY", "relaxed"),
            ("PARTIE__BROKER__STORE__DURABILITY", "relaxed"),
        ] {
            environment.push((name.to_owned(), value.to_owned()));
        }
    }
    if config.logs.format == Format::Auto {
        // With a name before it a line is for people, whoever reads it.
        environment.push(("PARTIE__LOGS__FORMAT".to_owned(), "human".to_owned()));
    }
    let chaos = super::chaos(flags, &config)?;
    let mut flags = child_flags(&config, &data, flags);
    flags.extend(chaos.map(|seed| format!("--chaos={seed}")));
    if config.gateway.workers.is_none() {
        environment
            .push(("PARTIE__GATEWAY__WORKERS".to_owned(), share_of_cores(plan.slots.len()).to_string()));
    }
    Ok(Troupe {
        chaos: chaos.map(Chaos::new),
        plan,
        system: system.name,
        temporary: config.ephemeral,
        config,
        data,
        flags,
        environment,
    })
}

fn child_flags(config: &Config, data: &Path, flags: &ArgMatches) -> Vec<String> {
    let mut all = vec!["--data".to_owned(), data.display().to_string()];
    if let Some(file) = flags.get_one::<String>("config") {
        all.extend(["--config".to_owned(), file.clone()]);
    }
    if !config.demo {
        all.push("--no-demo".to_owned());
    }
    all
}

/// Threads that serve requests, for each of so many processes on this machine. More threads than cores take turns, and
/// each turn finds less to do at once.
fn share_of_cores(processes: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    (cores / processes.max(1)).max(1)
}

/// Asks the supervisor of a data directory to restart processes, and shows what it says.
pub(super) fn restart(system: &System, flags: &ArgMatches) -> ExitCode {
    let data: PathBuf = match configure(system, flags) {
        Ok(effective) => effective.config.data,
        Err(error) => return refuse(&error),
    };
    let name = flags.get_one::<String>("name").map_or("", String::as_str);
    let mut stream = match UnixStream::connect(door(&data)) {
        Ok(stream) => stream,
        Err(_) => {
            return refuse(&format!(
                "nothing runs there: start `{} up --processes --data {}` first",
                system.name,
                data.display()
            ));
        }
    };
    if let Err(error) = writeln!(stream, "restart {name}") {
        return refuse(&error);
    }
    let mut code = ExitCode::SUCCESS;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.starts_with("error:") {
            out::error(&line);
            code = ExitCode::from(2);
        } else {
            out::line(&line);
        }
    }
    code
}
