//! A run as tables: the goals, then every section.

use crate::figures::{Figure, Figures, Goal, LOST_MAX};
use crate::run::Run;
use crate::table::Table;

/// Everything, for a terminal.
pub(crate) fn text(run: &Run) -> String {
    let mut text = format!("{}\n", about(run));
    for (title, table) in tables(run) {
        text += &format!("\n{title}\n{}", table.text());
    }
    text
}

/// Everything, for a page.
pub(crate) fn markdown(run: &Run) -> String {
    let mut text = format!("{}\n", about(run));
    for (title, table) in tables(run) {
        text += &format!("\n### {title}\n\n{}", table.markdown());
    }
    text
}

/// On what, of what and how was measured.
fn about(run: &Run) -> String {
    let settings = &run.settings;
    format!(
        "Commit {} on {}. {}. Medians of up to {} repetitions, loads of {} s, a backlog of {} entries; load and \
         servers on this machine.",
        run.commit,
        run.date,
        run.machine.in_words(),
        settings.repetitions,
        settings.load_s,
        settings.backlog
    )
}

fn tables(run: &Run) -> Vec<(String, Table)> {
    let figures = &run.figures.0;
    let mut tables = vec![("Goals".to_owned(), goals(&run.figures))];
    for section in in_order(figures.iter().map(|figure| &figure.section)) {
        let figures: Vec<&Figure> = figures
            .iter()
            .filter(|figure| figure.section == *section)
            .collect();
        tables.push((section.clone(), rows(&figures)));
    }
    tables
}

/// Every figure that has a goal; losses together.
fn goals(figures: &Figures) -> Table {
    let mut table = Table::new(["figure", "goal", "measured", "quartiles", "met?"]);
    for figure in figures.0.iter().filter(|figure| !figure.is_loss()) {
        let Some(goal) = figure.goal else { continue };
        let name = format!("{}, {}: {}", figure.section, figure.row, figure.column);
        let (value, spread) = (figure.value(), spread(figure));
        table.push(goal_row(name, goal, value, figure.in_words(value), spread));
    }
    if figures.0.iter().any(Figure::is_loss) {
        let (name, lost) = ("all sections: acknowledged writes lost", figures.losses());
        let goal = Goal::AtMost(LOST_MAX);
        table.push(goal_row(
            name.to_owned(),
            goal,
            lost,
            lost.to_string(),
            "-".to_owned(),
        ));
    }
    table
}

fn goal_row(name: String, goal: Goal, value: f64, in_words: String, spread: String) -> Vec<String> {
    let goal_in_words = match goal {
        Goal::AtLeast(goal) => format!("≥ {goal}"),
        Goal::AtMost(goal) => format!("≤ {goal}"),
    };
    let is_met = if goal.is_met(value) { "yes" } else { "no" };
    vec![name, goal_in_words, in_words, spread, is_met.to_owned()]
}

fn spread(figure: &Figure) -> String {
    figure.spread().map_or_else(
        || "-".to_owned(),
        |(lower, upper)| format!("{} – {}", figure.in_words(lower), figure.in_words(upper)),
    )
}

/// One section: a row of the table for each row of the figures.
fn rows(figures: &[&Figure]) -> Table {
    let columns = in_order(figures.iter().map(|figure| &figure.column));
    let mut table = Table::new(
        [""].into_iter()
            .chain(columns.iter().map(|name| name.as_str())),
    );
    for row in in_order(figures.iter().map(|figure| &figure.row)) {
        let cell = |column: &&String| {
            let found = figures
                .iter()
                .find(|figure| figure.row == *row && figure.column == **column);
            found.map_or_else(|| "-".to_owned(), |figure| figure.in_words(figure.value()))
        };
        table.push(
            [row.clone()]
                .into_iter()
                .chain(columns.iter().map(cell))
                .collect(),
        );
    }
    table
}

/// Each once, as they come first.
fn in_order<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut order: Vec<&String> = Vec::new();
    for name in names {
        if !order.contains(&name) {
            order.push(name);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Measure;
    use crate::run::tests::sample;

    #[test]
    fn every_goal_is_held_against_the_median() {
        let text = goals(&sample(&[0.4, 0.5, 0.41]).figures).text();
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| {
                line.split("  ")
                    .filter(|cell| !cell.is_empty())
                    .map(str::trim)
                    .collect()
            })
            .collect();
        assert_eq!(
            lines[1],
            [
                "write-behind, unique: of E",
                "≥ 0.45",
                "0.41",
                "0.41 – 0.45",
                "no"
            ]
        );
        assert_eq!(
            lines[2],
            [
                "all sections: acknowledged writes lost",
                "≤ 0",
                "0",
                "-",
                "yes"
            ]
        );
    }

    #[test]
    fn a_cell_that_was_not_measured_is_a_dash() {
        let mut run = sample(&[0.5]);
        run.figures
            .row("write-behind", "hot")
            .add(Measure::plain("rate", 0), 7.0);
        let figures: Vec<&Figure> = run.figures.0.iter().collect();
        assert_eq!(
            rows(&figures).markdown(),
            "|  | of E | lost | rate |\n|---|---:|---:|---:|\n| unique | 0.50 | 0 | - |\n| hot | - | - | 7 |\n"
        );
    }

    #[test]
    fn commit_machine_and_date_come_first() {
        let page = markdown(&sample(&[0.5]));
        assert!(page.starts_with("Commit abc123 on 2026-11-30. Some CPU, 2 cores, 8.0 GiB, Linux 6.1, Redis 7.0.15, 10.11.6-MariaDB."), "{page}");
        assert!(page.contains("\n### Goals\n\n| figure |"));
        assert!(page.contains("\n### write-behind\n\n|  | of E |"));
    }
}
