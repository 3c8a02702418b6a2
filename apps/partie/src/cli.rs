//! The command line.

use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use partie_runtime::layers::{Layers, Origin};

use crate::config::Config;
use crate::sidecar::{Plan, Sidecar};
use crate::{gateway, life, out, registry};

/// The sidecar's flags: the setting, the flag, its value, and what it means.
const FLAGS: &[(&str, &str, &str, &str)] = &[
    ("service", "--service", "NAME", "The name under which others find the program"),
    ("app", "--app", "ADDR", "Where the program listens, HOST:PORT"),
    (
        "listen",
        "--listen",
        "ADDR",
        "Where the program's own calls go: http://ADDR/SERVICE/path [default: 127.0.0.1:0]",
    ),
    (
        "inbound",
        "--inbound",
        "ADDR",
        "Where others reach the program [default: a free port on the program's address]",
    ),
    (
        "announce",
        "--announce",
        "ADDR",
        "What the registry is told, if others reach the sidecar by another address",
    ),
    (
        "registry",
        "--registry",
        "URL",
        "http://HOST:PORT, consul://HOST:PORT, etcd://HOST:PORT[,HOST:PORT], dns:DOMAIN or static:NAME=ADDR,ADDR;NAME=ADDR",
    ),
    (
        "health.path",
        "--health",
        "PATH",
        "What the program is asked to find out whether it is well, or tcp if it is enough that it takes connections [default: /health]",
    ),
    ("health.interval", "--health-interval", "TIME", "How often [default: 2s]"),
    ("health.timeout", "--health-timeout", "TIME", "How long it may take to answer [default: 1s]"),
];

pub(crate) fn main() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        // Help goes to stdout with 0, a mistake to stderr with 2.
        Err(error) => error.exit(),
    };
    match matches.subcommand() {
        Some(("gateway", flags)) => gateway::main(flags),
        Some(("sidecar", flags)) => sidecar(flags),
        Some(("registry", flags)) => {
            let text = |id: &str| flags.get_one::<String>(id).map(String::as_str);
            registry::main(text("listen").unwrap_or(registry::LISTEN), text("settling"))
        }
        _ => out::refuse(&"there is no such command"),
    }
}

fn command() -> Command {
    let flag = |(id, long, value, help): &(&'static str, &'static str, &'static str, &'static str)| {
        Arg::new(*id).long(long.trim_start_matches('-')).value_name(*value).help(*help)
    };
    Command::new("partie")
        .about("A gateway in front of anything, the mesh beside programs in any language, and a registry for them to meet at")
        .subcommand_required(true)
        .subcommand(
            Command::new("gateway")
                .about("Run the edge in front of anything: routes, identity, limits, balancing")
                .arg(Arg::new("config").long("config").value_name("FILE").help(
                    "Its configuration. Read again when the file changes, at SIGHUP, and when the admin listener is asked to",
                ))
                .arg(
                    Arg::new("listen")
                        .long("listen")
                        .value_name("ADDR")
                        .help("Where to listen, whatever the file says"),
                )
                .arg(
                    Arg::new("check")
                        .long("check")
                        .action(clap::ArgAction::SetTrue)
                        .help("Only say whether the configuration can be used"),
                ),
        )
        .subcommand(
            Command::new("sidecar")
                .about("Run beside a program: others reach it through the mesh, and it reaches others")
                .args(FLAGS.iter().map(flag))
                .arg(Arg::new("config").long("config").value_name("FILE").help(
                    "A configuration file, with the same settings and more: [mesh], [limits], [routes], ..",
                )),
        )
        .subcommand(
            Command::new("registry")
                .about("Run a registry in memory that speaks Consul's API, for programs of this machine")
                .arg(
                    Arg::new("listen")
                        .long("listen")
                        .value_name("ADDR")
                        .help("Where to listen [default: 127.0.0.1:8500]"),
                )
                .arg(
                    Arg::new("settling")
                        .long("settling")
                        .value_name("TIME")
                        .help("How long after its start lists only grow, so that those who were there can come back [default: 10s]"),
                ),
        )
}

fn sidecar(flags: &ArgMatches) -> ExitCode {
    let config = match configure(flags, std::env::vars()) {
        Ok(config) => config,
        Err(error) => return out::refuse(&error),
    };
    let plan = match Plan::new(&config) {
        Ok(plan) => plan,
        Err(error) => return out::refuse(&error),
    };
    life::live(&config.logs, async {
        match Sidecar::bind(&config, &plan) {
            Ok(sidecar) => sidecar.run().await,
            Err(error) => out::refuse(&error),
        }
    })
}

/// The configuration as the layers make it: defaults, file, environment, flags.
fn configure(
    flags: &ArgMatches,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, partie_runtime::layers::ConfigError> {
    let mut layers = Layers::new(&Config::default())?;
    if let Some(file) = flags.get_one::<String>("config") {
        layers.file(Path::new(file), true)?;
    }
    layers.environment(environment);
    for (setting, flag, ..) in FLAGS {
        if let Some(text) = flags.get_one::<String>(setting) {
            layers.set(setting, text.as_str().into(), &Origin::Flag(flag));
        }
    }
    Ok(layers.finish()?.config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn flags_go_before_the_environment() {
        let matches = command().get_matches_from(["partie", "sidecar", "--health", "/up", "--service", "a"]);
        let (_, flags) = matches.subcommand().unwrap();
        let variables = [("PARTIE__HEALTH__PATH", "/no"), ("PARTIE__MESH__RETRIES", "1")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter();
        let config = configure(flags, variables).unwrap();
        assert_eq!((&*config.health.path, &*config.service, config.mesh.retries), ("/up", "a", 1));
    }
}
