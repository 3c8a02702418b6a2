//! Opens the database: looks, locks, connects, migrates.

use std::io;
use std::path::Path;
use std::sync::Arc;

use partie_contract::Timestamp;
use partie_runtime::Ids;
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use tokio::sync::watch;

use super::copy::EPOCH;
use super::guard::{Guard, Speaker};
use super::header::{APPLICATION_ID, inspect};
use super::readers::start_reader;
use super::writer::{Writer, start_writer};
use crate::config::{Config, Durability, Handles};
use crate::error::OpenError;
use crate::keys;
use crate::lock::Lock;
use crate::migrate::{self, Applied, History, MigrationSet, Step};
use crate::queue::Queue;
use crate::shared::Shared;
use crate::task::Task;

/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 256;

/// What is worth knowing of a connection.
const SETTINGS: [&str; 6] =
    ["journal_mode", "synchronous", "foreign_keys", "page_size", "cache_size", "journal_size_limit"];

/// A database, open and migrated.
pub(crate) struct Opened {
    /// What the writing connection says its settings are.
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) keys: keys::Beginning,
    /// Which life of the database this is.
    pub(crate) epoch: i64,
    /// How often it was opened, this time included.
    pub(crate) openings: i64,
    writer: Session,
    readers: Vec<Session>,
    lock: Lock,
}

/// A connection with its guard, on its way to the thread that will own it.
pub(crate) struct Session {
    pub(super) connection: Connection,
    pub(super) guard: Guard,
}

pub(crate) fn open(
    file: &Path,
    lock: impl FnOnce() -> Result<Lock, OpenError>,
    sets: &[MigrationSet],
    handles: &Handles,
    config: &Config,
) -> Result<Opened, OpenError> {
    // Before the lock, so that not even a lock file appears beside somebody else's file; and again under it.
    inspect(file)?;
    let lock = lock()?;
    inspect(file)?;
    let broken =
        |source: rusqlite::Error| OpenError::Database { file: file.to_owned(), source: source.into() };
    let writer = connect_writer(file, config).map_err(broken)?;
    migrate::migrate(&Target { file, session: &writer }, file, sets, handles.clock.now())?;
    let settings = read_back(&writer).map_err(broken)?;
    if !settings.contains(&("journal_mode", "wal".to_owned())) {
        let source = "the file system takes no write-ahead log; the store has to lie on a local disk".into();
        return Err(OpenError::Database { file: file.to_owned(), source });
    }
    let keys = keys_beginning(&writer.connection, &handles.ids).map_err(broken)?;
    let epoch = writer.connection.query_row(EPOCH, [], |row| row.get(0)).optional().map_err(broken)?;
    let epoch = epoch.unwrap_or(0);
    let openings = count_opening(&writer.connection).map_err(broken)?;
    let readers = (0..config.readers.max(1)).map(|_| connect_reader(file, config));
    let readers = readers.collect::<rusqlite::Result<_>>().map_err(broken)?;
    Ok(Opened { settings, keys, epoch, openings, writer, readers, lock })
}

// === impl Opened ===

impl Opened {
    /// The writing connection alone.
    #[cfg(test)]
    pub(super) fn into_writer(self) -> Session {
        self.writer
    }

    /// Starts the threads. They end when the queues are closed and empty; `closed` is dropped as the last thing.
    pub(crate) fn start(
        self,
        shared: &Arc<Shared>,
        writes: &Arc<Queue<Task>>,
        reads: &Arc<Queue<Task>>,
        closed: watch::Sender<()>,
    ) -> io::Result<()> {
        let readers = self.readers.into_iter().enumerate();
        let readers = readers
            .map(|(number, session)| start_reader(number, session, Arc::clone(shared), Arc::clone(reads)))
            .collect::<io::Result<_>>()?;
        let (shared, queue) = (Arc::clone(shared), Arc::clone(writes));
        start_writer(self.writer, Writer { shared, queue, readers, lock: self.lock, closed })
    }
}

fn connect_writer(file: &Path, config: &Config) -> rusqlite::Result<Session> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(config.busy_timeout)?;
    // The id goes into the file itself, before there is a log it could stay behind in.
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != APPLICATION_ID {
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    // FULL: the log is synced at every commit. Group commit is what makes it affordable.
    connection.pragma_update(
        None,
        "synchronous",
        match config.durability {
            Durability::Full => "FULL",
            Durability::Relaxed => "OFF",
        },
    )?;
    // 16 MB of pages at most, and a log that shrinks again after a rush.
    connection.pragma_update(None, "cache_size", -16_000)?;
    connection.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    finish(connection)
}

fn connect_reader(file: &Path, config: &Config) -> rusqlite::Result<Session> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(config.busy_timeout)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -4_000)?;
    finish(connection)
}

/// What every connection has. The guard comes last: it would refuse the rest.
fn finish(mut connection: Connection) -> rusqlite::Result<Session> {
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // "text" in double quotes is a column, as in every other database.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // A statement keeps its plan. Without this SQLite prepares some of them anew each time they are bound, those with
    // `LIMIT $1` among them, to look at the values; that is dearer than what they do.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A store that failed must not touch the database any more, not even while it is closed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let guard = Guard::install(&mut connection)?;
    Ok(Session { connection, guard })
}

/// What holds, not what was asked for.
fn read_back(session: &Session) -> rusqlite::Result<Vec<(&'static str, String)>> {
    let ask = |name: &&'static str| {
        let read = |row: &rusqlite::Row<'_>| row.get::<_, Value>(0);
        let value = session.connection.pragma_query_value(None, name, read)?;
        Ok((
            *name,
            match value {
                Value::Integer(whole) => whole.to_string(),
                Value::Text(text) => text,
                other => format!("{other:?}"),
            },
        ))
    };
    session.guard.speak_as(Speaker::Store, || SETTINGS.iter().map(ask).collect())
}

/// Epochs of leases grow from one opening to the next.
fn count_opening(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO partie_meta (name, value) VALUES ('openings', 1)
               ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value";
    connection.query_row(sql, [], |row| row.get(0))
}

/// The salt, made when the database is, and which ids there are.
fn keys_beginning(connection: &Connection, ids: &Ids) -> rusqlite::Result<keys::Beginning> {
    let fresh = [ids.below(u64::MAX), ids.below(u64::MAX)].map(u64::to_le_bytes).concat();
    connection.execute(
        "INSERT INTO partie_meta (name, value) VALUES ('key_salt', ?1) ON CONFLICT DO NOTHING",
        [fresh],
    )?;
    let salt: [u8; 16] =
        connection
            .query_row("SELECT value FROM partie_meta WHERE name = 'key_salt'", [], |row| row.get(0))?;
    let salt = u128::from_le_bytes(salt);
    // Each alone is a look at one end; both in one SELECT would be a scan.
    let ends = "SELECT (SELECT min(id) FROM partie_keys), (SELECT max(id) FROM partie_keys)";
    let ids = connection.query_row(ends, [], |row| {
        Ok(Option::zip(row.get(0)?, row.get(1)?).map(|(first, last)| keys::Range { first, last }))
    })?;
    Ok(keys::Beginning { salt: [salt as u64, (salt >> 64) as u64], ids })
}

// === migrations ===

struct Target<'t> {
    file: &'t Path,
    session: &'t Session,
}

impl Target<'_> {
    fn broken(&self, source: rusqlite::Error) -> OpenError {
        OpenError::Database { file: self.file.to_owned(), source: source.into() }
    }

    fn control(&self, sql: &str) -> Result<(), OpenError> {
        let Session { connection, guard } = self.session;
        guard.speak_as(Speaker::Store, || connection.execute_batch(sql)).map_err(|error| self.broken(error))
    }

    fn apply_all(&self, step: &Step, now: Timestamp) -> Result<(), OpenError> {
        let Session { connection, guard } = self.session;
        let set = step.set;
        for one in &step.migrations {
            let failed = |source: rusqlite::Error| OpenError::Migration {
                file: self.file.to_owned(),
                set,
                name: one.name,
                source: source.into(),
            };
            guard.speak_as(Speaker::Migration, || connection.execute_batch(one.sql)).map_err(failed)?;
            connection
                .execute(
                    "INSERT INTO partie_migrations (set_name, version, name, checksum, applied_at)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![set, one.version, one.name, one.checksum(), now.as_millis()],
                )
                .map_err(failed)?;
        }
        connection
            .execute(
                "INSERT INTO partie_readable (set_name, readable_from) VALUES (?1, ?2)
                 ON CONFLICT (set_name) DO UPDATE SET readable_from = excluded.readable_from",
                params![set, step.readable_from],
            )
            .map_err(|source| self.broken(source))?;
        Ok(())
    }
}

impl migrate::Target for Target<'_> {
    fn history(&self) -> Result<History, OpenError> {
        let read = || {
            self.session.connection.execute_batch(migrate::TABLES)?;
            let sql = "SELECT set_name, version, checksum FROM partie_migrations";
            let mut statement = self.session.connection.prepare(sql)?;
            let applied = statement.query_map([], |row| {
                Ok(Applied { set: row.get(0)?, version: row.get(1)?, checksum: row.get(2)? })
            })?;
            let applied = applied.collect::<rusqlite::Result<_>>()?;
            let mut statement =
                self.session.connection.prepare("SELECT set_name, readable_from FROM partie_readable")?;
            let readable_from = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(History { applied, readable_from: readable_from.collect::<rusqlite::Result<_>>()? })
        };
        read().map_err(|error| self.broken(error))
    }

    fn apply(&self, step: &Step, now: Timestamp) -> Result<(), OpenError> {
        self.control("BEGIN IMMEDIATE")?;
        let applied = self.apply_all(step, now).and_then(|()| {
            let last = step.migrations.last().map_or("", |last| last.name);
            self.control("COMMIT").map_err(|error| OpenError::Migration {
                file: self.file.to_owned(),
                set: step.set,
                name: last,
                source: error.into(),
            })
        });
        if applied.is_err() && !self.session.connection.is_autocommit() {
            self.control("ROLLBACK")?;
        }
        applied
    }
}
