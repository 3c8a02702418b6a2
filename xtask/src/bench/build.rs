//! `cargo xtask bench build`: how long a newcomer waits for a build, and a developer for an edit.
//!
//! Everything is measured in a copy of the repository with a target directory of its own, so that neither the work tree
//! nor its build results are touched.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use crate::bench::machine;
use crate::bench::running::Running;
use crate::process::{Result, capture, cargo, files_of, program, root, run, target_dir, timed};

/// The program that is built, the service that is edited, and a request that this service answers.
const PROGRAM: &str = "food";
const EDITED: &str = "systems/food/restaurants/src/lib.rs";
const PATH: &str = "/api/v1/restaurants";
/// The setting that makes the program listen on a port of the system's choice.
const LISTEN: (&str, &str) = ("PARTIE__GATEWAY__LISTEN", "127.0.0.1:0");
/// What `examples/hello` depends on.
const HELLO: &str = "partie";
/// Edits measured; the median counts.
const EDITS: usize = 5;
const REPORT: &str = "docs/bench/build.md";

/// Name, value, unit, and what it means.
type Figure = (&'static str, f64, &'static str, &'static str);

pub(crate) fn command(arguments: &[String]) -> Result {
    let write = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--write"] => true,
        _ => return Err("usage: cargo xtask bench build [--write]".into()),
    };
    let figures = measure(&Copy::make()?)?;
    if write {
        std::fs::write(root().join(REPORT), report(&figures)?).map_err(|e| format!("{REPORT}: {e}"))?;
        println!("{REPORT} written");
    }
    for (name, value, unit, _) in &figures {
        println!("FIGURE {name} {value:.*} {unit}", decimals(unit));
    }
    Ok(())
}

fn measure(copy: &Copy) -> Result<Vec<Figure>> {
    // The network is nobody's build time.
    run(copy.cargo(&["fetch", "--locked"]))?;
    let release = copy.build(&["--release"])?;
    let debug = copy.build(&[])?;
    let edits = (0..EDITS).map(|n| edit(copy, n)).collect::<Result<Vec<_>>>()?;
    let rebuild = median(edits.iter().map(|e| e.0).collect());
    let running = median(edits.iter().map(|e| e.0 + e.1).collect());
    Ok(vec![
        (
            "release-cold",
            release,
            "s",
            "`cargo build --release` of the food system with nothing built before",
        ),
        ("debug-cold", debug, "s", "`cargo build` of the food system with nothing built before"),
        ("edit-rebuild", rebuild, "s", "`cargo build` after a function was added to one service"),
        (
            "edit-to-running",
            running,
            "s",
            "the same, until the started system has answered its first request",
        ),
        (
            "hello-crates",
            crates_of(HELLO)? as f64,
            "crates",
            "what `examples/hello` pulls in, Partie's own included",
        ),
    ])
}

/// Adds a function to the service, builds, starts: seconds of the build, seconds from there to the first answer.
fn edit(copy: &Copy, n: usize) -> Result<(f64, f64)> {
    let path = copy.sources().join(EDITED);
    let mut text = std::fs::read_to_string(&path).map_err(|e| format!("{EDITED}: {e}"))?;
    // A new public function has to be compiled; a new time stamp alone would not change a line of code.
    write!(text, "\n/// Edit {n}.\npub fn edited_{n}(x: u64) -> String {{\n    format!(\"{{x}} {n}\")\n}}\n")
        .ok();
    std::fs::write(&path, text).map_err(|e| format!("{EDITED}: {e}"))?;
    let built = copy.build(&[])?;
    let binary = copy.target().join("debug").join(PROGRAM);
    let (answered, took) =
        timed(|| Running::start(&binary, &copy.0, LISTEN).and_then(|running| running.first_answer(PATH)));
    answered?;
    Ok((built, took.as_secs_f64()))
}

/// The crates in a normal build of a package on this platform, itself included.
fn crates_of(package: &str) -> Result<usize> {
    let words = ["tree", "--locked", "--package", package, "--edges", "normal,build", "--prefix", "none"];
    let tree = capture(cargo(words))?;
    let names = tree.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "));
    Ok(names.filter(|n| !n.is_empty()).collect::<BTreeSet<_>>().len())
}

/// Counts are whole.
fn decimals(unit: &str) -> usize {
    if unit == "s" { 1 } else { 0 }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A copy of the repository in a directory that is removed when this is dropped.
struct Copy(PathBuf);

impl Copy {
    fn make() -> Result<Self> {
        let copy = Self(target_dir()?.join("xtask").join("bench-build"));
        copy.remove();
        for path in files_of(&root())? {
            let to = copy.sources().join(&path);
            to.parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .map_err(|e| format!("{}: {e}", to.display()))?;
            std::fs::copy(root().join(&path), &to).map_err(|e| format!("{path}: {e}"))?;
        }
        Ok(copy)
    }

    fn sources(&self) -> PathBuf {
        self.0.join("repository")
    }

    fn target(&self) -> PathBuf {
        self.0.join("target")
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = cargo(arguments);
        command.current_dir(self.sources()).env("CARGO_TARGET_DIR", self.target());
        command
    }

    /// Seconds that a build of the program takes.
    fn build(&self, options: &[&str]) -> Result<f64> {
        let words = ["build", "--locked", "--quiet", "--package", PROGRAM];
        let (built, took) = timed(|| run(self.cargo(&[&words[..], options].concat())));
        built?;
        Ok(took.as_secs_f64())
    }

    fn remove(&self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.remove();
    }
}

fn report(figures: &[Figure]) -> Result<String> {
    let mut git = program("git");
    git.args(["describe", "--always", "--dirty"]);
    let commit = capture(git).unwrap_or_else(|_| "none yet".into());
    let mut text = String::from("# Build times\n\n");
    text.push_str("Written by `cargo xtask bench build --write`, which says how each figure is taken.\n\n");
    text.push_str("| figure | value | what it is |\n|---|---:|---|\n");
    for (name, value, unit, meaning) in figures {
        writeln!(text, "| {name} | {value:.*} {unit} | {meaning} |", decimals(unit)).ok();
    }
    writeln!(
        text,
        "\nEdits are the median of {EDITS}. Downloads are not counted. Commit: {}.\n",
        commit.trim()
    )
    .ok();
    text.push_str("| machine | |\n|---|---|\n");
    for (what, value) in machine::facts()? {
        writeln!(text, "| {what} | {value} |").ok();
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn a_report_has_every_figure_and_the_machine() {
        let text =
            report(&[("debug-cold", 12.345, "s", "a build"), ("hello-crates", 87.0, "crates", "x")]).unwrap();
        assert!(text.contains("| debug-cold | 12.3 s | a build |"), "{text}");
        assert!(text.contains("| hello-crates | 87 crates | x |") && text.contains("| kernel |"), "{text}");
    }
}
