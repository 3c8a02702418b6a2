//! `cargo xtask tidy`: the rules of the house, each a small function over the files of the repository.

mod arrows;
mod layout;
mod links;
mod manifests;
mod repo;
mod words;

use crate::process::{Result, root};
use crate::tidy::repo::Repo;
use crate::violation::{Violation, settle};

/// Every rule. To add one: a function here, with a test that shows it a bad sample and a good one.
const RULES: &[fn(&Repo) -> Vec<Violation>] = &[
    // Which crate may depend on which.
    arrows::point_down,
    arrows::contracts_need_no_server,
    // What files look like.
    layout::files_say_their_purpose,
    layout::files_are_short,
    layout::no_mod_rs,
    layout::lib_rs_is_a_table_of_contents,
    // What every crate has.
    manifests::lints_are_inherited,
    manifests::unsafe_is_forbidden,
    manifests::crates_are_tested,
    // What must not be left behind.
    words::no_machine_paths,
    words::nothing_unfinished,
    words::ignored_tests_say_why,
    // What readers follow.
    links::lead_somewhere,
];

pub(crate) fn command(arguments: &[String]) -> Result {
    if !arguments.is_empty() {
        return Err("usage: cargo xtask tidy".into());
    }
    step().map(|note| println!("{note}"))
}

pub(crate) fn step() -> Result<String> {
    let repo = Repo::read(&root())?;
    let long = layout::long_files(&repo);
    long.iter()
        .for_each(|(path, lines)| println!("note: {path} has {lines} lines: is it still about one thing?"));
    settle(RULES.iter().flat_map(|rule| rule(&repo)).collect(), "the rules of the house")?;
    Ok(format!("{} files, {} crates, {} long", repo.files.len(), repo.crates.len(), long.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_keeps_the_rules_of_the_house() {
        let repo = Repo::read(&root()).unwrap();
        let found: Vec<String> = RULES.iter().flat_map(|rule| rule(&repo)).map(|v| v.to_string()).collect();
        assert!(found.is_empty(), "\n{}", found.join("\n"));
    }
}
