//! What files look like: a sentence of purpose first, short, one file style for modules, `lib.rs` as a list.

use crate::tidy::repo::{File, Repo};
use crate::violation::Violation;

/// Above this the question is asked whether a file is still about one thing.
const LONG: usize = 350;
/// Above this the answer is no.
const TOO_LONG: usize = 600;
/// The lines of a `lib.rs`, its crate documentation apart.
const LIB: usize = 120;

/// Files that are longer for a reason. An entry that is no longer needed is a violation too.
const ALLOWED: &[(&str, &str)] = &[];

pub(crate) fn files_say_their_purpose(repo: &Repo) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in repo.rust().filter(|f| !f.is_fixture()) {
        let first = file.text.lines().next().unwrap_or_default();
        if first.strip_prefix("//! ").is_none_or(|purpose| purpose.trim().is_empty()) {
            let instead = "start the file with `//!` and one plain sentence that says what it is for";
            found.push(Violation::new(&file.path, 1, "the file does not open with its purpose", instead));
        }
    }
    found
}

pub(crate) fn files_are_short(repo: &Repo) -> Vec<Violation> {
    check_lengths(repo, ALLOWED)
}

fn check_lengths(repo: &Repo, allowed: &[(&str, &str)]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in repo.rust() {
        let (lines, excused) =
            (file.text.lines().count(), allowed.iter().any(|(path, _)| *path == file.path));
        if lines > TOO_LONG && !excused {
            let what = format!("{lines} lines, {TOO_LONG} are the limit");
            found.push(Violation::new(&file.path, 0, what, "split it by concept: foo.rs and foo/"));
        }
    }
    for (path, _) in allowed {
        let needed = repo.rust().any(|f| f.path == *path && f.text.lines().count() > TOO_LONG);
        if !needed {
            let what = "is excused for its length and needs no excuse";
            found.push(Violation::new(path, 0, what, "take it out of ALLOWED (xtask/src/tidy/layout.rs)"));
        }
    }
    found
}

/// The files to ask about, longest first.
pub(crate) fn long_files(repo: &Repo) -> Vec<(&str, usize)> {
    let mut long: Vec<_> = repo.rust().map(|f| (f.path.as_str(), f.text.lines().count())).collect();
    long.retain(|(_, lines)| *lines > LONG);
    long.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
    long
}

pub(crate) fn no_mod_rs(repo: &Repo) -> Vec<Violation> {
    let named = repo.rust().filter(|f| f.path.ends_with("/mod.rs"));
    let violation = |f: &File| {
        let instead = format!("name it {}.rs beside its directory", f.path.trim_end_matches("/mod.rs"));
        Violation::new(&f.path, 0, "a module in a mod.rs", instead)
    };
    named.map(violation).collect()
}

pub(crate) fn lib_rs_is_a_table_of_contents(repo: &Repo) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in repo.rust().filter(|f| f.path.ends_with("/src/lib.rs")) {
        let lines = file.lines().filter(|(_, l)| !l.starts_with("//!")).count();
        if lines > LIB {
            let what = format!("lib.rs has {lines} lines besides its documentation, {LIB} are the limit");
            found.push(Violation::new(&file.path, 0, what, "move what it does into modules"));
        }
        // In a system lib.rs is where a service is declared; a proc-macro has to be exported from it.
        if !file.path.starts_with("crates/") || file.path.starts_with("crates/contract-macros/") {
            continue;
        }
        let code = file.lines().take_while(|(_, l)| l.trim() != "#[cfg(test)]");
        if let Some((line, _)) = code.into_iter().find(|(_, l)| is_logic(l)) {
            let instead = "keep docs, `mod` and one `pub use` block here, and move the rest into a module";
            found.push(Violation::new(&file.path, line, "lib.rs holds logic", instead));
        }
    }
    found
}

fn is_logic(line: &str) -> bool {
    let line = line.trim_start();
    let bare = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(crate) ")).unwrap_or(line);
    ["fn ", "async fn ", "const fn ", "impl ", "impl<"].iter().any(|start| bare.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(n: usize) -> String {
        "//! A line.\n".repeat(n)
    }

    #[test]
    fn a_file_without_a_purpose_is_found() {
        let found = |path, text| files_say_their_purpose(&Repo::of(&[(path, text)])).len();
        assert_eq!(found("a.rs", "//! Does things.\n"), 0);
        for bad in ["", "use a;\n", "//!\n", "//!  \n", "// A comment.\n", "\n//! Late.\n"] {
            assert_eq!(found("a.rs", bad), 1, "{bad:?}");
        }
        assert_eq!(found("crates/contract/tests/ui/fail/no-body.rs", "fn main() {}"), 0);
        assert_eq!(found("a.md", "text"), 0);
    }

    #[test]
    fn a_file_over_the_limit_is_found_unless_excused() {
        let (fits, over) = (lines(TOO_LONG), lines(TOO_LONG + 1));
        let repo = Repo::of(&[("a.rs", &fits), ("b.rs", &over)]);
        let paths = |found: Vec<Violation>| found.into_iter().map(|v| v.path).collect::<Vec<_>>();
        assert_eq!(paths(check_lengths(&repo, &[])), ["b.rs"]);
        assert!(paths(files_are_short(&repo)).contains(&"b.rs".to_owned()));
        assert_eq!(paths(check_lengths(&repo, &[("b.rs", "a table")])), [""; 0]);
        assert_eq!(paths(check_lengths(&repo, &[("b.rs", ""), ("a.rs", "")])), ["a.rs"], "an idle excuse");
    }

    #[test]
    fn long_files_are_listed_longest_first() {
        let (short, long, longer) = (lines(LONG), lines(LONG + 1), lines(LONG + 2));
        let repo = Repo::of(&[("a.rs", &short), ("b.rs", &long), ("c.rs", &longer)]);
        assert_eq!(long_files(&repo), [("c.rs", LONG + 2), ("b.rs", LONG + 1)]);
    }

    #[test]
    fn a_mod_rs_is_found() {
        assert_eq!(no_mod_rs(&Repo::of(&[("a/src/x/mod.rs", "")])).len(), 1);
        assert_eq!(no_mod_rs(&Repo::of(&[("a/src/x.rs", ""), ("a/src/my_mod.rs", "")])).len(), 0);
    }

    #[test]
    fn logic_in_a_library_root_is_found() {
        let at = |path, text: &str| {
            let found = lib_rs_is_a_table_of_contents(&Repo::of(&[(path, text)]));
            found.first().map(|v| v.line)
        };
        let list =
            "//! A crate.\n//! fn in_docs() {}\nmod a;\npub use a::A;\n#[cfg(test)]\nmod t { fn x() {} }\n";
        assert_eq!(at("crates/a/src/lib.rs", list), None);
        assert_eq!(at("crates/a/src/lib.rs", "//! A.\npub fn x() {}\n"), Some(2));
        assert_eq!(at("crates/a/src/lib.rs", "//! A.\nmod a;\nimpl<T> X for T {}\n"), Some(3));
        assert_eq!(at("crates/a/src/other.rs", "pub fn x() {}\n"), None);
        assert_eq!(at("crates/contract-macros/src/lib.rs", "pub fn x() {}\n"), None);
        assert_eq!(at("systems/food/orders/src/lib.rs", "pub fn service() {}\n"), None);
        assert_eq!(at("systems/food/orders/src/lib.rs", &"mod a;\n".repeat(LIB + 1)), Some(0));
        assert_eq!(at("systems/food/orders/src/lib.rs", &"mod a;\n".repeat(LIB)), None);
    }
}
