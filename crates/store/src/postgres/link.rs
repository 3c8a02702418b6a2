//! A thread's connection: one transaction at a time, with as few round trips as can be.
//!
//! `BEGIN` travels with the first statement. A statement that fails ends the transaction in PostgreSQL, while a closure
//! may go on after one. Most do not: they answer with a problem, and nothing is kept anyway. So statements have no
//! savepoint at first. If a closure does go on, what it does is void, and it runs again in careful mode: each statement
//! then travels between `SAVEPOINT` and `RELEASE`, in one flight. A read cannot run again: it is careful from its second
//! statement on, and begins anew if the first fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, future};
use partie_contract::{ToValue, Value};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Row, Statement};

use super::error::{self, Trouble};
use super::server::Server;
use super::sql::{portable, writes};
use super::values::Bound;
use super::wait::{Failed, wait};
use crate::error::{Error, ErrorKind};

/// What a write begins with. Read-decide-write is safe at no lower level.
pub(super) const WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE";
/// What a read begins with: one snapshot. At the serializable level a read could be aborted, or make a write abort, and
/// would have to be run again, which a read cannot; what it gains is not to see a moment between two writes that no
/// order of them explains, which a write that decides upon what it read is still protected from.
pub(super) const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

const SAVEPOINT: &str = "SAVEPOINT partie_statement";
const RELEASE: &str = "RELEASE partie_statement";
const UNDO: &str = "ROLLBACK TO partie_statement; RELEASE partie_statement";
/// Around a rehearsal.
const MARK: &str = "SAVEPOINT partie_run";
const BACK: &str = "ROLLBACK TO partie_run";

/// How much longer than the server the client waits for a statement to end.
const MARGIN: Duration = Duration::from_secs(2);

pub(super) struct Link {
    server: Arc<Server>,
    runtime: Runtime,
    client: Option<Client>,
    /// By where its text is.
    statements: HashMap<(usize, usize), Prepared>,
    patience: Duration,
    begin: &'static str,
    state: State,
    care: Care,
    /// Of this transaction: why it cannot go on, or what it was that failed.
    trouble: Option<Trouble>,
    /// Of this transaction: a statement came after one that had ended it.
    is_void: bool,
    is_full: bool,
    has_written: bool,
}

/// Which statements have a savepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    None,
    AfterFirst,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was sent yet.
    Fresh,
    Open,
    /// The first statement failed, and nobody minds if the next one begins anew.
    Spoiled,
    /// A statement failed; the server takes nothing but a rollback.
    Aborted,
    /// There is nothing to end.
    Over,
}

#[derive(Clone)]
struct Prepared {
    statement: Statement,
    writes: bool,
}

/// What came of a statement.
pub(super) struct Done {
    pub(super) rows: Vec<Row>,
    pub(super) changed: usize,
}

/// What became of a transaction.
#[derive(Debug)]
pub(super) enum End {
    Done,
    /// It is run again: another one came between, or the connection was lost before anything was committed.
    Again(Trouble),
    /// It went on after a statement that had failed; it is run again with care.
    Void,
    /// Nothing was committed.
    Refused(Error),
    /// The connection was lost on the way of the commit.
    Unknown(Error),
}

// === impl Link ===

impl Link {
    pub(super) fn new(server: Arc<Server>, patience: Duration) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            server,
            runtime,
            client: None,
            statements: HashMap::new(),
            patience: patience + MARGIN,
            begin: READ,
            state: State::Over,
            care: Care::None,
            trouble: None,
            is_void: false,
            is_full: false,
            has_written: false,
        })
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.as_ref().is_some_and(|client| !client.is_closed())
    }

    pub(super) fn connect(&mut self) -> Result<(), Error> {
        self.hang_up();
        let (server, patience) = (Arc::clone(&self.server), self.patience);
        let connected =
            self.runtime.block_on(async { tokio::time::timeout(patience, server.connect_here()).await });
        match connected {
            Ok(Ok(client)) => {
                self.client = Some(client);
                Ok(())
            }
            Ok(Err(source)) => Err(Error::new(ErrorKind::Unavailable).caused_by(error::whole(&source))),
            Err(_) => Err(Error::new(ErrorKind::Unavailable).caused_by("the server does not answer")),
        }
    }

    fn hang_up(&mut self) {
        self.client = None;
        self.statements.clear();
    }

    /// Gets ready for a transaction. It begins with its first statement.
    pub(super) fn begin(&mut self, begin: &'static str, care: Care) {
        self.begin = begin;
        self.care = care;
        self.state = State::Fresh;
        self.trouble = None;
        self.is_void = false;
        self.has_written = false;
    }

    /// Begins, and marks the place that [`back`](Self::back) goes back to.
    pub(super) fn mark(&mut self) -> Result<(), Error> {
        let begin = self.begin;
        self.control(&format!("{begin}; {MARK}")).map(|()| self.state = State::Open)
    }

    pub(super) fn back(&mut self) -> Result<(), Error> {
        if !self.goes_on() {
            return Ok(());
        }
        self.is_void = false;
        self.control(BACK).map(|()| self.state = State::Open)
    }

    /// Runs a statement of the closure.
    pub(super) fn run(&mut self, sql: &'static str, params: &[&dyn ToValue]) -> Result<Done, Error> {
        let result = match self.attempt(sql, params) {
            // Nothing had happened yet on a connection that the server had given up: a new one does as well.
            Err(_) if self.state == State::Over && self.trouble == Some(Trouble::Lost) => {
                self.run_anew(sql, params)
            }
            result => result,
        };
        result.map_err(|error| error.at(sql))
    }

    fn run_anew(&mut self, sql: &'static str, params: &[&dyn ToValue]) -> Result<Done, Error> {
        // Whatever comes of it, what the closure says next is no beginning.
        self.state = State::Aborted;
        self.connect()?;
        self.state = State::Fresh;
        self.trouble = None;
        let result = self.attempt(sql, params);
        if self.state == State::Over {
            self.state = State::Aborted;
        }
        result
    }

    /// Whether it is worth to do it all anew is for [`run`](Self::run): then the state is `Over`.
    fn attempt(&mut self, sql: &'static str, params: &[&dyn ToValue]) -> Result<Done, Error> {
        if matches!(self.state, State::Aborted | State::Over) {
            self.is_void = true;
            return Err(Error::new(ErrorKind::Ended));
        }
        if self.state == State::Spoiled {
            self.control("ROLLBACK")?;
            self.trouble = None;
            self.state = State::Fresh;
        }
        let Prepared { statement, writes } = self.prepared(sql)?;
        if statement.params().len() != params.len() {
            let wrong = format!("{} values for {} parameters", params.len(), statement.params().len());
            return Err(Error::new(ErrorKind::Value).caused_by(wrong));
        }
        let params = params.iter().zip(statement.params());
        let bound: Vec<Bound> =
            params.map(|(param, ty)| Bound::new(&param.to_value()?, ty)).collect::<Result<_, _>>()?;
        self.fly(async |client: &Client| {
            let mut stream = Box::pin(client.query_raw(&statement, bound).await?);
            let mut rows = Vec::new();
            while let Some(row) = stream.next().await {
                rows.push(row?);
            }
            let changed = stream.rows_affected().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
            Ok(Done { rows, changed })
        })
        .inspect(|_| self.has_written |= writes)
    }

    /// The statement, prepared. While nothing was sent it is prepared outside of the transaction, where failing ends
    /// nothing; later inside, where it sees the tables that the transaction has made.
    fn prepared(&mut self, sql: &'static str) -> Result<Prepared, Error> {
        let place = (sql.as_ptr().addr(), sql.len());
        if let Some(known) = self.statements.get(&place) {
            return Ok(known.clone());
        }
        let text = portable(sql)?;
        let statement = if self.state == State::Fresh {
            let client = self.client.as_ref().ok_or_else(unavailable)?;
            match wait(&self.runtime, self.patience, client.prepare(&text)) {
                Ok(statement) => statement,
                Err(failed) => {
                    let found = failed.trouble();
                    if found != Trouble::Statement {
                        self.trouble = Some(found);
                        self.state = if found == Trouble::Lost { State::Over } else { State::Aborted };
                    }
                    return Err(failed.into_error());
                }
            }
        } else {
            self.fly(async |client: &Client| client.prepare(&text).await)?
        };
        let prepared = Prepared { statement, writes: writes(&text) };
        self.statements.insert(place, prepared.clone());
        Ok(prepared)
    }

    /// Sends something inside of the transaction, with `BEGIN` before it if it is the first, and between savepoints if
    /// care is needed; all in one flight.
    fn fly<T>(
        &mut self,
        statement: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let client = self.client.as_ref().ok_or_else(unavailable)?;
        let begin = (self.state == State::Fresh).then_some(self.begin);
        let is_careful = self.care == Care::All || (self.care == Care::AfterFirst && begin.is_none());
        let (before, after) = if is_careful { (Some(SAVEPOINT), Some(RELEASE)) } else { (None, None) };
        let say = async |sql: Option<&str>| match sql {
            Some(sql) => client.batch_execute(sql).await,
            None => Ok(()),
        };
        let flight = async {
            // Each sends when it is polled for the first time, in this order.
            let (begun, saved, done, released) =
                future::join4(say(begin), say(before), statement(client), say(after)).await;
            begun?;
            // What failed in between says more than what failed because of it.
            let done = saved.and(done)?;
            released.map(|()| done)
        };
        match wait(&self.runtime, self.patience, flight) {
            Ok(done) => {
                self.state = State::Open;
                Ok(done)
            }
            Err(failed) => Err(self.failed(failed, begin.is_some(), is_careful)),
        }
    }

    fn failed(&mut self, failed: Failed, was_first: bool, is_careful: bool) -> Error {
        let found = failed.trouble();
        let error = failed.into_error();
        self.is_full |= error.kind() == ErrorKind::Full;
        self.state = State::Aborted;
        if found == Trouble::Statement && is_careful && self.control(UNDO).is_ok() {
            self.state = State::Open;
            return error;
        }
        if found == Trouble::Statement && self.care == Care::AfterFirst && was_first {
            self.state = State::Spoiled;
        }
        // The first trouble is the cause of those that follow it.
        let trouble = *self.trouble.get_or_insert(found);
        match trouble {
            Trouble::Stale => self.statements.clear(),
            Trouble::Lost if was_first => self.state = State::Over,
            _ => {}
        }
        error
    }

    /// One of the store's own statements, in the transaction or around it.
    pub(super) fn control(&mut self, sql: &str) -> Result<(), Error> {
        let client = self.client.as_ref().ok_or_else(unavailable)?;
        wait(&self.runtime, self.patience, client.batch_execute(sql)).map_err(|failed| {
            let (found, error) = (failed.trouble(), failed.into_error());
            self.is_full |= error.kind() == ErrorKind::Full;
            self.state = State::Aborted;
            self.trouble.get_or_insert(found);
            error
        })
    }

    /// Commits if there is something to keep. What is not kept is rolled back by [`clear`](Self::clear).
    pub(super) fn end(&mut self, keep: bool) -> End {
        match self.trouble {
            Some(Trouble::Statement) | None => {}
            Some(trouble) => return End::Again(trouble),
        }
        // A closure that failed after a statement had is as well off as one that failed at once.
        if self.is_void || (keep && self.state == State::Aborted) {
            return End::Void;
        }
        if !keep || self.state != State::Open {
            return End::Done;
        }
        let Some(client) = self.client.as_ref() else { return End::Again(Trouble::Lost) };
        let failed = match wait(&self.runtime, self.patience, client.batch_execute("COMMIT")) {
            Ok(()) => {
                self.state = State::Over;
                return End::Done;
            }
            Err(failed) => failed,
        };
        // Before the commit record is written the server says so with an error that leaves the connection as it is, and
        // nothing of the transaction.
        let is_refused = failed.is_refusal();
        self.state = State::Over;
        let (found, error) = (failed.trouble(), failed.into_error());
        self.is_full |= error.kind() == ErrorKind::Full;
        match found {
            _ if !is_refused => {
                self.hang_up();
                End::Unknown(error)
            }
            Trouble::Conflict | Trouble::Stale => End::Again(found),
            _ => End::Refused(error),
        }
    }

    /// Leaves nothing of the transaction behind.
    pub(super) fn clear(&mut self) {
        let is_left = matches!(self.state, State::Open | State::Aborted | State::Spoiled);
        if self.trouble == Some(Trouble::Lost) || (is_left && self.control("ROLLBACK").is_err()) {
            self.hang_up();
        }
        self.state = State::Over;
    }

    pub(super) fn take_full(&mut self) -> bool {
        std::mem::take(&mut self.is_full)
    }

    pub(super) fn has_written(&self) -> bool {
        self.has_written
    }

    /// Whether the transaction has come to no harm so far.
    pub(super) fn goes_on(&self) -> bool {
        self.trouble.is_none_or(|trouble| trouble == Trouble::Statement)
    }
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable)
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({:?}, {:?})", self.server, self.state)
    }
}

// === values ===

/// A row's column.
pub(super) fn column(row: &Row, at: usize) -> Result<Value<'_>, Error> {
    row.try_get::<_, super::values::Found<'_>>(at)
        .map(|found| found.0)
        .map_err(|error| Error::new(ErrorKind::Value).caused_by(error::whole(&error)))
}
