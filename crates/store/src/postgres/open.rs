//! Opens a schema: connects, migrates once among all replicas, starts the threads.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use partie_contract::{BoxError, Timestamp};
use partie_runtime::monotonic;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::aside::{self, Wanted};
use super::error::{is_fatal, whole};
use super::link::Link;
use super::outage::Outage;
use super::server::{CONNECT, Server};
use super::sql::statements;
use super::turns::Turns;
use super::worker::Worker;
use crate::config::{Config, Handles};
use crate::error::OpenError;
use crate::migrate::{self, Applied, History, MigrationSet, Step};
use crate::queue::Queue;
use crate::shared::Shared;
use crate::status::Health;
use crate::task::Task;

/// How long to wait for another replica that migrates.
const MIGRATION: Duration = Duration::from_secs(120);
/// Between two looks at something that is not there yet.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is worth knowing of a connection.
const SETTINGS: [&str; 5] =
    ["server_version", "synchronous_commit", "fsync", "search_path", "statement_timeout"];

/// A schema, open and migrated.
pub(crate) struct Opened {
    pub(crate) settings: Vec<(&'static str, String)>,
    server: Arc<Server>,
}

/// Held by every thread; the last one to go closes the store.
pub(super) struct Closing {
    shared: Arc<Shared>,
    _closed: watch::Sender<()>,
}

pub(crate) fn open(
    url: &str,
    name: &str,
    sets: &[MigrationSet],
    handles: &Handles,
    config: &Config,
) -> Result<Opened, OpenError> {
    let server = Arc::new(Server::new(url, name, config)?);
    // On a thread of its own: the caller may be on one of a runtime, which cannot run another.
    let settings = thread::scope(|scope| {
        let open = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(OpenError::Thread)?;
            prepare(&runtime, &server, sets, handles.clock.now(), config)
        };
        let opening = thread::Builder::new().name(format!("open-{name}")).spawn_scoped(scope, open);
        opening.map_err(OpenError::Thread)?.join().unwrap_or_else(|_| {
            Err(OpenError::Unreachable { server: server.address.clone(), source: "opening panicked".into() })
        })
    })?;
    Ok(Opened { settings, server })
}

fn prepare(
    runtime: &Runtime,
    server: &Server,
    sets: &[MigrationSet],
    now: Timestamp,
    config: &Config,
) -> Result<Vec<(&'static str, String)>, OpenError> {
    let unreachable = |source: BoxError| OpenError::Unreachable { server: server.address.clone(), source };
    let client = runtime.block_on(first(server, config.outage_patience)).map_err(unreachable)?;
    let file = server.address.as_path();
    let broken = |error: BoxError| OpenError::Database { file: file.to_owned(), source: error };
    runtime.block_on(lock(&client, server)).map_err(broken)?;
    migrate::migrate(&Target { runtime, client: &client, file }, file, sets, now)?;
    // Its end ends the lock too.
    runtime.block_on(read_back(&client, server)).map_err(|error| broken(error.into()))
}

/// Connects, waiting for a server that is on its way.
async fn first(server: &Server, patience: Duration) -> Result<Client, BoxError> {
    let begun = monotonic();
    loop {
        let error = match tokio::time::timeout(patience.max(CONNECT), server.connect_here()).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => error,
            Err(_) => return Err("it does not answer".into()),
        };
        let is_on_its_way = match error.as_db_error() {
            None => true,
            Some(db) => {
                is_fatal(db)
                    && (db.code() == &SqlState::CANNOT_CONNECT_NOW
                        || db.code() == &SqlState::TOO_MANY_CONNECTIONS)
            }
        };
        if !is_on_its_way || begun.elapsed() > patience {
            return Err(whole(&error).into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Takes the lock that lets one replica migrate at a time, and makes the schema.
async fn lock(client: &Client, server: &Server) -> Result<(), BoxError> {
    client.batch_execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0").await?;
    let begun = monotonic();
    let name = format!("partie {}", server.schema);
    loop {
        let sql = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
        if client.query_one(sql, &[&name]).await?.try_get(0)? {
            break;
        }
        if begun.elapsed() > MIGRATION {
            return Err("another replica has been migrating for minutes".into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    // Making one that is there needs a right that only whoever sets the database up should have.
    let sql =
        "SELECT count(*) FROM pg_namespace WHERE quote_ident(nspname) = $1 OR '\"' || nspname || '\"' = $1";
    if client.query_one(sql, &[&server.schema]).await?.try_get::<_, i64>(0)? == 0 {
        client.batch_execute(&format!("CREATE SCHEMA {}", server.schema)).await?;
    }
    Ok(())
}

async fn read_back(
    client: &Client,
    server: &Server,
) -> Result<Vec<(&'static str, String)>, tokio_postgres::Error> {
    // As every other connection.
    server.set_up(client).await?;
    let mut settings = Vec::new();
    for name in SETTINGS {
        settings.push((name, client.query_one("SELECT current_setting($1)", &[&name]).await?.try_get(0)?));
    }
    Ok(settings)
}

// === impl Opened ===

impl Opened {
    /// Starts the threads. They end when the queue is closed and empty; `closed` is dropped as the last thing.
    pub(crate) fn start(
        self,
        shared: &Arc<Shared>,
        queue: &Arc<Queue<Task>>,
        wanted: mpsc::Receiver<Wanted>,
        closed: watch::Sender<()>,
    ) -> std::io::Result<()> {
        let (outage, turns) = (Arc::new(Outage::default()), Arc::new(Turns::default()));
        let closing = Arc::new(Closing { shared: Arc::clone(shared), _closed: closed });
        aside::start(Arc::clone(&self.server), Arc::clone(shared), wanted, Arc::clone(&closing))?;
        for number in 0..shared.config.connections.max(1) {
            let link = Link::new(Arc::clone(&self.server), shared.config.statement_timeout)?;
            let (shared, queue, outage) = (Arc::clone(shared), Arc::clone(queue), Arc::clone(&outage));
            let (closing, turns) = (Arc::clone(&closing), Arc::clone(&turns));
            thread::Builder::new().name(format!("store-{}-{number}", shared.name)).spawn(move || {
                let ended = Ended { shared: Arc::clone(&shared), queue: Arc::clone(&queue) };
                Worker::new(shared, queue, outage, turns, link, number == 0).run();
                std::mem::forget(ended);
                drop(closing);
            })?;
        }
        Ok(())
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.shared.status.set(Health::Closed);
    }
}

/// Says what happened if a thread ends in a panic of our own.
struct Ended {
    shared: Arc<Shared>,
    queue: Arc<Queue<Task>>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.shared.fail("a thread of the store panicked");
        self.queue.close();
    }
}

// === migrations ===

struct Target<'t> {
    runtime: &'t Runtime,
    client: &'t Client,
    file: &'t Path,
}

impl Target<'_> {
    fn say(&self, sql: &str) -> Result<(), BoxError> {
        let portable = statements(sql).map_err(|word| format!("not authorized: {word}"))?;
        portable.iter().try_for_each(|one| self.say_plainly(one))
    }

    fn say_plainly(&self, sql: &str) -> Result<(), BoxError> {
        self.runtime.block_on(self.client.batch_execute(sql)).map_err(|error| whole(&error).into())
    }

    fn apply_all(&self, step: &Step, now: Timestamp) -> Result<(), OpenError> {
        for one in &step.migrations {
            let failed = |source| OpenError::Migration {
                file: self.file.to_owned(),
                set: step.set,
                name: one.name,
                source,
            };
            self.say(one.sql).map_err(failed)?;
            let note = async {
                let sql = "INSERT INTO partie_migrations (set_name, version, name, checksum, applied_at)
                           VALUES ($1, $2, $3, $4, $5)";
                let (version, checksum, now) = (i64::from(one.version), one.checksum(), now.as_millis());
                self.client.execute(sql, &[&step.set, &version, &one.name, &checksum, &now]).await
            };
            self.runtime.block_on(note).map_err(|error| failed(whole(&error).into()))?;
        }
        let note = async {
            let sql = "INSERT INTO partie_readable (set_name, readable_from) VALUES ($1, $2)
                       ON CONFLICT (set_name) DO UPDATE SET readable_from = excluded.readable_from";
            self.client.execute(sql, &[&step.set, &i64::from(step.readable_from)]).await
        };
        self.runtime.block_on(note).map_err(|error| self.broken(whole(&error).into()))?;
        Ok(())
    }

    fn broken(&self, source: BoxError) -> OpenError {
        OpenError::Database { file: self.file.to_owned(), source }
    }
}

impl migrate::Target for Target<'_> {
    fn history(&self) -> Result<History, OpenError> {
        self.say(migrate::TABLES).map_err(|error| self.broken(error))?;
        let read = async {
            let sql = "SELECT set_name, version, checksum FROM partie_migrations";
            let rows = self.client.query(sql, &[]).await?;
            let applied = rows.iter().map(|row| {
                let version = u32::try_from(row.try_get::<_, i64>(1)?)?;
                Ok(Applied { set: row.try_get(0)?, version, checksum: row.try_get(2)? })
            });
            let applied = applied.collect::<Result<Vec<_>, BoxError>>()?;
            let rows = self.client.query("SELECT set_name, readable_from FROM partie_readable", &[]).await?;
            let readable_from =
                rows.iter().map(|row| Ok((row.try_get(0)?, u32::try_from(row.try_get::<_, i64>(1)?)?)));
            Ok(History { applied, readable_from: readable_from.collect::<Result<_, BoxError>>()? })
        };
        self.runtime.block_on(read).map_err(|error| self.broken(error))
    }

    fn apply(&self, step: &Step, now: Timestamp) -> Result<(), OpenError> {
        self.say_plainly("BEGIN").map_err(|error| self.broken(error))?;
        let applied = self.apply_all(step, now).and_then(|()| {
            let last = step.migrations.last().map_or("", |last| last.name);
            self.say_plainly("COMMIT").map_err(|source| OpenError::Migration {
                file: self.file.to_owned(),
                set: step.set,
                name: last,
                source,
            })
        });
        if applied.is_err() {
            self.say_plainly("ROLLBACK").map_err(|error| self.broken(error))?;
        }
        applied
    }
}
