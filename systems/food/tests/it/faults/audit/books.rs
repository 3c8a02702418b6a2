//! All databases of a system, read together, whichever engines they are on.

mod copied;

use std::path::Path;

use rusqlite::{Connection, Result};

use crate::program::engines;

/// The stores of the services, and the broker's.
pub(crate) const STORES: [&str; 5] = ["orders", "restaurants", "delivery", "notifications", "broker"];

/// All databases of a system, read together.
pub(crate) struct Books(pub(super) Connection);

// === impl Books ===

impl Books {
    /// Opens them for reading only: what a crash has left in their logs stays there for the program to find. On engines
    /// it is a copy, and the broker's log is what the services say that they have published.
    pub(crate) fn open(databases: &Path) -> Self {
        match engines(databases) {
            Some(engines) => copied::books(&engines, copied::Log::AsPublished),
            None => Self::embedded(databases),
        }
    }

    /// The same with all that the broker holds.
    pub(crate) fn complete(databases: &Path) -> Self {
        match engines(databases) {
            Some(engines) => copied::books(&engines, copied::Log::AsKept),
            None => Self::embedded(databases),
        }
    }

    fn embedded(databases: &Path) -> Self {
        let all = Connection::open_in_memory().unwrap();
        for store in STORES {
            let path = databases.join(format!("{store}.db"));
            // One that died at its first start has not made them all.
            let uri = if path.exists() {
                format!("file:{}?mode=ro", path.display())
            } else {
                ":memory:".to_owned()
            };
            all.execute(&format!("ATTACH ?1 AS {store}"), [uri]).unwrap();
        }
        // All rules look at the same moment of a store, and the broker's is the last one: work that went on from one store
        // to the next meanwhile is seen as an event that is not handled yet.
        all.execute_batch("BEGIN").unwrap();
        for store in STORES {
            let tables = format!("SELECT count(*) FROM {store}.sqlite_schema");
            all.query_row(&tables, [], |_| Ok(())).unwrap();
        }
        Self(all)
    }

    /// The first column of what that selects.
    pub(crate) fn texts(&self, sql: &str) -> Result<Vec<String>> {
        self.0.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    }
}
