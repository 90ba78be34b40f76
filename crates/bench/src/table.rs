//! Tables as text and as Markdown.

use std::fmt::Write as _;

/// A header and rows of cells.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<T: Into<String>>(header: impl IntoIterator<Item = T>) -> Table {
        Table {
            rows: vec![header.into_iter().map(Into::into).collect()],
        }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Columns as wide as their widest cell: text to the left, numbers to the right.
    pub(crate) fn text(&self) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let is_number = self.columns_of_numbers();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), is_number) in row.iter().zip(&widths).zip(&is_number) {
                let _ = if *is_number {
                    write!(line, "  {cell:>width$}")
                } else {
                    write!(line, "  {cell:<width$}")
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    pub(crate) fn markdown(&self) -> String {
        let is_number = self.columns_of_numbers();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
            if number == 0 {
                let rules = is_number.iter().map(|is| if *is { "---:" } else { "---" });
                let _ = writeln!(text, "|{}|", rules.collect::<Vec<_>>().join("|"));
            }
        }
        text
    }

    fn columns_of_numbers(&self) -> Vec<bool> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let is_number = |column| {
            let mut cells = self.rows.iter().skip(1).filter_map(|row| row.get(column));
            cells.all(|cell: &String| cell == "-" || cell.parse::<f64>().is_ok())
        };
        (0..columns).map(is_number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["name", "rate"]);
        for row in [["a", "1.5"], ["a|b", "-"]] {
            table.push(row.map(str::to_owned).into());
        }
        table
    }

    #[test]
    fn text_is_on_the_left_and_numbers_are_on_the_right() {
        assert_eq!(table().text(), "  name  rate\n  a      1.5\n  a|b      -\n");
    }

    #[test]
    fn markdown_has_a_rule_below_the_header() {
        assert_eq!(
            table().markdown(),
            "| name | rate |\n|---|---:|\n| a | 1.5 |\n| a\\|b | - |\n"
        );
    }
}
