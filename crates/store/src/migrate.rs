//! Migrations: the history of a schema, checked against what the database remembers.
//!
//! An older program may open a database that a newer one has migrated, as long as it is not older than the lowest version
//! the database says may read it. [`plan`] is the whole rule; the engines bring the history and carry out the steps.

use std::collections::BTreeMap;
use std::path::Path;

use partie_contract::Timestamp;

use crate::error::OpenError;

/// One step of a schema: an SQL file. Once applied anywhere it never changes.
///
/// A program that does not know an applied migration is refused, unless the migration says on its first line which
/// programs it leaves alone: `-- partie: readable-from 0003` if those that know the schema up to 0003 may go on reading
/// and writing. That is for what expands a schema: a new table, a new column that has a default or may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// The number its name starts with.
    pub version: u32,
    /// The file's name, `0001_orders.sql`.
    pub name: &'static str,
    /// Its statements.
    pub sql: &'static str,
}

/// The migrations of one owner of tables: the service, or a part of Partie with tables of its own (`partie_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MigrationSet {
    /// Who owns them: `service`, `messaging`.
    pub name: &'static str,
    /// In increasing order of version.
    pub migrations: &'static [Migration],
}

/// The migrations in a crate's `migrations/` directory, compiled in.
///
/// ```ignore
/// Service::new("orders").store(migrations!["0001_orders.sql", "0002_receipts.sql"])
/// ```
///
/// Names start with a number, and the numbers increase. It is an error of the compiler if one does not.
#[macro_export]
macro_rules! migrations {
    ($($file:literal),* $(,)?) => {
        const {
            const FILES: &[$crate::Migration] = &[$($crate::Migration::new(
                $file,
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/", $file)),
            )),*];
            FILES
        }
    };
}

/// A row of `partie_migrations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) set: String,
    pub(crate) version: u32,
    pub(crate) checksum: String,
}

/// What a database remembers of its migrations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// The rows of `partie_migrations`.
    pub(crate) applied: Vec<Applied>,
    /// The rows of `partie_readable`: the lowest version of each set that may read the database. Databases from before
    /// there was that table have none, and only programs that know all of them may.
    pub(crate) readable_from: BTreeMap<String, u32>,
}

/// What is to be done in one transaction: these migrations, each with its row in `partie_migrations`, and the set's row
/// in `partie_readable`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) set: &'static str,
    pub(crate) migrations: Vec<&'static Migration>,
    pub(crate) readable_from: u32,
}

/// The tables that remember. Applied outside of any set, since they have to be there first.
pub(crate) const TABLES: &str = "CREATE TABLE IF NOT EXISTS partie_migrations (
    set_name TEXT NOT NULL,
    version BIGINT NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at BIGINT NOT NULL,
    PRIMARY KEY (set_name, version)
);
CREATE TABLE IF NOT EXISTS partie_readable (
    set_name TEXT NOT NULL PRIMARY KEY,
    readable_from BIGINT NOT NULL
);";

/// What the first line of a migration begins with when it says something to us.
const DIRECTIVE: &str = "-- partie:";

/// A database that migrations run in.
pub(crate) trait Target {
    fn history(&self) -> Result<History, OpenError>;

    /// Does all of a step, or nothing.
    fn apply(&self, step: &Step, now: Timestamp) -> Result<(), OpenError>;
}

// === impl Migration ===

impl Migration {
    /// A migration from a file.
    ///
    /// # Panics
    /// When the name does not start with a number from 1; in `const` that is an error of the compiler.
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        let bytes = name.as_bytes();
        let (mut version, mut at) = (0, 0);
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            assert!(at < 9, "the number of a migration has at most nine digits");
            version = version * 10 + (bytes[at] - b'0') as u32;
            at += 1;
        }
        assert!(version > 0, "the name of a migration starts with its number, from 1: `0001_orders.sql`");
        Self { version, name, sql }
    }

    /// The lowest version that may read a database with this migration: its own, unless its first line says otherwise.
    fn readable_from(&self) -> Result<u32, String> {
        let first = self.sql.lines().next().unwrap_or_default().trim();
        let Some(said) = first.strip_prefix(DIRECTIVE) else { return Ok(self.version) };
        let words: Vec<_> = said.split_whitespace().collect();
        let from = match words[..] {
            ["readable-from", version] => version.parse().ok(),
            _ => None,
        };
        from.filter(|from| (1..=self.version).contains(from)).ok_or_else(|| {
            let known = format!("`{DIRECTIVE} readable-from N`, N from 1 to {}", self.version);
            format!("{} begins with `{first}`; what is known there is {known}", self.name)
        })
    }

    /// FNV-1a over the text. It guards against mistakes, not against attackers, who could change the database itself.
    /// Carriage returns do not count: version control may add them on a checkout.
    pub(crate) fn checksum(&self) -> String {
        let hash =
            self.sql.bytes().filter(|byte| *byte != b'\r').fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        format!("{hash:016x}")
    }
}

/// Checks what was applied against the program, then applies what is missing.
pub(crate) fn migrate(
    target: &impl Target,
    file: &Path,
    sets: &[MigrationSet],
    now: Timestamp,
) -> Result<(), OpenError> {
    check_program(sets)?;
    plan(file, &target.history()?, sets)?.iter().try_for_each(|step| target.apply(step, now))
}

/// What a program with these sets has to do to a database with that history, or why it must leave it alone.
///
/// All sets are checked before any is applied: a refused database stays as it was.
pub(crate) fn plan(file: &Path, history: &History, sets: &[MigrationSet]) -> Result<Vec<Step>, OpenError> {
    let mut applied = BTreeMap::<&str, BTreeMap<u32, &str>>::new();
    for row in &history.applied {
        applied.entry(&row.set).or_default().insert(row.version, &row.checksum);
    }
    for set in sets {
        let readable_from = history.readable_from.get(set.name).copied();
        check_history(file, set, applied.get(set.name).unwrap_or(&BTreeMap::new()), readable_from)?;
    }
    for (name, versions) in &applied {
        if !sets.iter().any(|set| set.name == *name) {
            let version = versions.keys().next_back().copied().unwrap_or_default();
            let reason = "was applied by a program with more parts than this one".to_owned();
            return Err(OpenError::History {
                file: file.to_owned(),
                set: (*name).to_owned(),
                version,
                reason,
            });
        }
    }
    let mut steps = Vec::new();
    for set in sets {
        let latest = applied.get(set.name).and_then(|set| set.keys().next_back().copied()).unwrap_or(0);
        let migrations: Vec<_> = set.migrations.iter().filter(|one| one.version > latest).collect();
        if !migrations.is_empty() {
            steps.push(Step { set: set.name, migrations, readable_from: readable_from(set)? });
        }
    }
    Ok(steps)
}

/// The lowest version that may read a database with all of a set.
fn readable_from(set: &MigrationSet) -> Result<u32, OpenError> {
    set.migrations.iter().try_fold(0, |lowest, one| match one.readable_from() {
        Ok(from) => Ok(lowest.max(from)),
        Err(reason) => Err(OpenError::Program { set: set.name, reason }),
    })
}

fn check_program(sets: &[MigrationSet]) -> Result<(), OpenError> {
    for (at, set) in sets.iter().enumerate() {
        let wrong = |reason| Err(OpenError::Program { set: set.name, reason });
        if sets[..at].iter().any(|other| other.name == set.name) {
            return wrong("the name is given twice".to_owned());
        }
        for pair in set.migrations.windows(2) {
            if pair[0].version >= pair[1].version {
                return wrong(format!("{} comes after {}", pair[1].name, pair[0].name));
            }
        }
        readable_from(set)?;
    }
    Ok(())
}

fn check_history(
    file: &Path,
    set: &MigrationSet,
    applied: &BTreeMap<u32, &str>,
    readable_from: Option<u32>,
) -> Result<(), OpenError> {
    let known = set.migrations.last().map_or(0, |last| last.version);
    let latest = applied.keys().next_back().copied().unwrap_or(0);
    let readable_from = readable_from.unwrap_or(latest);
    if known < latest && known < readable_from {
        return Err(OpenError::Newer {
            file: file.to_owned(),
            set: set.name.to_owned(),
            found: latest,
            readable_from,
            known,
        });
    }
    let wrong = |version, reason: String| {
        Err(OpenError::History { file: file.to_owned(), set: set.name.to_owned(), version, reason })
    };
    // What is later than all the program knows was applied by a newer one, which says that we may read it.
    for (version, checksum) in applied.range(..=known) {
        match set.migrations.iter().find(|one| one.version == *version) {
            None => return wrong(*version, "was applied and is gone from the program".to_owned()),
            Some(one) if one.checksum() != *checksum => {
                let reason =
                    format!("was applied and has changed since ({}): add a new one instead", one.name);
                return wrong(*version, reason);
            }
            Some(_) => {}
        }
    }
    match set.migrations.iter().find(|one| one.version < latest && !applied.contains_key(&one.version)) {
        Some(late) => {
            wrong(late.version, format!("comes too late: {latest:04} was applied before it ({})", late.name))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
