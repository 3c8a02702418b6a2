//! The program's own words: answers on stdout, refusals on stderr.

use std::io::{Write, stderr, stdout};

/// A line of an answer. A reader that went away is no reason to stop.
pub(crate) fn line(text: &str) {
    let mut out = stdout().lock();
    writeln!(out, "{text}").ok();
}

/// Makes sure that a reader sees the lines so far.
pub(crate) fn flush() {
    stdout().flush().ok();
}

/// A refusal.
pub(crate) fn error(text: &str) {
    writeln!(stderr().lock(), "{text}").ok();
}
