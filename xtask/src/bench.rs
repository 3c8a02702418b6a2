//! `cargo xtask bench NAME`: runs a macro benchmark as it ships, with the facts of the machine above its figures.

mod build;
pub(crate) mod flask;
mod machine;
mod running;

use crate::process::{Result, cargo, root, run};
use crate::{dist, setup};

/// Benchmarks of a whole system: their name, their binary, the system's program, and whether the tutorial's in Python is
/// measured beside it.
const SYSTEMS: &[(&str, &str, &str, bool)] = &[
    ("engines", "engines", "food", true),
    ("gateway", "gateway", "partie-app", true),
    ("orders", "orders", "food", true),
    ("ncr", "bench-ncr", "ncr", true),
    ("users", "bench-users", "users", false),
];

/// The environment variable in which the benchmark of the gateway looks for the program as it ships.
const SHIPPED: &str = "BENCH_PARTIE";

pub(crate) fn command(arguments: &[String]) -> Result {
    let names = names()?;
    let Some((name, rest)) = arguments.split_first().filter(|(name, _)| names.contains(name)) else {
        return Err(format!("usage: cargo xtask bench NAME [ARGS..], NAME one of: {}", names.join(", ")));
    };
    machine::facts()?.iter().for_each(|(what, value)| println!("{what:<12} {value}"));
    if name == "build" {
        return build::command(rest);
    }
    let system = SYSTEMS.iter().find(|(of, ..)| of == name);
    let binary = system.map_or(name.as_str(), |(_, binary, ..)| binary);
    let words = ["run", "--quiet", "--profile", "dist", "--package", "bench", "--bin", binary, "--"];
    let mut program = cargo(words.into_iter().chain(rest.iter().map(String::as_str)));
    if let Some((.., system, has_tutorial)) = system {
        // It measures the program as it ships, which it finds beside itself, and the tutorial's.
        run(cargo(["build", "--quiet", "--profile", "dist", "--package", system]))?;
        if *has_tutorial {
            program.env(flask::PYTHON, flask::python()?);
        }
    }
    if name == "gateway" {
        setup::gateways()?;
        match dist::shipped() {
            Ok(shipped) => drop(program.env(SHIPPED, shipped)),
            Err(why) => println!("\nONLY THE PLAIN BUILD IS MEASURED, which is not what ships: {why}\n"),
        }
    }
    run(program)
}

/// `build`, which lives here because it measures cargo itself, and the binaries of the bench crate.
fn names() -> Result<Vec<String>> {
    let dir = root().join("bench/src/bin");
    let mut names = vec!["build".to_owned()];
    if dir.is_dir() {
        let entries = std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let paths = entries.map_while(std::result::Result::ok).map(|e| e.path());
        names.extend(paths.filter_map(|p| Some(p.file_stem()?.to_str()?.to_owned())));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_benchmark_is_answered_with_the_known_ones() {
        let why = command(&["no-such-benchmark".to_owned()]).unwrap_err();
        assert!(why.starts_with("usage:") && why.contains("build"), "{why}");
        assert!(command(&[]).is_err());
    }
}
