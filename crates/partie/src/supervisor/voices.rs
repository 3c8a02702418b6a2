//! What the processes say, each line with the name of who says it.

use std::io::{IsTerminal as _, Write as _, stderr};

/// Colours that can be read on light and on dark.
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];
/// The name under which the supervisor itself speaks.
const OWN: &str = "supervisor";

/// Writes lines to stderr, in columns. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Voices {
    width: usize,
    colour: bool,
}

/// One process's lines. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    prefix: String,
}

// === impl Voices ===

impl Voices {
    /// For those speakers.
    pub(crate) fn of<'l>(labels: impl Iterator<Item = &'l str>) -> Self {
        let colour =
            stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let width = labels.map(str::len).chain([OWN.len()]).max().unwrap_or_default();
        Self { width, colour }
    }

    /// The voice of one of them.
    pub(crate) fn voice(&self, label: &str, number: usize) -> Voice {
        let (width, colour) = (self.width, COLOURS[number % COLOURS.len()]);
        let prefix = match self.colour {
            true => format!("\x1b[{colour}m{label:<width$} |\x1b[0m "),
            false => format!("{label:<width$} | "),
        };
        Voice { prefix }
    }

    /// The supervisor's own.
    pub(crate) fn own(&self) -> Voice {
        let width = self.width;
        let prefix = match self.colour {
            true => format!("\x1b[1m{OWN:<width$} |\x1b[0m "),
            false => format!("{OWN:<width$} | "),
        };
        Voice { prefix }
    }
}

// === impl Voice ===

impl Voice {
    /// One line, in one piece. Whoever does not listen is no reason to stop.
    pub(crate) fn say(&self, line: impl std::fmt::Display) {
        let text = format!("{}{line}\n", self.prefix);
        stderr().lock().write_all(text.as_bytes()).ok();
    }
}
