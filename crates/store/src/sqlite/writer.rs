//! The thread that writes: its life from start to close.

use std::io;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::watch;
use tracing::warn;

use super::group::Grouper;
use super::log::Log;
use super::open::Session as Opened;
use crate::error::Error;
use crate::lock::Lock;
use crate::queue::Queue;
use crate::shared::Shared;
use crate::status::Health;
use crate::task::Task;

/// What the thread owns besides the connection.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Arc<Queue<Task>>,
    /// Ended before the database is closed.
    pub(super) readers: Vec<JoinHandle<()>>,
    /// Released when the database is closed.
    pub(super) lock: Lock,
    /// Dropped last: whoever waits for the close sees it.
    pub(super) closed: watch::Sender<()>,
}

/// Starts the thread. It ends when the queue is closed and empty.
pub(super) fn start_writer(opened: Opened, writer: Writer) -> io::Result<()> {
    thread::Builder::new()
        .name(format!("store-{}", writer.shared.name))
        .spawn(move || run(opened, writer))?;
    Ok(())
}

fn run(opened: Opened, writer: Writer) {
    // Should this thread panic outside of a closure, callers learn it instead of waiting for ever.
    let ended = Ended(&writer);
    let Opened { mut connection, guard } = opened;
    let log = Log::watch(&mut connection, writer.shared.config.busy_timeout);
    let connection = Rc::new(connection);
    match log.and_then(|log| Grouper::new(&writer.shared, &writer.queue, &connection, &guard, log)) {
        Ok(mut grouper) => grouper.run(),
        Err(error) => writer.shared.fail(&format!("the writer cannot start: {error}")),
    }
    mem::forget(ended);
    close(connection, writer);
}

/// Ends in order: readers, checkpoint, connection, lock.
fn close(connection: Rc<Connection>, writer: Writer) {
    let Writer { shared, readers, lock, closed, .. } = writer;
    for reader in readers {
        // A reader that panicked has nothing left to lose.
        drop(reader.join());
    }
    if !matches!(shared.status.health(), Health::Failed(_)) {
        // Now closing may move the log into the database and remove it.
        let closed = connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
            .map_err(Error::from)
            .and_then(|_| match Rc::into_inner(connection) {
                Some(connection) => connection.close().map_err(|(_, error)| error.into()),
                None => Ok(()),
            });
        if let Err(error) = closed {
            warn!(store = %shared.name, %error, "the store was not closed cleanly; opening it again repairs that");
        }
        shared.status.set(Health::Closed);
    }
    drop(lock);
    drop(closed);
}

/// Says what happened if the thread ends in a panic of our own.
struct Ended<'w>(&'w Writer);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.shared.fail("the writer's thread panicked");
        self.0.queue.close();
        // Their callers learn that the outcome is unknown.
        while let Some(task) = self.0.queue.try_pop() {
            drop(task);
        }
    }
}
