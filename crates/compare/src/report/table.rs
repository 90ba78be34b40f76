//! The patterns side by side, for a terminal.

use super::Report;
use super::escape::printable;
use super::rows::{self, Group};

/// What every terminal has.
const COLUMNS: usize = 80;
/// Wider than every pattern's name.
const CELL: usize = 15;

/// The verdict, the dozen figures that decide, and with `details` all others.
pub fn text(report: &Report, details: bool) -> String {
    let mut text = String::from("\n");
    for line in &report.verdict {
        text += &wrapped("", line);
    }
    if !report.warnings.is_empty() {
        text += "\nRead these figures with care\n";
    }
    for warning in &report.warnings {
        text += &wrapped("- ", warning);
    }
    text += &table(report, &rows::short(report));
    if details {
        text += &table(report, &rows::all(report));
        if let Some(ceiling) = report.ceiling {
            text += &format!(
                "\nThis tool itself drives {:.0} requests a second on this machine, against a handler that \
                 does nothing.\n",
                ceiling.requests_per_second
            );
        }
    }
    text + "\n"
}

fn table(report: &Report, groups: &[Group]) -> String {
    let patterns = report.patterns();
    if patterns.is_empty() {
        return "\nNothing was measured.\n".to_owned();
    }
    // With the tool's own handlers there is no room for it.
    let with_difference = patterns.len() == 2;
    let labels = groups.iter().flat_map(|group| &group.lines);
    let label_width = labels
        .map(|line| line.label.chars().count())
        .max()
        .unwrap_or(0)
        + 2;
    let mut text = format!("\n{:label_width$}", "");
    for pattern in &patterns {
        text += &format!("{:>CELL$}", pattern.name());
    }
    text += if with_difference {
        "   difference\n"
    } else {
        "\n"
    };
    for group in groups {
        text += &wrapped("", &group.title);
        for line in &group.lines {
            text += &format!("{:label_width$}", format!("  {}", line.label));
            for cell in &line.cells {
                text += &format!("{cell:>CELL$}");
            }
            if with_difference {
                text += &format!("   {}", line.difference);
            }
            text = text.trim_end().to_owned() + "\n";
        }
    }
    text
}

/// Broken at words where a line of the terminal ends.
fn wrapped(mark: &str, sentence: &str) -> String {
    let mut text = String::new();
    let mut line = mark.to_owned();
    for word in printable(sentence).split(' ') {
        let gap = usize::from(!line.is_empty() && !line.ends_with(' '));
        if line.chars().count() + gap + word.chars().count() > COLUMNS && line != mark {
            text += &format!("{line}\n");
            line = " ".repeat(mark.len());
        }
        if !line.is_empty() && !line.ends_with(' ') {
            line.push(' ');
        }
        line += word;
    }
    text + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_at_words_and_every_line_fits() {
        let long = "word ".repeat(40).trim().to_owned();
        let text = wrapped("- ", &long);
        assert!(
            text.lines().all(|line| line.chars().count() <= COLUMNS),
            "{text}"
        );
        assert!(
            text.starts_with("- word word") && text.contains("\n  word"),
            "{text}"
        );
        assert_eq!(text.matches("word").count(), 40);
        // A word that fills the line, one that is longer, and what a terminal would obey.
        for length in [80, 90] {
            assert_eq!(wrapped("", &"x".repeat(length)), "x".repeat(length) + "\n");
        }
        assert_eq!(wrapped("", "a\u{1b}b"), "a b\n");
    }
}
