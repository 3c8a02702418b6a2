//! A connection as a closure may use it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use partie_contract::{ToValue, Value};

use super::link::{Link, column};
use crate::error::Error;

/// The thread's connection, lent for a transaction.
pub(crate) struct Session(Rc<RefCell<Link>>);

/// A row of PostgreSQL.
pub(crate) struct Row<'r>(&'r tokio_postgres::Row);

// === impl Session ===

impl Session {
    pub(super) fn new(link: Rc<RefCell<Link>>) -> Self {
        Self(link)
    }

    pub(crate) fn execute(&mut self, sql: &'static str, params: &[&dyn ToValue]) -> Result<usize, Error> {
        Ok(self.0.borrow_mut().run(sql, params)?.changed)
    }

    /// The rows have all arrived before the first is looked at.
    pub(crate) fn each(
        &mut self,
        sql: &'static str,
        params: &[&dyn ToValue],
        mut row: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let done = self.0.borrow_mut().run(sql, params)?;
        done.rows.iter().try_for_each(|one| row(&Row(one)).map_err(|error| error.at(sql)))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

// === impl Row ===

impl Row<'_> {
    pub(crate) fn value(&self, at: usize) -> Result<Value<'_>, Error> {
        column(self.0, at)
    }
}
