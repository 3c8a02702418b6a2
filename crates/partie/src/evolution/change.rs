//! What a change breaks: where, how, for whom, and what to do instead.

use std::fmt;

/// A change that somebody who runs the version of before cannot live with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Break {
    /// The committed file, below its directory.
    pub file: String,
    /// Where in it, as a JSON Pointer.
    pub pointer: String,
    /// What is committed.
    pub was: String,
    /// What the program says now.
    pub is: String,
    /// Why that breaks somebody.
    pub why: String,
    /// Whom.
    pub whom: Vec<String>,
    /// What can be done instead.
    pub instead: String,
}

/// How the documents of a program compare with those that are committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison {
    /// How many documents the program has.
    pub documents: usize,
    /// What breaks somebody.
    pub breaks: Vec<Break>,
    /// Committed files that are not what the program says, and break nobody: each with what is the matter.
    pub stale: Vec<(String, &'static str)>,
}

/// How two schemas do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// The reader needs a member that the writer does not know, or may leave out.
    Required,
    /// A member is gone.
    Removed,
    /// A member that was always there may be missing.
    Optional,
    /// Values, or types, that the reader does not know.
    Values(Vec<String>),
    /// A bound, a format or a pattern.
    Bound(&'static str),
}

// === impl Break ===

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, pointer, was, is, why, whom, instead } = self;
        writeln!(f, "{file}#{pointer}")?;
        writeln!(f, "  was: {was}")?;
        writeln!(f, "  is: {is}")?;
        writeln!(
            f,
            "  breaks {}: {why}",
            if whom.is_empty() { "whoever uses it".to_owned() } else { whom.join(", ") }
        )?;
        write!(f, "  instead: {instead}")
    }
}
