//! The program's own words: answers on stdout, refusals on stderr.

use std::fmt::Display;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

/// The exit code of everything that was refused before it had an effect.
const REFUSED: u8 = 2;

/// A line of an answer, seen at once. A reader that went away is no reason to stop.
pub(crate) fn line(text: &str) {
    let mut out = stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).ok();
}

/// One clear line about what went wrong.
pub(crate) fn error(reason: &dyn Display) {
    writeln!(stderr().lock(), "error: {reason}").ok();
}

/// One clear line, and the exit code that says that nothing was touched.
pub(crate) fn refuse(reason: &dyn Display) -> ExitCode {
    error(reason);
    ExitCode::from(REFUSED)
}
