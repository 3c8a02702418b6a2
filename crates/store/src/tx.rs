//! The transaction that a closure is lent, and the rows it reads.

mod job;

use std::any::Any;
use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

use partie_contract::{Call, Fault, FromValue, Id, Platform, Problem, Timestamp, ToValue, Value};
use partie_runtime::{Clock, Ids};

pub(crate) use self::job::Job;
use crate::attached::Attached;
use crate::error::{Error, ErrorKind};
use crate::lease::{Lease, Leases};
#[cfg(feature = "postgres")]
use crate::postgres;
use crate::ring::Rings;
use crate::shared::Shared;
use crate::sqlite;

/// A transaction, or a snapshot to read from, lent to a closure.
///
/// SQL is the part that SQLite and PostgreSQL share; `BLOB`, `INTEGER PRIMARY KEY`, `WITHOUT ROWID` and `unixepoch()` mean
/// on PostgreSQL what they do on SQLite. There, a parameter has the type that its first use shows: write
/// `status = $1 OR $1 IS NULL`, not the other way round, and `CAST($1 AS BIGINT)` where nothing shows it. Parameters are `$1`, `$2` .. and mean the elements of `params` in
/// that order, however often and in whatever order the statement names them. A failed statement did nothing; the
/// closure may go on after it, or give the error back with `?` and so roll back.
pub struct Tx {
    backend: Backend,
    clock: Clock,
    ids: Ids,
    store: Arc<str>,
    epoch: i64,
    attached: Arc<Attached>,
    rings: Arc<Rings>,
    leases: Arc<Leases>,
    job: Job,
}

/// The databases a transaction can run on.
enum Backend {
    Sqlite(sqlite::Session),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Session),
}

/// One row of a result.
pub struct Row<'r>(RowBackend<'r>);

enum RowBackend<'r> {
    Sqlite(&'r sqlite::Row<'r>),
    #[cfg(feature = "postgres")]
    Postgres(&'r postgres::Row<'r>),
}

// === impl Tx ===

impl Tx {
    /// Runs a statement that gives no rows back, and says how many rows it changed.
    ///
    /// # Errors
    /// [`Error::is_unique_violation`] can be asked; everything else is usually passed on with `?`.
    pub fn execute(&mut self, sql: &'static str, params: &[&dyn ToValue]) -> Result<usize, Error> {
        self.note(sql, params);
        self.run_execute(sql, params)
    }

    /// Reads all rows. `RETURNING` works too.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and what `row` gives back.
    pub fn query<T>(
        &mut self,
        sql: &'static str,
        params: &[&dyn ToValue],
        mut row: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.note(sql, params);
        let mut rows = Vec::new();
        self.each(sql, params, |one| {
            rows.push(row(one)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Reads a row that may be missing.
    ///
    /// # Errors
    /// As [`query`](Self::query), and [`ErrorKind::MoreRows`].
    pub fn query_opt<T>(
        &mut self,
        sql: &'static str,
        params: &[&dyn ToValue],
        row: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.note(sql, params);
        self.run_query_opt(sql, params, row)
    }

    /// Reads a row that has to be there.
    ///
    /// # Errors
    /// As [`query_opt`](Self::query_opt), and [`ErrorKind::NoRow`].
    pub fn query_one<T>(
        &mut self,
        sql: &'static str,
        params: &[&dyn ToValue],
        row: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.query_opt(sql, params, row)?.ok_or_else(|| Error::new(ErrorKind::NoRow).at(sql))
    }

    /// Business time: one moment for the whole transaction, the same when the closure runs again.
    pub fn now(&self) -> Timestamp {
        self.job.now.unwrap_or(Timestamp::EPOCH)
    }

    /// A fresh id, the same when the closure runs again.
    pub fn new_id<T: Id>(&self) -> T {
        let (mut given, used) = (self.job.ids.borrow_mut(), self.job.used.get());
        if used == given.len() {
            given.push(self.ids.uuid(self.now()));
        }
        self.job.used.set(used + 1);
        T::from_uuid(given[used])
    }

    /// The call on whose behalf this happens, for the correlation of events. Only [`once`](crate::Store::once) has one.
    pub fn call(&self) -> Option<&Call> {
        self.job.call.as_ref()
    }

    /// Checks the call's `If-Match` against the version of a row just read. Nothing changes the row until the commit, or
    /// else the closure runs again: `let dish = Dish::find(tx, id)?; tx.check_version(dish.version)?;` and then
    /// `UPDATE dishes SET version = version + 1, .. WHERE id = $1`. Without a precondition on the call every version
    /// will do; that it has one where the contract wants one is checked before the handler runs.
    ///
    /// # Errors
    /// [`FaultKind::PreconditionFailed`](partie_contract::FaultKind::PreconditionFailed).
    pub fn check_version(&self, current: i64) -> Result<(), Platform> {
        match self.call().and_then(Call::if_match) {
            Some(precondition) => precondition.check(current),
            None => Ok(()),
        }
    }

    /// Does something after the commit, and only then: the one place to touch memory or to wake somebody.
    ///
    /// It runs on the store's thread before the caller has its answer, so it has to be short and must not wait. After
    /// a crash it has not run. In a read it runs when the read is done.
    pub fn after_commit(&mut self, f: impl FnOnce() + Send + 'static) {
        self.job.after_commit.push(Box::new(f));
    }

    /// Makes a problem an answer that commits: `return Err(tx.commit_problem(PaymentError::Declined))`.
    ///
    /// What the closure has written stays, and under an idempotency key the problem is stored and replayed like any
    /// other answer. Without it a problem rolls everything back, and the next attempt is evaluated anew.
    pub fn commit_problem<E: Problem>(&mut self, problem: E) -> Fault<E> {
        self.job.keeps_problem = true;
        Fault::Domain(problem)
    }
}

// === for the other parts of Partie ===

impl Tx {
    /// Makes the transaction one of the lease's holder: it fails if another replica has become the holder, and no other
    /// becomes it before the transaction ends. Say it first, and pass the error on.
    ///
    /// # Errors
    /// [`ErrorKind::Fenced`]; as [`query`](Self::query). A read cannot be fenced.
    pub fn fence(&mut self, lease: &Lease) -> Result<(), Error> {
        let is_current = match &self.backend {
            Backend::Sqlite(_) => self.leases.is_current(lease),
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => {
                // The lock makes whoever takes over wait.
                let sql = "SELECT epoch FROM partie_epochs WHERE name = $1 AND epoch = $2 FOR SHARE";
                self.run_query_opt(sql, &[&lease.name(), &lease.epoch()], |row| row.get::<i64>(0))?.is_some()
            }
        };
        if is_current { Ok(()) } else { Err(Error::new(ErrorKind::Fenced)) }
    }

    /// Rings a bell in all replicas once this has committed ([`Store::ring`](crate::Store::ring)).
    pub fn ring(&mut self, channel: &'static str) {
        let rings = Arc::clone(&self.rings);
        self.after_commit(move || rings.ring(channel));
    }

    /// The name of the store.
    pub fn store_name(&self) -> &str {
        &self.store
    }

    /// Which life of the database this is ([`Store::epoch`](crate::Store::epoch)).
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// What was attached to the store ([`Store::attach`](crate::Store::attach)).
    pub fn attached<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.attached.get()
    }

    /// Keeps something for the rest of this run of the closure, one thing of each type.
    pub fn set_local<T: Any + Send + Sync>(&mut self, thing: Arc<T>) {
        self.job.local.set(thing);
    }

    /// What this run of the closure has kept.
    pub fn local<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.job.local.get()
    }

    /// From here on [`now`](Self::now) is not before `earliest`: what follows from an event is not dated before it,
    /// even if the event comes from a machine whose clock is ahead.
    pub fn not_before(&mut self, earliest: Timestamp) {
        self.job.now = Some(self.now().max(earliest));
    }
}

// === for the store ===

impl Tx {
    pub(crate) fn sqlite(session: sqlite::Session, shared: &Shared) -> Self {
        Self::new(Backend::Sqlite(session), shared)
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn postgres(session: postgres::Session, shared: &Shared) -> Self {
        Self::new(Backend::Postgres(session), shared)
    }

    fn new(backend: Backend, shared: &Shared) -> Self {
        let (clock, ids) = (shared.handles.clock.clone(), shared.handles.ids.clone());
        let (store, attached) = (Arc::clone(&shared.name), Arc::clone(&shared.attached));
        let (rings, leases) = (Arc::clone(&shared.rings), Arc::clone(&shared.leases));
        let (epoch, job) = (shared.epoch, Job::default());
        Self { backend, clock, ids, store, epoch, attached, rings, leases, job }
    }

    /// Lends the transaction to a job for one run; [`leave`](Self::leave) takes it back.
    pub(crate) fn enter(&mut self, mut job: Job, compared: bool) {
        job.begin_run(&self.clock, compared);
        self.job = job;
    }

    pub(crate) fn leave(&mut self) -> Job {
        std::mem::take(&mut self.job)
    }

    pub(crate) fn job(&self) -> &Job {
        &self.job
    }

    /// A statement of the store itself, which is not among those compared between two runs.
    pub(crate) fn run_execute(&mut self, sql: &'static str, params: &[&dyn ToValue]) -> Result<usize, Error> {
        match &mut self.backend {
            Backend::Sqlite(session) => session.execute(sql, params),
            #[cfg(feature = "postgres")]
            Backend::Postgres(session) => session.execute(sql, params),
        }
    }

    pub(crate) fn run_query_opt<T>(
        &mut self,
        sql: &'static str,
        params: &[&dyn ToValue],
        mut row: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut found = None;
        self.each(sql, params, |one| match found {
            None => {
                found = Some(row(one)?);
                Ok(())
            }
            Some(_) => Err(Error::new(ErrorKind::MoreRows)),
        })?;
        Ok(found)
    }

    pub(crate) fn each(
        &mut self,
        sql: &'static str,
        params: &[&dyn ToValue],
        mut row: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match &mut self.backend {
            Backend::Sqlite(session) => session.each(sql, params, |one| row(&Row(RowBackend::Sqlite(one)))),
            #[cfg(feature = "postgres")]
            Backend::Postgres(session) => {
                session.each(sql, params, |one| row(&Row(RowBackend::Postgres(one))))
            }
        }
    }

    /// Whether others may write while this transaction runs.
    pub(crate) fn is_shared(&self) -> bool {
        match &self.backend {
            Backend::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => true,
        }
    }

    /// The oldest transaction that was running when this one looked for the first time, and one that had not begun
    /// then: this one, which begins to count by being asked. The end of the snapshot would not do. It is what follows the
    /// last transaction that has ended, and those that are running may have begun after that one.
    pub(crate) fn running(&mut self) -> Result<(i64, i64), Error> {
        let sql = "SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT),
                          CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)";
        self.run_query_opt(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?
            .ok_or_else(|| Error::new(ErrorKind::NoRow))
    }

    // What the threads of SQLite ask; those of PostgreSQL ask their connections.

    /// Whether the database still holds the transaction that the closure was lent.
    pub(crate) fn is_alive(&self) -> bool {
        match &self.backend {
            Backend::Sqlite(session) => session.in_transaction(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => true,
        }
    }

    /// Whether a statement found the disk full since this was last asked.
    pub(crate) fn take_full(&mut self) -> bool {
        match &mut self.backend {
            Backend::Sqlite(session) => session.take_full(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => false,
        }
    }

    /// Whether a statement ran that may have written, since this was last asked.
    pub(crate) fn take_written(&mut self) -> bool {
        match &mut self.backend {
            Backend::Sqlite(session) => session.take_written(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => false,
        }
    }

    fn note(&mut self, sql: &str, params: &[&dyn ToValue]) {
        if let Some(digest) = &mut self.job.digest {
            digest.write(sql.as_bytes());
            for param in params {
                match param.to_value() {
                    Ok(Value::Text(text)) => digest.write(text.as_bytes()),
                    Ok(Value::Blob(bytes)) => digest.write(&bytes),
                    value => digest.write(format!("{value:?}").as_bytes()),
                }
                digest.write_u8(0xff);
            }
        }
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backend = match &self.backend {
            Backend::Sqlite(_) => "sqlite",
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => "postgres",
        };
        f.debug_struct("Tx").field("backend", &backend).field("now", &self.job.now).finish_non_exhaustive()
    }
}

// === impl Row ===

impl Row<'_> {
    /// The value of a column, counted from 0 in the order of the `SELECT`.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] when the column holds something else, or does not exist.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T, Error> {
        let value = match &self.0 {
            RowBackend::Sqlite(row) => row.value(column)?,
            #[cfg(feature = "postgres")]
            RowBackend::Postgres(row) => row.value(column)?,
        };
        T::from_value(value)
            .map_err(|invalid| Error::new(ErrorKind::Value).caused_by(format!("column {column}: {invalid}")))
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Row")
    }
}
