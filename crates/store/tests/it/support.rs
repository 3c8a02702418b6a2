//! What the tests share: a directory that goes away, a store with one table, calls.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use partie_contract::{Call, Deadline, Fault, NoProblem, Outcome, Platform, Problem, ProblemKind, Trace};
use partie_store::{Config, Durability, Handles, Migration, MigrationSet, OpenError, Store};
use serde_json::{Map, Value};

/// What a store is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// A place of its own for a test: a directory on the disk that the build is on, or a database of the test's server.
#[derive(Debug)]
pub(crate) struct Dir(PathBuf, Option<String>);

impl Dir {
    pub(crate) fn of(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::new(),
            #[cfg(feature = "postgres")]
            Engine::Postgres => Self::at(partie_testservers::Postgres::shared().database()),
        }
    }

    /// A database.
    #[cfg(feature = "postgres")]
    pub(crate) fn at(url: String) -> Self {
        Self(PathBuf::new(), Some(url))
    }

    /// The database's name.
    #[cfg(feature = "postgres")]
    pub(crate) fn database(&self) -> Option<&str> {
        self.1.as_ref()?.rsplit('/').next()
    }

    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path, None)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The names of the files in it.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if self.1.is_none() {
            drop(fs::remove_dir_all(&self.0));
        }
    }
}

pub(crate) const ITEMS: MigrationSet = MigrationSet {
    name: "service",
    migrations: &[Migration::new(
        "0001_items.sql",
        "CREATE TABLE items (id BIGINT PRIMARY KEY, text TEXT NOT NULL DEFAULT '', at BIGINT);
         CREATE TABLE parts (item BIGINT NOT NULL REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED);",
    )],
};

/// A store that tests every rule but waits for no disk.
pub(crate) fn quick() -> Config {
    let mut config = Config::default();
    config.durability = Durability::Relaxed;
    config.run_twice = true;
    config
}

pub(crate) fn open(dir: &Dir, config: Config) -> Store {
    open_with(dir, Handles::system(), config)
}

pub(crate) fn open_with(dir: &Dir, handles: Handles, config: Config) -> Store {
    try_open(dir, &[ITEMS], handles, config).unwrap()
}

pub(crate) fn try_open(
    dir: &Dir,
    sets: &[MigrationSet],
    handles: Handles,
    config: Config,
) -> Result<Store, OpenError> {
    #[cfg(feature = "postgres")]
    if let Some(url) = &dir.1 {
        return Store::connect(url, "test", sets, handles, config);
    }
    Store::open(dir.path(), "test", sets, handles, config)
}

/// Inserts an item and gives back how many there are.
pub(crate) async fn insert(store: &Store, id: i64) -> Outcome<i64> {
    store
        .write(move |tx| {
            tx.execute("INSERT INTO items (id) VALUES ($1)", &[&id])?;
            Ok(tx.query_one("SELECT count(*) FROM items", &[], |row| row.get(0))?)
        })
        .await
}

pub(crate) async fn ids(store: &Store) -> Vec<i64> {
    let read: Outcome<_> =
        store.read(|tx| Ok(tx.query("SELECT id FROM items ORDER BY id", &[], |row| row.get(0))?)).await;
    read.unwrap()
}

pub(crate) fn call() -> Call {
    Call::new(Deadline::after(Duration::from_secs(30)), Trace::new(1, 2))
}

/// A call as the server makes it: its key bound to a scope and to a request.
pub(crate) fn keyed(key: &str, request: u8) -> Call {
    call().with_key(key).with_bound_key("alice POST /items".into(), [request; 32])
}

/// The platform's side of a fault.
pub(crate) fn platform<E: std::fmt::Debug>(fault: Fault<E>) -> Platform {
    match fault {
        Fault::Platform(fault) => fault,
        Fault::Domain(problem) => panic!("{problem:?}"),
    }
}

/// Says that an outcome has no problem of a contract.
pub(crate) fn plain<T>(outcome: Outcome<T, NoProblem>) -> Outcome<T, NoProblem> {
    outcome
}

/// The problems of the tests' contract, written as the macro would.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Closed,
    Declined { reason: String },
}

impl Problem for Refusal {
    const KINDS: &'static [ProblemKind] = &[
        ProblemKind { status: 409, code: "closed", title: "It is closed.", members: &[] },
        ProblemKind { status: 402, code: "declined", title: "The payment was declined.", members: &[] },
    ];

    fn kind(&self) -> &'static ProblemKind {
        match self {
            Self::Closed => &Self::KINDS[0],
            Self::Declined { .. } => &Self::KINDS[1],
        }
    }

    fn members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        if let Self::Declined { reason } = self {
            members.insert("reason".to_owned(), reason.clone().into());
        }
        members
    }

    fn decode(code: &str, members: Map<String, Value>) -> Option<Self> {
        match code {
            "closed" => Some(Self::Closed),
            "declined" => Some(Self::Declined { reason: members.get("reason")?.as_str()?.to_owned() }),
            _ => None,
        }
    }
}
