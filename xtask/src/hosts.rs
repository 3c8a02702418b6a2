//! `cargo xtask hosts`: the food system on two hosts, and what becomes of it while they cannot reach each other.
//!
//! The hosts are network namespaces, joined by a pair of virtual interfaces. Everything runs in namespaces of processes
//! and mounts as well, which the kernel clears away with their first process: nothing is left behind, however it ends.

mod audit;
mod cast;
mod http;
mod network;
mod play;

use std::path::{Path, PathBuf};

use crate::process::{Result, capture, cargo, program, run, succeeds, target_dir};

/// What is there where the hosts are made: this program again, with the program under test and a directory.
const INSIDE: &str = "--inside";

/// Needed besides Linux and root: how to see that it is there, what it is for, and the Debian package that brings it.
type Needed = (&'static [&'static str], &'static str, &'static str);

const NAMESPACES: &[Needed] = &[
    (&["ip", "-Version"], "makes the hosts and the link between them", "iproute2"),
    (&["unshare", "--version"], "clears away whatever happens", "util-linux"),
];
const NEEDED: &[Needed] = &[
    (&["openssl", "version"], "makes the key of the system", "openssl"),
    (&["python3", "-c", "import sqlite3"], "reads the databases in the end", "python3"),
];

pub(crate) fn command(arguments: &[String]) -> Result {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => outside(),
        [INSIDE, food, data] => {
            network::join()?;
            play::play(Path::new(food), Path::new(data))
        }
        _ => Err("usage: cargo xtask hosts".into()),
    }
}

/// Builds, and runs the rest where nobody else is.
fn outside() -> Result {
    possible(NEEDED)?;
    run(cargo(["build", "-p", "food"]))?;
    let food = target_dir()?.join("debug").join("food");
    let scratch = Scratch::make("hosts")?;
    let own = std::env::current_exe().map_err(|e| format!("where this program is: {e}"))?;
    let mut inside = program("unshare");
    inside.args(["--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL"]);
    inside.arg(own).args(["hosts", INSIDE]).arg(food).arg(&scratch.0);
    inside.status().map_err(|e| format!("unshare: {e}")).and_then(|status| match status.success() {
        true => Ok(()),
        false => Err("the system on two hosts did not do what it should; see above".into()),
    })
}

/// Whether namespaces can be made here and those programs are there, or what is missing.
pub(crate) fn possible(needed: &[Needed]) -> Result {
    if !cfg!(target_os = "linux") {
        return Err("hosts are network namespaces, which only Linux has".into());
    }
    let mut id = program("id");
    id.arg("-u");
    if capture(id)?.trim() != "0" {
        return Err("only root makes network namespaces: run it as root, in a container for example".into());
    }
    for (probe, why, package) in NAMESPACES.iter().chain(needed) {
        let mut command = program(probe[0]);
        command.args(&probe[1..]);
        if !succeeds(command) {
            return Err(format!("{} is missing ({why}): sudo apt-get install {package}", probe[0]));
        }
    }
    let mut probe = program("unshare");
    probe.args(["--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "true"]);
    if succeeds(probe) {
        Ok(())
    } else {
        Err("this root may not make namespaces (CAP_SYS_ADMIN is missing)".into())
    }
}

/// The data of all hosts, removed at the end.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn make(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("partie-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in the system's own place for such files.
        std::fs::remove_dir_all(&self.0).ok();
    }
}
