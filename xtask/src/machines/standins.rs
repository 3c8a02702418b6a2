//! What a distribution does, for machines that have none: the four programs the guide takes from it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::process::Result;

/// `sudo [-u USER] COMMAND..`
const SUDO: &str = r#"#!/bin/sh
[ "$1" = -u ] || exec "$@"
user=$2; shift 2
cd / && exec setpriv --reuid="$user" --regid="$user" --init-groups "$@"
"#;

/// `apt-get install --yes PACKAGE..`: as Debian's does, the package makes a cluster and starts it.
const APT_GET: &str = r#"#!/bin/sh
set -e
[ "$1 $2" = "install --yes" ] || { echo "this stands in for apt-get install --yes only"; exit 1; }
shift 2
for package in "$@"; do
    [ "$package" = postgresql ] || { echo "nothing stands in for the package $package"; exit 1; }
    mkdir -p /var/lib/postgresql && chown postgres:postgres /var/lib/postgresql
    PATH=$(echo /usr/lib/postgresql/*/bin | tr " " ":"):$PATH
    sudo -u postgres initdb -D /var/lib/postgresql/data --auth-local=peer --auth-host=scram-sha-256 -E UTF8 --locale=C.UTF-8
    systemctl start postgresql
done
"#;

/// `systemctl start|restart postgresql`
const SYSTEMCTL: &str = r#"#!/bin/sh
[ "$2" = postgresql ] || { echo "nothing stands in for the service $2"; exit 1; }
PATH=$(echo /usr/lib/postgresql/*/bin | tr " " ":"):$PATH
exec sudo -u postgres pg_ctl "$1" -w -m fast -D /var/lib/postgresql/data -l /var/lib/postgresql/postgresql.log \
    -o "-k /run/postgresql" > /dev/null
"#;

/// `scp MACHINE:FILE.. TARGET`: the machines' files are all here.
const SCP: &str = r#"#!/bin/sh
for last; do :; done
while [ $# -gt 1 ]; do
    machine=${1%%:*} file=${1#*:}
    cp -p "$MACHINES/$machine/lib/${file#/var/lib/}" "$last" || exit 1
    shift
done
"#;

/// Writes them, and says where.
pub(super) fn write(scratch: &Path) -> Result<PathBuf> {
    let dir = scratch.join("bin");
    let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
    std::fs::create_dir_all(&dir).map_err(failed)?;
    for (name, text) in [("sudo", SUDO), ("apt-get", APT_GET), ("systemctl", SYSTEMCTL), ("scp", SCP)] {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(failed)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
    }
    Ok(dir)
}
