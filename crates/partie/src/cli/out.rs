//! The program's own words: answers on stdout, refusals on stderr.

use std::io::{Write, stderr, stdout};

/// A line of an answer. A reader that went away is no reason to stop.
pub(crate) fn line(text: &str) {
    let mut out = stdout().lock();
    writeln!(out, "{text}").ok();
}

/// A table, each column as wide as it has to be.
pub(crate) fn table<const COLUMNS: usize>(titles: &[String; COLUMNS], rows: &[[String; COLUMNS]]) {
    let widths: Vec<usize> = (0..COLUMNS)
        .map(|column| {
            let cells = rows.iter().chain([titles]).map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        })
        .collect();
    for row in [titles].into_iter().chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        line(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// What chaos did, and what became of it.
pub(crate) fn tally(tally: &crate::chaos::Tally) {
    let (titles, rows) = crate::chaos::table(tally);
    line("");
    table(&titles, &rows);
}

/// Makes sure that a reader sees the lines so far.
pub(crate) fn flush() {
    stdout().flush().ok();
}

/// A refusal.
pub(crate) fn error(text: &str) {
    writeln!(stderr().lock(), "{text}").ok();
}

/// A number of bytes, as people read it.
pub(crate) fn bytes(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    let (mut size, mut unit) = (bytes as f64 / 1_000.0, 0);
    while size >= 1_000.0 && unit + 1 < units.len() {
        size /= 1_000.0;
        unit += 1;
    }
    format!("{size:.1} {}", units[unit])
}
