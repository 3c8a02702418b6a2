//! What must not be left behind in a file: paths of somebody's machine, and unfinished work.

use crate::tidy::repo::{File, Repo};
use crate::violation::Violation;

/// Directories of somebody's machine. With the slash, so that a route `/home` is nobody's directory.
const MACHINE: &[&str] = &["/home/", "/root/", "/work/", "/tmp/", "/var/tmp/", "/Users/"];
/// Macros that stand for code somebody meant to write, or to remove.
const MACROS: &[&str] = &["todo!", "unimplemented!", "dbg!"];
/// Marks that point into an issue tracker which nobody reads.
const MARKS: &[&str] = &["TODO", "FIXME", "XXX"];

/// This file has to spell the words it looks for.
const SELF: &str = "xtask/src/tidy/words.rs";

pub(crate) fn no_machine_paths(repo: &Repo) -> Vec<Violation> {
    scan(
        repo,
        |file| file.path != SELF,
        machine_path,
        "take the directory from std::env::temp_dir(), or a setting",
    )
}

pub(crate) fn nothing_unfinished(repo: &Repo) -> Vec<Violation> {
    let macros = |line: &str| MACROS.iter().find(|w| is_word(line, w)).map(ToString::to_string);
    // In quotes it is data: XXX is the ISO 4217 code for no currency.
    let quoted = |line: &str, word: &str| line.contains(&format!("\"{word}\""));
    let marks =
        |line: &str| MARKS.iter().find(|w| is_word(line, w) && !quoted(line, w)).map(ToString::to_string);
    let mut found =
        scan(repo, |f| f.path != SELF && f.is("rs"), macros, "finish it, or return an error that says so");
    let written = |f: &File| f.path != SELF && !f.is_fixture() && f.path != "Cargo.lock" && !f.is("json");
    found.extend(scan(repo, written, marks, "do it, or file an issue and say here what holds today"));
    found
}

pub(crate) fn ignored_tests_say_why(repo: &Repo) -> Vec<Violation> {
    let bare = |line: &str| line.contains("#[ignore]").then(|| "#[ignore]".to_owned());
    scan(repo, |f| f.path != SELF && f.is("rs"), bare, "write `#[ignore = \"why, and how to run it\"]`")
}

/// Looks at every line of the chosen files.
fn scan(
    repo: &Repo,
    chosen: impl Fn(&File) -> bool,
    look: impl Fn(&str) -> Option<String>,
    instead: &str,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in repo.files.iter().filter(|f| chosen(f)) {
        for (n, line) in file.lines() {
            if let Some(what) = look(line) {
                found.push(Violation::new(&file.path, n, format!("`{what}` was left here"), instead));
            }
        }
    }
    found
}

/// An absolute path: one that starts where it stands, and does not go on from a name, a variable or a URL.
fn machine_path(line: &str) -> Option<String> {
    let starts = |at: usize| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"_-.~/})]*>".contains(c))
    };
    let whole =
        ["\"/tmp\"", "'/tmp'", "=/tmp"].into_iter().find(|p| line.contains(p)).map(|_| "/tmp".to_owned());
    let mut inside = MACHINE.iter().flat_map(|path| line.match_indices(path)).filter(|(at, _)| starts(*at));
    inside.next().map(|(_, path)| path.to_owned()).or(whole)
}

/// Whether `word` stands in the line by itself, not as part of a longer name.
fn is_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        // A macro ends in its own mark, so that anything may follow.
        !before.is_some_and(joins) && (word.ends_with('!') || !after.is_some_and(joins))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&Repo) -> Vec<Violation>, path: &str, bad: &[&str], good: &[&str]) {
        for (lines, expected) in [(bad, vec![2]), (good, vec![])] {
            for line in lines {
                let text = format!("//! A.\n{line}\n");
                let found: Vec<_> = rule(&Repo::of(&[(path, &text)])).into_iter().map(|v| v.line).collect();
                assert_eq!(found, expected, "{path}: {line}");
            }
        }
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        let bad = [
            "open(\"/home/me/x\")",
            "`/tmp/x.sock`",
            "DIR=/work/x",
            "Path::new(\"/tmp\")",
            "see /Users/me/x",
        ];
        let good = [
            "get(\"/home\")",
            "https://example.org/home/",
            "{dir}/tmp/x",
            "docs/work/x",
            "target/tmp/",
            "$HOME/tmp/",
        ];
        check(no_machine_paths, "a/src/x.rs", &bad, &good);
        check(no_machine_paths, "docs/guide.md", &bad, &good);
    }

    #[test]
    fn unfinished_code_is_found() {
        let bad = [
            "    todo!()",
            "unimplemented!(\"later\")",
            "let x = dbg!(y);",
            "// TODO: more",
            "// FIXME",
            "x // XXX",
        ];
        let good = [
            "my_todo!()",
            "struct Todo;",
            "const TODOS: u8 = 1;",
            "// to do what it says",
            "todo(x)",
            "Self(\"XXX\")",
        ];
        check(nothing_unfinished, "a/src/x.rs", &bad, &good);
        for exempt in [SELF, "Cargo.lock", "a/openapi/x.json", "a/tests/ui/fail/x.stderr"] {
            check(nothing_unfinished, exempt, &[], &["// TODO"]);
        }
        check(nothing_unfinished, SELF, &[], &["todo!()"]);
        check(
            nothing_unfinished,
            "docs/guide.md",
            &["TODO write this"],
            &["`dbg!` is refused", "todo lists"],
        );
    }

    #[test]
    fn an_ignored_test_without_a_reason_is_found() {
        for exempt in [SELF, "docs/guide.md"] {
            check(ignored_tests_say_why, exempt, &[], &["#[ignore]"]);
        }
        check(
            ignored_tests_say_why,
            "a/src/x.rs",
            &["#[ignore]"],
            &["#[ignore = \"takes an hour\"]", "/// ```ignore"],
        );
    }
}
