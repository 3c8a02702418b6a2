//! Histories and programs: which go together.

use std::cell::RefCell;

use super::*;

/// Remembers what it was told.
#[derive(Default)]
struct Memory(RefCell<History>);

impl Target for Memory {
    fn history(&self) -> Result<History, OpenError> {
        Ok(self.0.borrow().clone())
    }

    fn apply(&self, step: &Step, _: Timestamp) -> Result<(), OpenError> {
        let mut history = self.0.borrow_mut();
        history.applied.extend(step.migrations.iter().map(|one| Applied {
            set: step.set.to_owned(),
            version: one.version,
            checksum: one.checksum(),
        }));
        history.readable_from.insert(step.set.to_owned(), step.readable_from);
        Ok(())
    }
}

const ONE: Migration = Migration::new("0001_a.sql", "CREATE TABLE a (x);\n");
const TWO: Migration = Migration::new("0002_b.sql", "CREATE TABLE b (x);\n");
const THREE: Migration = Migration::new("0003_c.sql", "CREATE TABLE c (x);\n");

fn run(memory: &Memory, migrations: &'static [Migration]) -> Result<usize, String> {
    let sets = [MigrationSet { name: "service", migrations }];
    migrate(memory, Path::new("x.db"), &sets, Timestamp::EPOCH).map_err(|error| error.to_string())?;
    Ok(memory.0.borrow().applied.len())
}

#[test]
fn history_is_checked() {
    let memory = Memory::default();
    assert_eq!(run(&memory, const { &[ONE] }), Ok(1));
    assert_eq!(run(&memory, const { &[ONE] }), Ok(1), "again: nothing to do");
    assert_eq!(run(&memory, const { &[ONE, THREE] }), Ok(2));
    for (program, complaint) in [
        (const { &[ONE, TWO, THREE] as &[_] }, "x.db: migration 0002 of `service` comes too late"),
        (
            const { &[ONE] },
            "x.db is for newer programs: `service` is at 3 and may be read from 3 on, this program knows 1",
        ),
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
fn a_program_is_refused_only_when_it_is_older_than_the_lowest_that_may_read() {
    const EXPAND: Migration =
        Migration::new("0002_b.sql", "-- partie: readable-from 0001\r\nALTER TABLE a ADD COLUMN y TEXT;\n");
    const AGAIN: Migration =
        Migration::new("0003_c.sql", "-- partie: readable-from 2\nCREATE TABLE c (x);\n");
    const CONTRACT: Migration = Migration::new("0004_d.sql", "ALTER TABLE a DROP COLUMN x;\n");
    let (one, two) = (const { &[ONE] as &[_] }, const { &[ONE, EXPAND] as &[_] });
    let (three, four) =
        (const { &[ONE, EXPAND, AGAIN] as &[_] }, const { &[ONE, EXPAND, AGAIN, CONTRACT] as &[_] });
    let memory = Memory::default();
    let refused = |program| run(&memory, program).unwrap_err();

    assert_eq!(run(&memory, two), Ok(2));
    assert_eq!(run(&memory, one), Ok(2), "expanded: the old program goes on, and applies nothing");

    assert_eq!(run(&memory, three), Ok(3));
    assert_eq!(run(&memory, two), Ok(3));
    let text =
        "x.db is for newer programs: `service` is at 3 and may be read from 2 on, this program knows 1";
    assert_eq!(refused(one), text, "the highest of what they say counts");

    assert_eq!(run(&memory, four), Ok(4));
    let text =
        "x.db is for newer programs: `service` is at 4 and may be read from 4 on, this program knows 3";
    assert_eq!(refused(three), text, "contracted");
    assert_eq!(run(&memory, four), Ok(4));

    // A history from before databases said so.
    memory.0.borrow_mut().readable_from.clear();
    assert!(refused(three).contains("from 4 on"));
    assert_eq!(run(&memory, four), Ok(4));
}

#[test]
fn an_older_program_still_checks_what_it_knows() {
    const EXPAND: Migration = Migration::new("0003_c.sql", "-- partie: readable-from 0001\nSELECT 1;\n");
    let memory = Memory::default();
    assert_eq!(run(&memory, const { &[ONE, EXPAND] }), Ok(2));
    let text = run(&memory, const { &[TWO] }).unwrap_err();
    assert!(text.contains("migration 0001 of `service` was applied and is gone"), "{text}");
    let text = run(&memory, const { &[ONE, TWO] }).unwrap_err();
    assert!(text.contains("migration 0002 of `service` comes too late"), "{text}");
}

#[test]
fn a_directive_that_means_nothing_is_refused() {
    const FIRST: [Migration; 6] = [
        Migration::new("0002_x.sql", "-- partie: readable-from 3\n"),
        Migration::new("0002_x.sql", "-- partie: readable-from 0\n"),
        Migration::new("0002_x.sql", "-- partie: readable-from\n"),
        Migration::new("0002_x.sql", "-- partie: readable-from one\n"),
        Migration::new("0002_x.sql", "-- partie: readable from 1\n"),
        Migration::new("0002_x.sql", "-- partie: expand\n"),
    ];
    for one in &FIRST {
        let text = run(&Memory::default(), std::slice::from_ref(one)).unwrap_err();
        let begin = "the program's migrations `service` are wrong: 0002_x.sql begins with `-- partie:";
        assert!(text.starts_with(begin) && text.ends_with("N from 1 to 2"), "{text}");
    }
    assert_eq!(FIRST[0].version, 2);
    let comment = Migration::new("0002_x.sql", "-- what it is for\n-- partie: readable-from 1\n");
    assert_eq!(comment.readable_from(), Ok(2), "the first line only");
}

#[test]
fn line_endings_do_not_change_a_migration() {
    let windows = Migration::new("0001_a.sql", "CREATE TABLE a (x);\r\n");
    assert_eq!(windows.checksum(), ONE.checksum());
    assert_ne!(ONE.checksum(), TWO.checksum());
}
