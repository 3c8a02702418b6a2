//! `contracts write` and `contracts diff`: contracts and events as files, and whether the program still keeps to them.

use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches};

use super::{out, refuse};
use crate::system::System;

pub(super) fn command() -> clap::Command {
    let dir = |help: &'static str| Arg::new("dir").value_name("DIR").required(true).help(help);
    clap::Command::new("contracts")
        .about("Write contracts and events to files, or compare with such files")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            clap::Command::new("write")
                .about("Write the files; refused when a change breaks somebody")
                .arg(dir("Where they are committed")),
        )
        .subcommand(
            clap::Command::new("diff")
                .about("Say which changes since the files were written break whom; fails if there is one")
                .arg(dir("Where they are committed"))
                .arg(
                    Arg::new("current")
                        .long("current")
                        .action(ArgAction::SetTrue)
                        .help("Fail as well when a file is not current"),
                ),
        )
}

pub(super) fn main(system: &System, flags: &ArgMatches) -> ExitCode {
    let Some((name, flags)) = flags.subcommand() else { return refuse(&"write or diff?") };
    let dir = Path::new(flags.get_one::<String>("dir").map_or(".", String::as_str));
    let comparison = match system.compare(dir) {
        Ok(comparison) => comparison,
        Err(error) => return refuse(&format!("{}: {error}", dir.display())),
    };
    for broken in &comparison.breaks {
        out::error(&format!("error: {}/{broken}", dir.display()));
    }
    if !comparison.breaks.is_empty() {
        out::error("a file that nobody goes by yet can be removed and written anew");
        return ExitCode::FAILURE;
    }
    match name {
        "write" => write(system, dir),
        _ => {
            let is_wrong = flags.get_flag("current") && !comparison.stale.is_empty();
            for (file, matter) in &comparison.stale {
                out::line(&format!("{}/{file} {matter}; nothing breaks by it", dir.display()));
            }
            if !comparison.stale.is_empty() {
                out::line(&format!(
                    "`{} contracts write {}` brings them up to date",
                    system.name,
                    dir.display()
                ));
            }
            out::line(&format!("{} contracts and events: no change breaks anybody", comparison.documents));
            if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
    }
}

fn write(system: &System, dir: &Path) -> ExitCode {
    let written = match system.write_documents(dir) {
        Ok(written) => written,
        Err(error) => return refuse(&format!("{}: {error}", dir.display())),
    };
    written.files.iter().for_each(|file| out::line(&format!("{}/{file} written", dir.display())));
    for (file, reason) in &written.by_hand {
        out::error(&format!(
            "error: {}/{file} has to be written by hand: what was made up is wrong: {reason}",
            dir.display()
        ));
    }
    if written.by_hand.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
