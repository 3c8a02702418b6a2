//! `token`: a development token, alone on the last line.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches};
use partie_identity::{Grant, Signer};

use super::{configure, out, refuse};
use crate::system::{System, authority, signer};
use crate::wire::join_grant;

/// How long such a token is good for.
const LIFETIME: Duration = Duration::from_hours(24);

pub(super) fn command() -> clap::Command {
    clap::Command::new("token")
        .about(
            "Print a token, signed with the development key in the data directory or with the system's own",
        )
        .arg(Arg::new("data").long("data").value_name("DIR").help("The system's data directory"))
        .arg(
            Arg::new("sub")
                .long("sub")
                .value_name("S")
                .required_unless_present("join")
                .help("Whom it speaks for: 1 to 255 characters"),
        )
        .arg(
            Arg::new("role")
                .long("role")
                .value_name("R")
                .required_unless_present("join")
                .action(ArgAction::Append)
                .help("What they may do; may be repeated"),
        )
        .arg(
            Arg::new("join")
                .long("join")
                .value_name("NAME")
                .conflicts_with_all(["sub", "role"])
                .help("Instead: a token with which one process may become that service, good for ten minutes. With --key it needs no key itself"),
        )
        .arg(Arg::new("key").long("key").value_name("FILE").conflicts_with("data").help(
            "The key of the system, as `serve` takes it [default: the development key in the data directory]",
        ))
        .arg(super::config_flag())
}

pub(super) fn main(system: &System, flags: &ArgMatches) -> ExitCode {
    let effective = match configure(system, flags) {
        Ok(effective) => effective,
        Err(error) => return refuse(&error),
    };
    let data = &effective.config.data;
    let key = flags.get_one::<String>("key").map(Path::new);
    // A key made in the wrong place would sign tokens that no system accepts.
    if key.is_none() && !data.is_dir() {
        return refuse(&format!("{} is not there: start the system once, or say --data DIR", data.display()));
    }
    let signer = match key.map_or_else(|| Signer::development(data), |key| signer(key, system.name)) {
        Ok(signer) => signer,
        Err(error) => return refuse(&error),
    };
    let subject = flags.get_one::<String>("sub").map_or("", String::as_str);
    let roles = flags.get_many::<String>("role").into_iter().flatten();
    let grant = match flags.get_one::<String>("join") {
        Some(service) => {
            let grant = join_grant(system.name, service);
            // Who joins with it has not the key, and has to know whom he shows it to.
            match key.map(|key| authority(key, system.name)) {
                Some(Ok(authority)) => grant.anchor(authority.anchor().clone()),
                Some(Err(error)) => return refuse(&error),
                None => grant,
            }
        }
        None => {
            roles.fold(Grant::new(system.name, subject, LIFETIME), |grant, role| grant.role(role.as_str()))
        }
    };
    match signer.issue(&grant) {
        Ok(token) => {
            out::line(&token);
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}
