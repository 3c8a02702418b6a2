//! `cargo xtask test`: the steps of CI in order, each named and timed, ending at the first that fails.

use std::time::Duration;

use crate::process::{Result, cargo, follow, run, timed};
use crate::{contracts, engines, openapi, policy, proto, setup, tidy};

/// A step gives a short note for the summary. One whose preconditions are not met fails; none is ever skipped.
struct Step {
    name: &'static str,
    does: &'static str,
    run: fn() -> Result<String>,
}

/// Cheap steps first, so that a slip is reported in seconds.
const STEPS: &[Step] = &[
    Step { name: "setup", does: "the outside tools the steps need", run: setup::step },
    Step { name: "fmt", does: "formatting", run: fmt },
    Step { name: "tidy", does: "the rules of the house", run: tidy::step },
    Step { name: "proto", does: "checked-in gRPC code is what its .proto files say", run: proto::step },
    Step { name: "clippy", does: "lints of every target, warnings are errors", run: clippy },
    Step { name: "test", does: "all tests, doctests included", run: test },
    Step { name: "engines", does: "the food system's tests on PostgreSQL and NATS", run: engines::step },
    Step { name: "doc", does: "rustdoc, warnings are errors", run: doc },
    Step { name: "openapi", does: "committed OpenAPI files are current and valid", run: openapi::step },
    Step {
        name: "contracts",
        does: "no contract or event changed in a way that breaks somebody",
        run: contracts::step,
    },
    Step { name: "policy", does: "licences, sources and choice of dependencies", run: policy::step },
];

/// A step that ran, for the summary.
struct Ran {
    name: &'static str,
    took: Duration,
    note: String,
}

pub(crate) fn command(arguments: &[String]) -> Result {
    let selected = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => select(None)?,
        ["--only", names] => select(Some(names))?,
        ["--list"] => {
            STEPS.iter().for_each(|s| println!("{:<9} {}", s.name, s.does));
            return Ok(());
        }
        _ => return Err("usage: cargo xtask test [--only STEP,..] [--list]".into()),
    };
    let mut ran = Vec::new();
    for (i, step) in selected.iter().enumerate() {
        println!("\n=== {}/{} {}: {}", i + 1, selected.len(), step.name, step.does);
        let (outcome, took) = timed(step.run);
        let failed = outcome.as_ref().err().cloned();
        ran.push(Ran { name: step.name, took, note: outcome.unwrap_or_else(|_| "FAILED".into()) });
        if let Some(why) = failed {
            summary(&ran);
            return Err(format!("{}: {why} (again: cargo xtask test --only {})", step.name, step.name));
        }
    }
    summary(&ran);
    match ran.iter().find(|r| r.name == "test") {
        Some(test) => println!("tests: {}", test.note),
        None => println!("{} of {} steps passed", ran.len(), STEPS.len()),
    }
    Ok(())
}

/// The named steps, in the order of the table whatever the order they are named in.
fn select(names: Option<&str>) -> Result<Vec<&'static Step>> {
    let Some(names) = names else { return Ok(STEPS.iter().collect()) };
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    match names.iter().find(|n| !STEPS.iter().any(|s| s.name == **n)) {
        Some(unknown) => Err(format!("there is no step `{unknown}`: see cargo xtask test --list")),
        None => Ok(STEPS.iter().filter(|s| names.contains(&s.name)).collect()),
    }
}

fn summary(ran: &[Ran]) {
    println!("\n{:<9} {:>8}  note", "step", "seconds");
    for Ran { name, took, note } in ran {
        println!("{}", format!("{name:<9} {:>8.1}  {note}", took.as_secs_f64()).trim_end());
    }
    println!("{:<9} {:>8.1}", "all", ran.iter().map(|r| r.took.as_secs_f64()).sum::<f64>());
}

fn fmt() -> Result<String> {
    run(cargo(["fmt", "--all", "--check"])).map_err(|e| format!("{e}; cargo fmt --all writes it"))?;
    Ok(String::new())
}

fn clippy() -> Result<String> {
    // All features: engines of vendors are left out by default.
    run(cargo(["clippy", "--workspace", "--all-features", "--all-targets", "--", "-D", "warnings"]))?;
    Ok(String::new())
}

fn test() -> Result<String> {
    setup::require_tracer()?;
    let mut count = Count::default();
    // No fail-fast: one run should show everything that is broken.
    let outcome =
        follow(cargo(["test", "--workspace", "--all-features", "--no-fail-fast"]), |line| count.add(line));
    outcome.map_err(|e| format!("{count}; {e}"))?;
    if count.passed == 0 { Err("no test was run".into()) } else { Ok(count.to_string()) }
}

fn doc() -> Result<String> {
    let mut command = cargo(["doc", "--workspace", "--all-features", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    run(command)?;
    Ok(String::new())
}

/// The sum of what the test binaries say at their ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Count {
    pub(crate) fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.trim().strip_prefix("test result: ").and_then(|l| l.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            match part.split_once(' ').map(|(n, what)| (n.parse().unwrap_or(0), what)) {
                Some((n, "passed")) => self.passed += n,
                Some((n, "failed")) => self.failed += n,
                Some((n, "ignored")) => self.skipped += n,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(f, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_test_binaries_are_summed() {
        let mut count = Count::default();
        count.add("running 3 tests");
        count.add(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        );
        count.add("test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(count, Count { passed: 5, failed: 4, skipped: 1 });
        assert_eq!(count.to_string(), "5 passed, 4 failed, 1 skipped");
    }

    #[test]
    fn steps_are_selected_by_name_and_keep_their_order() {
        let names = |only| select(only).unwrap().iter().map(|s| s.name).collect::<Vec<_>>();
        assert_eq!(names(Some("clippy, fmt")), ["fmt", "clippy"]);
        assert_eq!(names(None).len(), STEPS.len());
        assert!(select(Some("fmt,lint")).err().is_some_and(|e| e.contains("`lint`")));
    }
}
