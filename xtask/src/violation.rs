//! A broken rule: where, what, and what to do instead.

use std::fmt;

use crate::process::Result;

/// One finding of `tidy` or of the dependency policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// Relative to the repository root, with forward slashes.
    pub(crate) path: String,
    /// Counted from 1; 0 when the whole file is meant.
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) instead: String,
}

impl Violation {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, instead } = self;
        if *line == 0 {
            write!(f, "{path}: {what}; {instead}")
        } else {
            write!(f, "{path}:{line}: {what}; {instead}")
        }
    }
}

/// Prints what was found; fails when there is anything.
pub(crate) fn settle(mut found: Vec<Violation>, of: &str) -> Result {
    found.sort();
    for violation in &found {
        println!("{violation}");
    }
    match found.len() {
        0 => Ok(()),
        1 => Err(format!("1 violation of {of}, listed above")),
        n => Err(format!("{n} violations of {of}, listed above")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_reads_like_a_compiler_message() {
        let at = Violation::new("a/b.rs", 3, "is bad", "do good");
        assert_eq!(at.to_string(), "a/b.rs:3: is bad; do good");
        assert_eq!(Violation::new("a", 0, "is bad", "do good").to_string(), "a: is bad; do good");
    }

    #[test]
    fn any_violation_fails() {
        assert_eq!(settle(Vec::new(), "x"), Ok(()));
        assert_eq!(
            settle(vec![Violation::new("a", 1, "b", "c")], "x").unwrap_err(),
            "1 violation of x, listed above"
        );
    }
}
