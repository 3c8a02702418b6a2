//! The food system's tests on PostgreSQL and NATS: the same ones, unchanged, as far as they are about what holds there.

use crate::process::{Result, capture, cargo, follow, program, root};
use crate::suite::Count;

/// The system whose tests these are.
const SYSTEM: &str = "systems/food";
/// Read by the testkit.
const ENGINES: (&str, &str) = ("PARTIE_TEST_ENGINES", "postgres+nats");

/// Which of its tests run there too, by the beginnings of their names, and what they show.
const RUN: &[(&str, &str)] = &[
    ("conformance::", "every operation keeps its contract, odd input included"),
    ("crash::", "what was answered survives kill -9, and its key still replays"),
    ("demo::", "newcomers see orders being delivered"),
    ("orders::", "keys, versions, pages, streams"),
    ("processes::deaths", "whatever is killed, nothing is lost or doubled"),
    ("processes::rolling", "a rolling restart of everything fails no request"),
    ("processes::words::every_line", "an orderly start and end"),
    ("processes::words::the_platform", "sagas and dead letters seen from the platform; long polls"),
    ("faults::mail", "a mail that had left is sent again under its id"),
    ("faults::provider", "what could not be told stays on record, over a crash"),
    ("registered::", "from registration to the first delivered order"),
    ("seeds::", "the tutorials' requests"),
];

/// Which do not, and why.
const EMBEDDED_ONLY: &[(&str, &str)] = &[
    ("faults::anytime", "five thousand orders take too long; processes::replicas kills at any moment there"),
    ("faults::audit::tampered", "tampers with files; the rules are the same"),
    ("faults::durability", "watches what is written to files"),
    ("faults::failpoints", "reads the files as each death has left them"),
    ("faults::states", "starts nothing"),
    ("journeys::", "steps a clock from one quiet moment to the next: it works there, in minutes each"),
    ("operations::backup", "copies files; servers have their own backups"),
    ("operations::chaos", "the same chaos, whatever carries the events"),
    ("operations::disk", "takes the space and the syncs of files away"),
    ("operations::retention", "steps a clock, as journeys do"),
    ("policies::", "starts nothing"),
    ("processes::joining", "is about the registry"),
    ("processes::keyless", "is about who may join, whatever carries the events"),
    ("processes::replicas", "starts servers of its own, and runs with all other tests"),
    ("processes::watched", "one waits for the lock of a store in files"),
    ("processes::words::what_cannot_be", "refusals, of which one is about SQLite"),
    ("refusals::", "a foreign file, a locked directory"),
    ("registry::", "is about the registry"),
    ("replay", "a recorded day on a stepped clock, as journeys are"),
    ("schemas::", "starts nothing"),
];

pub(crate) fn step() -> Result<String> {
    let tests = built()?;
    let it = || {
        let mut command = program(&tests);
        command.current_dir(root().join(SYSTEM)).env(ENGINES.0, ENGINES.1);
        command
    };
    let mut list = it();
    list.args(["--list", "--format", "terse"]);
    let listed = capture(list)?;
    let mut run = it();
    // One after another: the servers and the programs want the machine for themselves.
    run.args(["--test-threads=1", "--exact"]).args(chosen(&listed)?);
    let mut count = Count::default();
    let outcome = follow(run, |line| count.add(line));
    outcome.map_err(|error| format!("{count}; {error}"))?;
    Ok(count.to_string())
}

/// The test program, built with what all tests are built with, so that nothing is built twice.
fn built() -> Result<String> {
    let build = cargo([
        "test",
        "--workspace",
        "--all-features",
        "--no-run",
        "--message-format",
        "json-render-diagnostics",
    ]);
    let said = capture(build)?;
    let manifest = format!("{SYSTEM}/Cargo.toml");
    let programs = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs = programs.filter(|line| {
        line["target"]["name"] == "it"
            && line["manifest_path"].as_str().is_some_and(|path| path.ends_with(&manifest))
    });
    let found = programs.find_map(|line| line["executable"].as_str().map(str::to_owned));
    found.ok_or_else(|| format!("{SYSTEM} has no tests called `it`"))
}

/// The tests to run. Every test is in one of the tables, and every line of a table is about some test.
fn chosen(listed: &str) -> Result<Vec<&str>> {
    let tests: Vec<&str> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let lines = || RUN.iter().chain(EMBEDDED_ONLY).map(|(name, _)| *name);
    if let Some(test) = tests.iter().find(|test| lines().filter(|name| test.starts_with(name)).count() != 1) {
        return Err(format!(
            "say in RUN or EMBEDDED_ONLY (xtask/src/engines.rs) whether {test} runs on engines"
        ));
    }
    if let Some(name) = lines().find(|name| !tests.iter().any(|test| test.starts_with(name))) {
        return Err(format!("no test is called {name}: xtask/src/engines.rs"));
    }
    let runs = |test: &&str| RUN.iter().any(|(name, _)| test.starts_with(name));
    Ok(tests.into_iter().filter(runs).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_nobody_thought_of_and_a_line_about_none_are_found() {
        let all = || RUN.iter().chain(EMBEDDED_ONLY);
        let listed: String = all().map(|(name, _)| format!("{name}a: test\n")).collect();
        assert_eq!(chosen(&listed).map(|tests| tests.len()), Ok(RUN.len()));
        assert!(chosen(&format!("{listed}new::thing: test\n")).unwrap_err().contains("new::thing"));
        let without = listed.trim_start_matches("conformance::a: test\n");
        assert!(chosen(without).unwrap_err().contains("conformance::"));
    }
}
