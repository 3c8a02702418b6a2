//! The writer at the edges of its disk, without its thread.

use std::cell::Cell;
use std::panic::Location;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use partie_contract::{Fault, FaultKind, NoProblem, Outcome};
use rusqlite::Connection;

use super::group::Grouper;
use super::guard::{Guard, Speaker};
use super::log::Log;
use super::open::{Session, open};
use crate::config::{Config, Handles};
use crate::error::{Error, ErrorKind};
use crate::lease::Leases;
use crate::lock::Lock;
use crate::metric_definitions::Metrics;
use crate::migrate::{Migration, MigrationSet};
use crate::queue::Queue;
use crate::shared::Shared;
use crate::status::{Health, Status};
use crate::task::{Answer, Task};

const SETS: [MigrationSet; 2] = [
    MigrationSet { name: "store", migrations: crate::migrations!["0001_store.sql"] },
    MigrationSet {
        name: "service",
        migrations: &[Migration::new("0001_x.sql", "CREATE TABLE blobs (id BIGINT, blob BLOB)")],
    },
];

/// A database and what its writer shares.
struct Desk {
    dir: PathBuf,
    connection: Rc<Connection>,
    log: Cell<Option<Log>>,
    guard: Guard,
    shared: Shared,
    queue: Queue<Task>,
}

impl Desk {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("partie-store-{name}-{}", std::process::id()));
        let handles = Handles::system();
        let config = Config::default();
        let lock = || Lock::take(&dir, name);
        let opened = open(&dir.join("x.db"), lock, &SETS, &handles, &config).unwrap();
        let Session { mut connection, guard } = opened.into_writer();
        let log = Cell::new(Some(Log::watch(&mut connection, config.busy_timeout).unwrap()));
        let shared = Shared {
            name: name.into(),
            file: Some(dir.join("x.db")),
            epoch: 0,
            metrics: Metrics::of(name),
            status: Status::new(),
            attached: Arc::default(),
            rings: Arc::default(),
            leases: Arc::new(Leases::new(1)),
            handles,
            config,
        };
        Self { connection: Rc::new(connection), log, guard, shared, queue: Queue::new(100), dir }
    }

    fn grouper(&self) -> Grouper<'_> {
        let log = self.log.take().unwrap();
        Grouper::new(&self.shared, &self.queue, &self.connection, &self.guard, log).unwrap()
    }

    /// Queues a write of that many bytes.
    fn write(&self, id: i64, bytes: i64) -> Answer<usize, NoProblem> {
        let closure = move |tx: &mut crate::Tx| -> Outcome<usize> {
            let blob = vec![7; usize::try_from(bytes).unwrap()];
            Ok(tx.execute("INSERT INTO blobs (id, blob) VALUES ($1, $2)", &[&id, &blob])?)
        };
        let busy = self.shared.handles.activity.begin();
        let (task, answer) = Task::new(closure, None, busy, Location::caller());
        self.queue.push(task).unwrap();
        answer
    }

    /// Lets the database grow by that many pages at most.
    fn limit(&self, pages: i64) {
        let ask = |sql: &str| -> i64 {
            let ask = || self.connection.query_row(sql, [], |row| row.get(0));
            self.guard.speak_as(Speaker::Store, ask).unwrap()
        };
        let count = ask("PRAGMA page_count");
        ask(&format!("PRAGMA max_page_count = {}", count + pages));
    }

    fn ids(&self) -> Vec<i64> {
        let mut statement = self.connection.prepare("SELECT id FROM blobs ORDER BY id").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

fn kind(mut answer: Answer<usize, NoProblem>) -> Result<usize, FaultKind> {
    let (outcome, _) = answer.try_recv().unwrap();
    outcome.map_err(|fault| match fault {
        Fault::Platform(fault) => fault.kind(),
        Fault::Domain(never) => match never {},
    })
}

#[test]
fn a_full_disk_refuses_writes_that_need_space_and_recovers_by_itself() {
    let desk = Desk::new("full");
    let mut grouper = desk.grouper();
    desk.limit(20);
    let answers = [desk.write(1, 10), desk.write(2, 1 << 20), desk.write(3, 10)];
    grouper.gather_all();
    let said: Vec<_> = answers.into_iter().map(kind).collect();
    assert_eq!(said, [Ok(1), Err(FaultKind::Degraded), Ok(1)]);
    assert_eq!(desk.ids(), [1, 3]);

    let refused = desk.write(4, 1 << 20);
    grouper.gather_all();
    assert_eq!(kind(refused), Err(FaultKind::Degraded));
    assert!(matches!(desk.shared.status.health(), Health::Degraded(_)));
    desk.limit(2);
    grouper.probe();
    assert!(matches!(desk.shared.status.health(), Health::Degraded(_)), "there is no space to recover in");
    assert_eq!(desk.ids(), [1, 3], "reads work");

    desk.limit(1 << 30);
    grouper.probe();
    assert_eq!(desk.shared.status.health(), Health::Ready);
    let written = desk.write(5, 1 << 20);
    grouper.gather_all();
    assert_eq!((kind(written), desk.ids()), (Ok(1), vec![1, 3, 5]));
}

#[test]
fn a_commit_that_fails_on_its_way_to_the_disk_ends_all_writing() {
    let desk = Desk::new("sync");
    let mut grouper = desk.grouper();
    let unknown = desk.write(1, 10);
    let mut group = vec![desk.queue.try_pop().unwrap()];
    grouper.give_up(&mut group, &Error::new(ErrorKind::Other).caused_by("disk I/O error"));
    assert_eq!(kind(unknown), Err(FaultKind::OutcomeUnknown));
    assert!(
        matches!(desk.shared.status.health(), Health::Failed(reason) if reason.contains("disk I/O error"))
    );
    let later = desk.write(2, 10);
    desk.queue.close();
    grouper.run();
    assert_eq!((kind(later), desk.ids()), (Err(FaultKind::Degraded), vec![]));
    desk.shared.status.set(Health::Ready);
    assert!(matches!(desk.shared.status.health(), Health::Failed(_)), "what has failed stays so");
}
