//! `backup`: a copy of every store, of a system that runs or of one that does not.

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Arg, ArgMatches};
use partie_contract::BoxError;
use partie_runtime::{Clock, monotonic};
use partie_store::{IdleStore, OpenError, contents};

use super::manifest::{self, Copy, Manifest};
use super::{configure, out, refuse};
use crate::system::{Reply, System, Wish, door};

/// How long the owner of a store may take to open its door: it may just be starting.
const OWNER: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(50);

pub(super) fn command(system: &System) -> clap::Command {
    clap::Command::new("backup")
        .about("Copy every store into a new directory, while the system runs or while it does not")
        .arg(
            Arg::new("dir")
                .value_name("DIR")
                .required(true)
                .help("Where to; it has to be empty, or not there"),
        )
        .arg(super::data_flag(system))
        .arg(super::config_flag())
}

pub(super) fn main(system: &System, flags: &ArgMatches) -> ExitCode {
    let data = match configure(system, flags) {
        Ok(effective) => effective.config.data,
        Err(error) => return refuse(&error),
    };
    let to = Path::new(flags.get_one::<String>("dir").map_or("", String::as_str));
    let stores = present(system, &data);
    if stores.is_empty() {
        return refuse(&format!("there is no store in {}", data.display()));
    }
    let to = match prepare(to) {
        Ok(to) => to,
        Err(error) => return refuse(&format!("{}: {error}", to.display())),
    };
    let begun = monotonic();
    match copy_all(system, &stores, &data, &to) {
        Ok(bytes) => {
            out::line(&format!(
                "{} stores, {}, in {:.1?}: {}",
                stores.len(),
                out::bytes(bytes),
                begun.elapsed(),
                to.display()
            ));
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Without a manifest it is no backup; nobody should have to wonder what it is.
            for store in &stores {
                fs::remove_file(to.join(manifest::file(store))).ok();
            }
            out::error(&format!("error: {error}; nothing was backed up"));
            ExitCode::FAILURE
        }
    }
}

/// The stores there are, the broker's last: an event that a service has marked as sent is in it then.
fn present(system: &System, data: &Path) -> Vec<&'static str> {
    system.stores().into_iter().filter(|store| data.join(manifest::file(store)).exists()).collect()
}

/// An empty directory for its owner only, by its whole name: the processes it is told to are elsewhere.
fn prepare(to: &Path) -> std::io::Result<PathBuf> {
    match fs::read_dir(to) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(std::io::Error::other("the directory is not empty"));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(to)?;
        }
        Err(error) => return Err(error),
    }
    fs::canonicalize(to)
}

fn copy_all(system: &System, stores: &[&'static str], data: &Path, to: &Path) -> Result<u64, BoxError> {
    let clock = Clock::wall();
    let width = stores.iter().map(|store| store.len()).max().unwrap_or(0);
    let mut copies = Vec::new();
    for store in stores {
        let (begun, made_at, file) = (monotonic(), clock.now(), to.join(manifest::file(store)));
        let how = copy(data, store, &file)?;
        let (bytes, sha256) = manifest::digest(&file)?;
        let held = contents(&file)?;
        let took = begun.elapsed();
        out::line(&format!("{store:<width$}  {:>10}  in {took:.1?}, {how}", out::bytes(bytes)));
        out::flush();
        copies.push(Copy {
            name: (*store).to_owned(),
            file: manifest::file(store),
            bytes,
            sha256,
            made_at,
            epoch: held.epoch,
            migrations: held.migrations,
        });
    }
    let total = copies.iter().map(|copy| copy.bytes).sum();
    Manifest::new(system.name, clock.now(), copies).write(to)?;
    Ok(total)
}

/// Whoever owns the store copies it; if nobody does, this process.
fn copy(data: &Path, store: &str, to: &Path) -> Result<&'static str, BoxError> {
    let until = monotonic() + OWNER;
    loop {
        match IdleStore::take(data, store) {
            Ok(idle) => {
                idle.backup(to)?;
                return Ok("not running");
            }
            Err(OpenError::Locked { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        match UnixStream::connect(door(data, store)) {
            Ok(owner) => {
                ask(owner, to)?;
                return Ok("running");
            }
            // It opens its door a moment after its store, and closes it a moment before.
            Err(_) if monotonic() < until => thread::sleep(AGAIN),
            Err(error) => {
                return Err(format!("whoever has the store {store} open does not answer: {error}").into());
            }
        }
    }
}

fn ask(mut owner: UnixStream, to: &Path) -> Result<(), BoxError> {
    let wish = serde_json::to_string(&Wish::Backup(to.to_owned()))?;
    owner.write_all(format!("{wish}\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(owner).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err("the process that has the store open went away".into());
    }
    match serde_json::from_str(&answer)? {
        Reply::Done => Ok(()),
        Reply::Failed(reason) => Err(reason.into()),
    }
}
