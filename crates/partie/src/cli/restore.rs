//! `restore`: puts stores back to what a backup has, in a new epoch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches};
use partie_contract::BoxError;
use partie_runtime::{monotonic, trust_now};
use partie_store::{IdleStore, contents};

use super::manifest::{self, Copy, Manifest};
use super::{configure, out, refuse};
use crate::supervisor;
use crate::system::{System, UnfinishedRestore};

pub(super) fn command(system: &System) -> clap::Command {
    clap::Command::new("restore")
        .about("Put the stores back to what a backup has, while the system does not run")
        .arg(Arg::new("dir").value_name("DIR").required(true).help("What `backup` has written"))
        .arg(
            Arg::new("only")
                .long("only")
                .value_name("STORE")
                .action(ArgAction::Append)
                .help("Just this store; may be repeated [default: all that are in the backup]"),
        )
        .arg(
            Arg::new("overwrite")
                .long("overwrite")
                .action(ArgAction::SetTrue)
                .help("Replace stores that are there; what is in them is gone then"),
        )
        .arg(super::data_flag(system))
        .arg(super::config_flag())
}

pub(super) fn main(system: &System, flags: &ArgMatches) -> ExitCode {
    let data = match configure(system, flags) {
        Ok(effective) => effective.config.data,
        Err(error) => return refuse(&error),
    };
    let from = PathBuf::from(flags.get_one::<String>("dir").map_or("", String::as_str));
    let only: Vec<&str> =
        flags.get_many::<String>("only").into_iter().flatten().map(String::as_str).collect();
    let begun = monotonic();
    // Everything that can be known beforehand.
    let places = match prepare(system, &from, &data, &only, flags.get_flag("overwrite")) {
        Ok(places) => places,
        Err(error) => return refuse(&error),
    };
    match replace_all(&from, &data, &places) {
        Ok(epoch) => {
            out::line(&format!(
                "{} stores in {:.1?}, in epoch {epoch}: {}",
                places.len(),
                begun.elapsed(),
                data.display()
            ));
            ExitCode::SUCCESS
        }
        Err(error) => {
            out::error(&format!(
                "error: {error}; the system does not start from {} until a restore into it succeeds",
                data.display()
            ));
            ExitCode::FAILURE
        }
    }
}

/// A store that is held, and what comes into its place.
struct Place {
    idle: IdleStore,
    copy: Copy,
}

fn prepare(
    system: &System,
    from: &Path,
    data: &Path,
    only: &[&str],
    overwrite: bool,
) -> Result<Vec<Place>, BoxError> {
    let manifest = Manifest::read(from)?;
    if manifest.system != system.name {
        return Err(
            format!("{} is a backup of {}, not of {}", from.display(), manifest.system, system.name).into()
        );
    }
    let has = |name: &str| manifest.stores.iter().any(|copy| copy.name == name);
    if let Some(missing) = only.iter().find(|name| !has(name)) {
        let known: Vec<_> = manifest.stores.iter().map(|copy| copy.name.as_str()).collect();
        return Err(
            format!("there is no store {missing} in the backup; there are {}", known.join(", ")).into()
        );
    }
    if supervisor::runs(data) {
        return Err(format!("the system runs: end what keeps {} first", data.display()).into());
    }
    let wanted = manifest.stores.into_iter().filter(|copy| only.is_empty() || only.contains(&&*copy.name));
    let mut places = Vec::new();
    for copy in wanted {
        let file = from.join(&copy.file);
        let (bytes, sha256) =
            manifest::digest(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        if (bytes, &sha256) != (copy.bytes, &copy.sha256) {
            return Err(format!("{} is not what was backed up: its checksum differs", file.display()).into());
        }
        let idle = IdleStore::take(data, &copy.name)?;
        if idle.exists() && !overwrite && !UnfinishedRestore::is_in(data) {
            return Err(format!(
                "there is a store {} in {}: say --overwrite if it may go",
                copy.name,
                data.display()
            )
            .into());
        }
        places.push(Place { idle, copy });
    }
    Ok(places)
}

/// All in one epoch, which is later than any before: an earlier one may have been seen by others.
fn replace_all(from: &Path, data: &Path, places: &[Place]) -> Result<i64, BoxError> {
    let there = places.iter().filter_map(|place| contents(&data.join(&place.copy.file)).ok());
    let known = there.map(|held| held.epoch).chain(places.iter().map(|place| place.copy.epoch));
    let epoch = known.max().unwrap_or(0).saturating_add(1).max(trust_now());
    let unfinished = UnfinishedRestore::note(data)?;
    for Place { idle, copy } in places {
        let beside = data.join(format!("{}.restoring", copy.file));
        fs::copy(from.join(&copy.file), &beside)?;
        // What was checked is what is used.
        if manifest::digest(&beside)?.1 != copy.sha256 {
            return Err(format!("{} did not arrive whole", beside.display()).into());
        }
        idle.replace(&beside, epoch)?;
        out::line(&format!("{}  {}, as of {}", copy.name, out::bytes(copy.bytes), copy.made_at));
    }
    unfinished.finished()?;
    Ok(epoch)
}
