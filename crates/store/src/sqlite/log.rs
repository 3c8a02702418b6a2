//! Keeps the write-ahead log short: moves it into the database now and then, when nobody waits for an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;
use tracing::warn;

/// Pages between two checkpoints: 16 MB. The same pages are written again and again, and each is moved once.
const STEP: i32 = 4_000;
/// Pages above which the writer waits for readers: 64 MB.
///
/// The log starts again at its beginning only after a moment at which nobody reads from it. Where reads overlap all the
/// time there is no such moment, and the log would grow until the disk is full. Waiting makes one: readers that begin
/// meanwhile find everything in the database itself.
const LONG: i32 = 4 * STEP;
const PATIENCE: Duration = Duration::from_millis(100);

/// The length of the log, and when to do something about it.
pub(super) struct Log {
    /// As SQLite said at the latest commit.
    pages: Arc<AtomicI32>,
    /// The length when it was last looked at, and the one at which to checkpoint next.
    last: i32,
    next: i32,
    /// Pages between two checkpoints, and the length at which to wait for readers.
    step: i32,
    long: i32,
    busy_timeout: Duration,
}

// === impl Log ===

impl Log {
    /// Takes the place of SQLite's own checkpoints, which are part of the commit that everybody waits for.
    pub(super) fn watch(connection: &mut Connection, busy_timeout: Duration) -> rusqlite::Result<Self> {
        let pages = Arc::new(AtomicI32::new(0));
        let said = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut _, pages| {
            said.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { pages, last: 0, next: STEP, step: STEP, long: LONG, busy_timeout })
    }

    /// Does what is due. Between transactions only. Gives back the length of the log in pages.
    pub(super) fn tend(&mut self, connection: &Connection, store: &str) -> i32 {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.last {
            // It started again.
            self.next = self.step;
        }
        self.last = pages;
        if pages >= self.next {
            let result = match pages < self.long {
                true => checkpoint(connection, CheckpointMode::PASSIVE),
                false => self.wait_for_readers(connection, pages),
            };
            if let Err(error) = result {
                warn!(store, pages, %error, "the write-ahead log could not be moved into the database");
            }
            self.next = pages + self.step;
        }
        pages
    }

    fn wait_for_readers(&self, connection: &Connection, pages: i32) -> rusqlite::Result<()> {
        // A little for as long as that is enough; the disk is worth more than a moment.
        let patience = if pages < 4 * self.long { PATIENCE } else { self.busy_timeout };
        connection.busy_timeout(patience)?;
        let result = checkpoint(connection, CheckpointMode::RESTART);
        connection.busy_timeout(self.busy_timeout)?;
        result
    }
}

fn checkpoint(connection: &Connection, mode: CheckpointMode) -> rusqlite::Result<()> {
    connection.wal_checkpoint_v2(None::<&str>, mode).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;

    /// Pages between two checkpoints here.
    const SHORT: i32 = 1_000;

    /// A database with a log that is long at 2,000 pages.
    struct Desk {
        dir: PathBuf,
        log: Log,
        writer: Connection,
    }

    impl Desk {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("partie-log-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            let mut writer = Connection::open(dir.join("x.db")).unwrap();
            let setup = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t (x)";
            writer.execute_batch(setup).unwrap();
            let log = Log::watch(&mut writer, Duration::from_secs(10)).unwrap();
            Self { dir, log: Log { next: SHORT, step: SHORT, long: 2 * SHORT, ..log }, writer }
        }

        /// Writes 100 pages a commit and says how long the log became.
        fn write(&mut self, commits: usize) -> i32 {
            let mut commit = |_| {
                self.writer.execute("INSERT INTO t VALUES (zeroblob(400000))", []).unwrap();
                self.log.tend(&self.writer, "test")
            };
            (0..commits).map(&mut commit).max().unwrap_or(0)
        }

        fn read(&self) -> Connection {
            let reader = Connection::open(self.dir.join("x.db")).unwrap();
            begin(&reader);
            reader
        }
    }

    impl Drop for Desk {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.dir));
        }
    }

    fn begin(reader: &Connection) {
        reader.execute_batch("BEGIN").unwrap();
        let _: i64 = reader.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    }

    #[test]
    fn the_log_starts_again_when_nobody_reads() {
        let longest = Desk::new("alone").write(100);
        assert!(longest < SHORT + 200, "{longest}");
    }

    #[test]
    fn reads_that_overlap_all_the_time_do_not_make_it_grow() {
        let mut desk = Desk::new("overlap");
        let readers = [desk.read(), desk.read()];
        assert!(desk.write(18) > SHORT + 200, "a reader holds it up");
        let stop = Arc::new(AtomicBool::new(false));
        let reading = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                // One of them always reads.
                for reader in readers.iter().cycle() {
                    reader.execute_batch("COMMIT").unwrap();
                    begin(reader);
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            }
        });
        let longest = desk.write(200);
        stop.store(true, Ordering::Relaxed);
        reading.join().unwrap();
        assert!(longest < 6 * SHORT, "{longest} of 20,000 pages");
    }
}
