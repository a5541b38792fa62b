//! Tables in Markdown, padded so that they are read on a terminal too.

use std::fmt::Write as _;

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns a table with these names of columns.
    pub(super) fn with_head(head: &[&str]) -> Table {
        Table { head: head.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row. Cells that it has too few of are empty.
    pub(super) fn add(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Returns the lines: the first column to the left, figures to the right.
    pub(super) fn text(&self) -> String {
        let rows: Vec<Vec<String>> =
            std::iter::once(&self.head).chain(&self.rows).map(|row| self.escaped(row)).collect();
        let width = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = String::new();
        for (number, row) in rows.iter().enumerate() {
            text.push('|');
            for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                // Writing to a String cannot fail.
                let _written = match at {
                    0 => write!(text, " {cell:<width$} |"),
                    _ => write!(text, " {cell:>width$} |"),
                };
            }
            text.push('\n');
            if number == 0 {
                text.push('|');
                for (at, &width) in widths.iter().enumerate() {
                    let dashes = "-".repeat(width + 1);
                    text.push_str(&if at == 0 { format!("-{dashes}|") } else { format!("{dashes}:|") });
                }
                text.push('\n');
            }
        }
        text
    }

    /// Returns the row with as many cells as the head, and nothing in them that would end a cell.
    fn escaped(&self, row: &[String]) -> Vec<String> {
        let cell = |at: usize| row.get(at).map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        (0..self.head.len()).map(|at| cell(at).unwrap_or_default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_figures_stand_to_the_right() {
        let mut table = Table::with_head(&["guest", "s", "×"]);
        table.add(vec!["a|b".into(), "1.5".into(), "×4123".into()]);
        table.add(vec!["debian-12\ntwo".into()]);
        assert_eq!(
            table.text(),
            "| guest         |   s |     × |\n\
             |---------------|----:|------:|\n\
             | a\\|b          | 1.5 | ×4123 |\n\
             | debian-12 two |     |       |\n"
        );
    }
}
