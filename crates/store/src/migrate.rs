//! Migrations: the history of a schema, checked against what the database remembers.

use std::collections::BTreeMap;
use std::path::Path;

use partie_contract::Timestamp;

use crate::error::OpenError;

/// One step of a schema: an SQL file. Once applied anywhere it never changes.
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

/// The table that remembers. Applied outside of any set, since it has to be there first.
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS partie_migrations (
    set_name TEXT NOT NULL,
    version BIGINT NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at BIGINT NOT NULL,
    PRIMARY KEY (set_name, version)
)";

/// A database that migrations run in.
pub(crate) trait Target {
    fn applied(&self) -> Result<Vec<Applied>, OpenError>;

    /// Applies all of them and remembers each, or none.
    fn apply(
        &self,
        set: &'static str,
        migrations: &[&'static Migration],
        now: Timestamp,
    ) -> Result<(), OpenError>;
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
    let mut applied = BTreeMap::<String, BTreeMap<u32, String>>::new();
    for row in target.applied()? {
        applied.entry(row.set).or_default().insert(row.version, row.checksum);
    }
    // All sets are checked before any is applied: a refused database stays as it was.
    for set in sets {
        check_history(file, set, applied.get(set.name).unwrap_or(&BTreeMap::new()))?;
    }
    for (name, versions) in &applied {
        if !sets.iter().any(|set| set.name == name) {
            let version = versions.keys().next_back().copied().unwrap_or_default();
            let reason = "was applied by a program with more parts than this one".to_owned();
            return Err(OpenError::History { file: file.to_owned(), set: name.clone(), version, reason });
        }
    }
    for set in sets {
        let latest = applied.get(set.name).and_then(|set| set.keys().next_back().copied()).unwrap_or(0);
        let missing: Vec<_> = set.migrations.iter().filter(|one| one.version > latest).collect();
        if !missing.is_empty() {
            target.apply(set.name, &missing, now)?;
        }
    }
    Ok(())
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
    }
    Ok(())
}

fn check_history(file: &Path, set: &MigrationSet, applied: &BTreeMap<u32, String>) -> Result<(), OpenError> {
    let known = set.migrations.last().map_or(0, |last| last.version);
    let latest = applied.keys().next_back().copied().unwrap_or(0);
    if latest > known {
        return Err(OpenError::Newer {
            file: file.to_owned(),
            set: set.name.to_owned(),
            found: latest,
            known,
        });
    }
    let wrong = |version, reason: String| {
        Err(OpenError::History { file: file.to_owned(), set: set.name.to_owned(), version, reason })
    };
    for (version, checksum) in applied {
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
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Remembers what it was told.
    #[derive(Default)]
    struct Memory(RefCell<Vec<Applied>>);

    impl Target for Memory {
        fn applied(&self) -> Result<Vec<Applied>, OpenError> {
            Ok(self.0.borrow().clone())
        }

        fn apply(
            &self,
            set: &'static str,
            migrations: &[&'static Migration],
            _: Timestamp,
        ) -> Result<(), OpenError> {
            self.0.borrow_mut().extend(migrations.iter().map(|one| Applied {
                set: set.to_owned(),
                version: one.version,
                checksum: one.checksum(),
            }));
            Ok(())
        }
    }

    const ONE: Migration = Migration::new("0001_a.sql", "CREATE TABLE a (x);\n");
    const TWO: Migration = Migration::new("0002_b.sql", "CREATE TABLE b (x);\n");
    const THREE: Migration = Migration::new("0003_c.sql", "CREATE TABLE c (x);\n");

    fn run(memory: &Memory, migrations: &'static [Migration]) -> Result<usize, String> {
        let sets = [MigrationSet { name: "service", migrations }];
        migrate(memory, Path::new("x.db"), &sets, Timestamp::EPOCH).map_err(|error| error.to_string())?;
        Ok(memory.0.borrow().len())
    }

    #[test]
    fn history_is_checked() {
        let memory = Memory::default();
        assert_eq!(run(&memory, const { &[ONE] }), Ok(1));
        assert_eq!(run(&memory, const { &[ONE] }), Ok(1), "again: nothing to do");
        assert_eq!(run(&memory, const { &[ONE, THREE] }), Ok(2));
        for (program, complaint) in [
            (const { &[ONE, TWO, THREE] as &[_] }, "x.db: migration 0002 of `service` comes too late"),
            (const { &[ONE] }, "x.db is newer than this program: `service` is at 3, the program knows 1"),
            (const { &[THREE] }, "x.db: migration 0001 of `service` was applied and is gone"),
            (
                const { &[ONE, Migration::new("0003_c.sql", "DROP TABLE a;")] },
                "x.db: migration 0003 of `service` was applied and has changed since",
            ),
            (const { &[THREE, ONE] }, "the program's migrations `service` are wrong: 0001_a.sql comes after"),
        ] {
            let error = run(&memory, program).unwrap_err();
            assert!(error.starts_with(complaint) && !error.contains('\n'), "{error}");
        }
        let other = [MigrationSet { name: "other", migrations: &[] }];
        assert!(migrate(&memory, Path::new("x.db"), &other, Timestamp::EPOCH).is_err());
        let twice = [other[0], other[0]];
        assert!(migrate(&Memory::default(), Path::new("x.db"), &twice, Timestamp::EPOCH).is_err());
    }

    #[test]
    fn line_endings_do_not_change_a_migration() {
        let windows = Migration::new("0001_a.sql", "CREATE TABLE a (x);\r\n");
        assert_eq!(windows.checksum(), ONE.checksum());
        assert_ne!(ONE.checksum(), TWO.checksum());
    }
}
