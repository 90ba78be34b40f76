//! The services side by side, for a terminal.

use super::Report;
use super::escape::printable;
use super::rows::{self, Group, Row};

/// Before a row's label.
const INDENT: &str = "  ";
/// Between two columns.
const GAP: usize = 2;
/// What a label is not shortened below, even if the table gets too wide.
const LABEL_CHARS_MIN: usize = 16;

/// The table in plain text, for a terminal of so many columns. Labels that are too long for it
/// are shortened.
pub fn text(report: &Report, width: usize) -> String {
    let groups = rows::groups(report);
    let columns = columns(report, &groups);
    if columns.is_empty() {
        return "No service was measured.\n".to_owned();
    }
    let cells_width: usize = columns.iter().map(|column| column.width + GAP).sum();
    let labels = groups.iter().flat_map(|group| &group.rows);
    let longest = labels
        .map(|row| printable(&row.label).chars().count())
        .max();
    let label_width = (longest.unwrap_or(0) + INDENT.len())
        .min(width.saturating_sub(cells_width))
        .max(LABEL_CHARS_MIN);

    let mut text = String::new();
    let names = columns.iter().map(|column| column.name);
    text.push_str(&line("", label_width, names.zip(&columns)));
    for group in &groups {
        text.push_str(&shortened(&group.title, width.max(LABEL_CHARS_MIN)));
        text.push('\n');
        for row in &group.rows {
            let label = format!("{INDENT}{}", printable(&row.label));
            let cells = row.cells.iter().map(String::as_str);
            text.push_str(&line(&label, label_width, cells.zip(&columns)));
        }
    }
    text
}

struct Column {
    name: &'static str,
    width: usize,
}

fn columns(report: &Report, groups: &[Group]) -> Vec<Column> {
    let all_rows = || groups.iter().flat_map(|group| &group.rows);
    let services = report.services.iter().enumerate();
    let column = |(index, service): (usize, &super::ServiceReport)| {
        let name = service.pattern.name();
        let cell = |row: &Row| row.cells.get(index).map_or(0, |cell| cell.chars().count());
        Column {
            name,
            width: all_rows().map(cell).fold(name.len(), usize::max),
        }
    };
    services.map(column).collect()
}

fn line<'a>(
    label: &str,
    label_width: usize,
    cells: impl Iterator<Item = (&'a str, &'a Column)>,
) -> String {
    let label = shortened(label, label_width);
    let mut line = format!("{label:<label_width$}");
    for (cell, column) in cells {
        let width = column.width + GAP;
        line.push_str(&format!("{cell:>width$}"));
    }
    line.push('\n');
    line
}

/// At most so many characters.
fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let kept = text.chars().take(chars_max.saturating_sub(1));
    kept.chain(['…']).collect()
}
