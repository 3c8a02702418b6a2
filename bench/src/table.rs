//! Figures as a Markdown table, ready to be pasted into a report.

use std::fmt;

/// A table whose first column is text and whose others are numbers.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

// === impl Table ===

impl Table {
    /// A table with these column titles.
    pub fn new(titles: &[&str]) -> Self {
        Self { rows: vec![titles.iter().map(|title| (*title).to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, name: &str, figures: impl IntoIterator<Item = String>) {
        self.rows.push(std::iter::once(name.to_owned()).chain(figures).collect());
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or_default()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, row) in self.rows.iter().enumerate() {
            for (column, text) in row.iter().enumerate() {
                let width = self.width(column);
                if column == 0 { write!(f, "| {text:<width$} |")? } else { write!(f, " {text:>width$} |")? }
            }
            writeln!(f)?;
            if number == 0 {
                for column in 0..row.len() {
                    let line = "-".repeat(self.width(column) + 1);
                    if column == 0 { write!(f, "|{line}-|")? } else { write!(f, "{line}:|")? }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["server", "us"]);
        table.row("axum", ["9.50".to_owned()]);
        assert_eq!(table.to_string(), "| server |   us |\n|--------|-----:|\n| axum   | 9.50 |\n");
    }
}
