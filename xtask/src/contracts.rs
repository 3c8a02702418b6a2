//! Keeps the committed contracts and events current, and stops a change of them that breaks somebody.
//!
//! The rules are the programs' own (`contracts diff`), so that systems outside of this repository have them too.

use crate::process::{Result, cargo, run};

/// A program, and where its contracts and events are committed.
struct Source {
    package: &'static str,
    dir: &'static str,
}

const SOURCES: &[Source] = &[
    Source { package: "food", dir: "systems/food/schemas" },
    Source { package: "ncr", dir: "systems/ncr/schemas" },
    Source { package: "users", dir: "systems/users/schemas" },
];

pub(crate) fn command(arguments: &[String]) -> Result {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => SOURCES.iter().try_for_each(|source| source.run(&["write", source.dir])),
        ["--check"] => step().map(|note| println!("{note}")),
        _ => Err("usage: cargo xtask contracts [--check]".into()),
    }
}

pub(crate) fn step() -> Result<String> {
    for source in SOURCES {
        source
            .run(&["diff", source.dir, "--current"])
            .map_err(|e| format!("{e}; if nothing breaks, cargo xtask contracts writes them"))?;
    }
    Ok(format!("{} systems", SOURCES.len()))
}

// === impl Source ===

impl Source {
    fn run(&self, arguments: &[&str]) -> Result {
        let words = ["run", "--quiet", "--package", self.package, "--", "contracts"];
        run(cargo(words.iter().chain(arguments)))
    }
}
