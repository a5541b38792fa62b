//! Tables: columns as wide as their widest cell, two spaces between them. Styles in cells take no room.

use anstream::adapter::strip_str;

/// Returns the rows as lines; the last column is not padded.
pub(crate) fn lines(rows: &[Vec<String>], indent: &str) -> String {
    let width = |cell: &String| strip_str(cell).to_string().chars().count();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(width).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, wide) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(wide.saturating_sub(width(cell)) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_their_styles() {
        let bold = crate::output::BOLD;
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["a", &format!("{bold}bb{bold:#}"), "c"]), row(["aaa", "b", ""])];
        assert_eq!(strip_str(&lines(&rows, "  ")).to_string(), "  a    bb  c\n  aaa  b\n");
    }
}
