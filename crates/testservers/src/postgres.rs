//! PostgreSQL: a cluster of its own, on the disk, with everything that makes a commit durable.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread::sleep;
use std::time::Duration;

use crate::guard::{Directory, free_port, guarded};

const USER: &str = "partie";
const PASSWORD: &str = "s3cret";
/// How long a server may take to be ready, in tenths of a second.
const PATIENCE: u32 = 600;

/// A server. Dropping it ends it at once; so does the end of the process, however that ends.
#[derive(Debug)]
pub struct Postgres {
    dir: Directory,
    port: u16,
    /// Who runs it, if that is not who we are: it refuses to be run by root.
    owner: Option<(u32, u32)>,
    settings: Vec<String>,
    server: Mutex<Option<Child>>,
    databases: AtomicU32,
}

// === impl Postgres ===

impl Postgres {
    /// The one server of a test binary, for tests that do it no harm. Each takes a [`database`](Self::database) of its
    /// own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[], &[]))
    }

    /// A server for a test that kills it or wants it set otherwise: files for its directory, and settings such as
    /// `ssl=on`.
    ///
    /// # Panics
    /// When it is not installed, or does not start within a minute.
    pub fn start(files: &[(&str, &str)], settings: &[&str]) -> Self {
        let place = Directory::new("postgres");
        let dir = place.path().to_owned();
        let owner = owner(&dir);
        let own = |path: &Path| {
            owner.iter().for_each(|(user, group)| chown(path, Some(*user), Some(*group)).unwrap())
        };
        own(&dir);
        let password = dir.join("password");
        fs::write(&password, PASSWORD).unwrap();
        own(&password);
        let data = dir.join("data");
        let mut init = Command::new(binary("initdb"));
        init.args([
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "-U",
            USER,
            "-D",
        ]);
        init.arg(&data).arg("--pwfile").arg(&password);
        let made = as_owner(&mut init, owner, &dir).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        for (name, content) in files {
            let file = data.join(name);
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            own(&file);
        }
        let port = free_port();
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let (server, databases) = (Mutex::new(None), AtomicU32::new(0));
        let postgres = Self { dir: place, port, owner, settings, server, databases };
        postgres.restart();
        postgres
    }

    /// Starts it again, on its port and with its data, after [`kill`](Self::kill) or [`stop`](Self::stop).
    ///
    /// # Panics
    /// When it does not start within a minute.
    pub fn restart(&self) {
        for _ in 0..PATIENCE {
            if self.is_ready() {
                return;
            }
            let mut server = self.server.lock().unwrap();
            // One whose processes have not all ended yet does not start again at once.
            if server.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some()) {
                *server = Some(self.spawn());
            }
            drop(server);
            sleep(Duration::from_millis(100));
        }
        let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        panic!("PostgreSQL does not start: {log}");
    }

    fn spawn(&self) -> Child {
        let dir = self.dir.path();
        let mut command = guarded("-QUIT", &dir.join("log"));
        command.arg(binary("postgres"));
        command.arg("-D").arg(dir.join("data")).arg("-p").arg(self.port.to_string());
        for setting in
            ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on", "max_connections=200"]
        {
            command.args(["-c", setting]);
        }
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        as_owner(&mut command, self.owner, dir).spawn().unwrap()
    }

    fn is_ready(&self) -> bool {
        let mut probe = Command::new(binary("pg_isready"));
        probe.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]).status().unwrap().success()
    }

    /// Ends it as the loss of the machine would: no process of it has a last word.
    pub fn kill(&self) {
        self.signal("-KILL");
        if let Some(mut server) = self.server.lock().unwrap().take() {
            server.wait().unwrap();
        }
    }

    /// Ends it in an orderly way, sessions included.
    pub fn stop(&self) {
        self.signal("-INT");
        if let Some(mut server) = self.server.lock().unwrap().take() {
            server.wait().unwrap();
        }
    }

    fn signal(&self, signal: &str) {
        let file = self.dir.path().join("data").join("postmaster.pid");
        let pid = fs::read_to_string(file).unwrap();
        let pid = pid.lines().next().unwrap();
        let sent = Command::new("kill").args([signal, pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Makes a database, and gives back the address to connect to it.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@{}/{database}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Says something to it, past everything that is tested, and gives back what it answers: a line for each row.
    ///
    /// # Panics
    /// When it refuses.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        Self::ask(&self.url(database), sql)
    }

    /// The same to whichever server has that address.
    ///
    /// # Panics
    /// When it refuses.
    pub fn ask(url: &str, sql: &str) -> String {
        let mut psql = Command::new(binary("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
        let answer = psql.output().unwrap();
        assert!(answer.status.success(), "{sql}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let server = self.server.get_mut().map(Option::take);
        if let Ok(Some(mut server)) = server {
            // The end of its input ends it.
            drop(server.stdin.take());
            drop(server.wait());
        }
    }
}

/// Who runs the server: nobody else if we are not root, or else the user that the package has made.
fn owner(dir: &Path) -> Option<(u32, u32)> {
    if std::os::unix::fs::MetadataExt::uid(&fs::metadata(dir).unwrap()) != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let found =
        ["postgres:", "nobody:"].iter().find_map(|name| users.lines().find(|line| line.starts_with(name)));
    let ids: Vec<u32> = found.unwrap().split(':').skip(2).take(2).map(|id| id.parse().unwrap()).collect();
    Some((ids[0], ids[1]))
}

fn as_owner<'c>(command: &'c mut Command, owner: Option<(u32, u32)>, dir: &Path) -> &'c mut Command {
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    // Where we are it may not be allowed to look.
    command.current_dir(dir)
}

/// Debian keeps the servers off the path, one directory a version.
fn binary(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(io::Result::ok);
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin").join(name)).collect();
    versions.retain(|path| path.exists());
    versions.sort();
    let on_path = || {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|dir| dir.join(name))
            .find(|path| path.exists())
    };
    versions.pop().or_else(on_path).unwrap_or_else(|| panic!("{name} is missing: apt-get install postgresql"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_survives_a_kill_and_nothing_survives_the_test() {
        let server = Postgres::start(&[], &["work_mem=5MB"]);
        assert_eq!(server.database(), server.url("test_0"));
        assert_eq!(server.sql("test_0", "SHOW work_mem"), "5MB");
        server.sql("test_0", "CREATE TABLE t (a INT); INSERT INTO t VALUES (7)");
        server.kill();
        server.restart();
        assert_eq!(server.sql("test_0", "SELECT a FROM t"), "7");
        let dir = server.dir.path().to_owned();
        drop(server);
        assert!(!dir.exists());
    }
}
