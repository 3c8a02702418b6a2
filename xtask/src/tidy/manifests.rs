//! What every crate has: the workspace's lints, no unsafe code, and tests.

use toml::Value;

use crate::tidy::repo::{Crate, File, Repo};
use crate::violation::Violation;

pub(crate) fn lints_are_inherited(repo: &Repo) -> Vec<Violation> {
    let inherits =
        |c: &Crate| c.manifest.get("lints").and_then(|l| l.get("workspace")).and_then(Value::as_bool);
    let without = repo.crates.iter().filter(|c| inherits(c) != Some(true));
    let violation = |c: &Crate| {
        Violation::new(
            &c.manifest_path(),
            0,
            "the workspace's lints are off",
            "add `[lints]` and `workspace = true`",
        )
    };
    without.map(violation).collect()
}

pub(crate) fn unsafe_is_forbidden(repo: &Repo) -> Vec<Violation> {
    let root = |f: &&File| ["/src/lib.rs", "/src/main.rs"].iter().any(|end| f.path.ends_with(end));
    let attribute = "#![forbid(unsafe_code)]";
    let without = repo.rust().filter(root).filter(|f| !f.lines().any(|(_, line)| line.trim() == attribute));
    let violation = |f: &File| {
        let instead = format!("put `{attribute}` under the file's first comment");
        Violation::new(&f.path, 1, "nothing forbids unsafe code to readers of this file", instead)
    };
    without.map(violation).collect()
}

pub(crate) fn crates_are_tested(repo: &Repo) -> Vec<Violation> {
    let mut found = Vec::new();
    for c in &repo.crates {
        let own = |f: &&File| repo.crate_of(f).is_some_and(|owner| owner.name == c.name);
        if !repo.rust().filter(own).any(has_test) {
            let instead = "write one: inline, in tests/it/, or an example in the documentation";
            found.push(Violation::new(&c.manifest_path(), 0, format!("{} has no test", c.name), instead));
        }
    }
    found
}

/// A `#[test]`, a `#[tokio::test]`, property tests, or an example in a doc comment that is compiled.
fn has_test(file: &File) -> bool {
    let mut in_example = false;
    file.lines().any(|(_, line)| {
        let line = line.trim_start();
        let attribute = line.starts_with("#[") && (line.contains("[test]") || line.contains("::test"));
        let fence = ["/// ```", "//! ```"].iter().find_map(|start| line.strip_prefix(start)).map(str::trim);
        let opens = fence.is_some() && !in_example;
        in_example ^= fence.is_some();
        let compiled = opens
            && fence.is_some_and(|kind| !["text", "ignore", "toml", "json", "sh", "sql"].contains(&kind));
        attribute || compiled || line.starts_with("proptest!")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_without_the_lints_is_found() {
        let found = |lints| {
            let manifest = format!("[package]\nname = \"a\"\n{lints}");
            lints_are_inherited(&Repo::of(&[("a/Cargo.toml", &manifest)])).len()
        };
        assert_eq!(found("[lints]\nworkspace = true\n"), 0);
        assert_eq!(found("lints.workspace = true\n"), 1, "that would be a key of the package");
        assert_eq!(found("[lints]\nworkspace = false\n"), 1);
        assert_eq!(found(""), 1);
    }

    #[test]
    fn a_root_file_that_allows_unsafe_code_is_found() {
        let found = |path, text| unsafe_is_forbidden(&Repo::of(&[(path, text)])).len();
        assert_eq!(found("a/src/lib.rs", "//! A.\n#![forbid(unsafe_code)]\n"), 0);
        assert_eq!(found("a/src/lib.rs", "//! A.\n"), 1);
        assert_eq!(found("a/src/main.rs", "//! A.\n// #![forbid(unsafe_code)]\n"), 1);
        assert_eq!(found("a/src/other.rs", "//! A.\n"), 0);
    }

    #[test]
    fn a_crate_without_tests_is_found() {
        let found = |path, text: &str| {
            let manifest = "[package]\nname = \"a\"\n";
            let inner = "[package]\nname = \"b\"\n";
            let files = [
                ("a/Cargo.toml", manifest),
                (path, text),
                ("a/b/Cargo.toml", inner),
                ("a/b/src/lib.rs", "#[test]\nfn x() {}\n"),
            ];
            crates_are_tested(&Repo::of(&files)).len()
        };
        assert_eq!(found("a/src/lib.rs", "fn x() {}\n"), 1, "the tests of an inner crate do not count");
        assert_eq!(found("a/src/lib.rs", "#[derive(Debug)]\nstruct X;\n"), 1);
        assert_eq!(found("a/src/lib.rs", "    #[test]\n"), 0);
        assert_eq!(found("a/tests/it/main.rs", "#[tokio::test(start_paused = true)]\n"), 0);
        assert_eq!(found("a/src/lib.rs", "/// ```\n/// let x = 1;\n/// ```\n"), 0);
        assert_eq!(found("a/src/lib.rs", "/// ```text\n/// picture\n/// ```\n"), 1);
        assert_eq!(
            found("a/src/lib.rs", "/// ```text\n/// picture\n/// ```\n/// ```\n/// x();\n/// ```\n"),
            0
        );
        assert_eq!(found("a/src/lib.rs", "proptest! {\n"), 0);
        let swapped = [
            ("a/Cargo.toml", "[package]\nname = \"a\"\n"),
            ("a/src/lib.rs", "#[test]\n"),
            ("b/Cargo.toml", "[package]\nname = \"b\"\n"),
            ("b/src/lib.rs", "fn x() {}\n"),
        ];
        assert_eq!(crates_are_tested(&Repo::of(&swapped))[0].path, "b/Cargo.toml");
    }
}
