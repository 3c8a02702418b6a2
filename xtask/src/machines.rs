//! `cargo xtask machines`: does what the guide "from one laptop to three machines" says, command by command, and audits the
//! databases in the end.
//!
//! The machines are network namespaces on one bridge, each with directories and programs of its own under `/var/lib` and
//! `/run`. As with the hosts of `cargo xtask hosts`, everything is in namespaces of processes and mounts as well, which the
//! kernel clears away with their first process.

mod audit;
mod guide;
mod lan;
mod machine;
mod standins;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::guide::Block;
use self::machine::Machine;
use crate::hosts::{Scratch, possible};
use crate::process::{Result, cargo, program, run, target_dir, timed};
use crate::setup;

/// What is there where the machines are made: this program again, with a directory and what is put on the path.
const INSIDE: &str = "--inside";
/// What the guide needs besides, and the Debian package that brings it.
const NEEDED: &[(&[&str], &str, &str)] = &[
    (&["jq", "--version"], "reads answers in the guide", "jq"),
    (&["curl", "--version"], "places the orders", "curl"),
    (&["setpriv", "--version"], "stands in for sudo", "util-linux"),
    (&["sh", "-c", "ls /usr/lib/postgresql/*/bin/initdb && id postgres"], "keeps the data", "postgresql"),
];

pub(crate) fn command(arguments: &[String]) -> Result {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => outside(),
        [INSIDE, scratch, path] => inside(Path::new(scratch), path),
        _ => Err("usage: cargo xtask machines".into()),
    }
}

/// Builds, and runs the rest where nobody else is.
fn outside() -> Result {
    possible(NEEDED)?;
    let nats = setup::nats()?;
    run(cargo(["build", "-p", "food"]))?;
    let food = target_dir()?.join("debug");
    let scratch = Scratch::make("machines")?;
    let path = [standins::write(&scratch.0)?, food, nats].map(|dir| dir.display().to_string()).join(":");
    let own = std::env::current_exe().map_err(|e| format!("where this program is: {e}"))?;
    let mut inside = program("unshare");
    inside.args(["--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL"]);
    inside.arg(own).args(["machines", INSIDE]).arg(&scratch.0).arg(path);
    inside.status().map_err(|e| format!("unshare: {e}")).and_then(|status| match status.success() {
        true => Ok(()),
        false => Err("the guide does not hold; see above".into()),
    })
}

/// The guide, from the first block to the last.
fn inside(scratch: &Path, path: &str) -> Result {
    let blocks = guide::read()?;
    lan::join()?;
    let mut machines = BTreeMap::new();
    for (name, _) in lan::MACHINES {
        machines.insert(*name, Machine::start(name, scratch, path)?);
    }
    let (played, took) = timed(|| blocks.iter().try_for_each(|block| play(block, &mut machines)));
    if let Err(error) = played {
        let words: String = machines.values().map(Machine::last_words).collect();
        return Err(format!("{error}\n{words}"));
    }
    let commands: usize = blocks.iter().map(|block| block.commands.len()).sum();
    println!("{commands} commands in {} blocks, {:.0} s", blocks.len(), took.as_secs_f64());
    let placed = placed(&scratch.join("laptop/lib/home/placed.txt"))?;
    println!("audit: {}", audit::audit(&mut machines, &placed)?);
    Ok(())
}

fn play(block: &Block, machines: &mut BTreeMap<&str, Machine>) -> Result {
    for name in &block.machines {
        let nobody = || format!("line {}: there is no machine {name}", block.line);
        let machine = machines.get_mut(name.as_str()).ok_or_else(nobody)?;
        for command in &block.commands {
            machine.run(command)?;
        }
    }
    Ok(())
}

/// The orders that were answered with 201.
fn placed(file: &PathBuf) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(text.lines().map(|id| id.replace('-', "")).collect())
}
