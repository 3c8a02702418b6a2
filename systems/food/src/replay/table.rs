//! Reads the plain text tables of the public instances and of their solutions.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// Numbers beyond this are nonsense in a day (a minute of year 1903 since midnight, a place beyond the moon),
/// and sums of smaller ones cannot overflow.
const LIMIT: f64 = 1e9;

/// One line of a table.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    file: &'a str,
    /// Counts from 1, as editors do.
    line: usize,
    pub(crate) fields: Vec<&'a str>,
}

/// Why a table could not be read, and where.
#[derive(Debug)]
pub(crate) struct TableError {
    /// The file's name.
    pub(crate) file: String,
    /// The line, from 1; none if it is about the file as a whole.
    pub(crate) line: Option<usize>,
    /// What is wrong there.
    pub(crate) fault: Fault,
}

/// What can be wrong with a table.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The file is missing or is not text.
    Unreadable(io::Error),
    /// There is no line below the header.
    Empty,
    /// A line has too few or too many fields.
    Columns { expected: usize, found: usize },
    /// A field that should be a number is not, or is out of every reasonable range.
    Number { column: &'static str, text: String },
    /// A name that another table should define is unknown.
    Unknown { column: &'static str, name: String },
    /// A name is defined twice.
    Duplicate { name: String },
    /// Two values contradict each other.
    Contradiction(&'static str),
}

/// The text of a file of a directory.
pub(crate) fn text(directory: &Path, file: &str) -> Result<String, TableError> {
    fs::read_to_string(directory.join(file)).map_err(|error| TableError {
        file: file.to_owned(),
        line: None,
        fault: Fault::Unreadable(error),
    })
}

/// The lines below the header, split at a separator. Blank lines are skipped, `\r` is ignored.
pub(crate) fn rows<'a>(file: &'a str, text: &'a str, separator: char) -> impl Iterator<Item = Row<'a>> {
    (text.lines().enumerate().skip(1)).filter(|(_, line)| !line.trim().is_empty()).map(
        move |(index, line)| Row {
            file,
            line: index + 1,
            fields: line.trim_end().split(separator).map(str::trim).collect(),
        },
    )
}

/// An error about a file as a whole.
pub(crate) fn whole(file: &str, fault: Fault) -> TableError {
    TableError { file: file.to_owned(), line: None, fault }
}

// === impl Row ===

impl Row<'_> {
    /// An error about this line.
    pub(crate) fn fault(&self, fault: Fault) -> TableError {
        TableError { file: self.file.to_owned(), line: Some(self.line), fault }
    }

    /// Refuses a line with another number of fields.
    pub(crate) fn expect(&self, columns: usize) -> Result<(), TableError> {
        match self.fields.len() == columns {
            true => Ok(()),
            false => Err(self.fault(Fault::Columns { expected: columns, found: self.fields.len() })),
        }
    }

    /// A field as a number.
    pub(crate) fn number(&self, index: usize, column: &'static str) -> Result<f64, TableError> {
        let text = self.fields.get(index).copied().unwrap_or_default();
        // NaN is in no range, so it is refused with the rest.
        (text.parse().ok().filter(|number: &f64| (-LIMIT..=LIMIT).contains(number)))
            .ok_or_else(|| self.fault(Fault::Number { column, text: text.to_owned() }))
    }

    /// A field as whole minutes. The public set writes some of them as `12.0`.
    pub(crate) fn minutes(&self, index: usize, column: &'static str) -> Result<i64, TableError> {
        let number = self.number(index, column)?;
        match number.fract() == 0.0 {
            true => Ok(number as i64),
            false => Err(self.fault(Fault::Number { column, text: number.to_string() })),
        }
    }
}

// === impl TableError ===

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.fault),
            None => write!(f, "{}: {}", self.file, self.fault),
        }
    }
}

impl std::error::Error for TableError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::Empty => write!(f, "has no line below the header"),
            Self::Columns { expected, found } => write!(f, "{found} fields where {expected} are expected"),
            Self::Number { column, text } => write!(f, "{column} is {text:?}, which is not a usable number"),
            Self::Unknown { column, name } => write!(f, "{column} {name:?} is unknown"),
            Self::Duplicate { name } => write!(f, "{name:?} is there twice"),
            Self::Contradiction(what) => write!(f, "{what}"),
        }
    }
}
