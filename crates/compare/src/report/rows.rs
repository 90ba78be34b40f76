//! The table's rows, as the terminal and HTML show them.

mod groups;

use super::{Report, ServiceReport, figure};

/// Rows that belong together.
#[derive(Debug)]
pub(super) struct Group {
    /// What they are about, with the unit where all share one.
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
}

/// One figure of each service.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) label: String,
    /// As many as there are services, in their order.
    pub(super) cells: Vec<String>,
    /// Which service did clearly better, by its index, where that can be said.
    pub(super) better: Option<usize>,
}

/// What is better.
#[derive(Clone, Copy)]
enum Better {
    More,
    Less,
    /// It depends.
    Neither,
}

/// All groups in which something is known.
pub(super) fn groups(report: &Report) -> Vec<Group> {
    let groups = groups::all(&report.services);
    let known = |row: &Row| row.cells.iter().any(|cell| cell != figure::UNKNOWN);
    let mut groups: Vec<Group> = groups.into_iter().collect();
    for group in &mut groups {
        group.rows.retain(known);
    }
    groups.retain(|group| !group.rows.is_empty());
    groups
}

/// A row of figures, each written by `write`.
fn figures(
    services: &[ServiceReport],
    label: impl Into<String>,
    better: Better,
    value: impl Fn(&ServiceReport) -> Option<f64>,
    write: fn(f64) -> String,
) -> Row {
    Row {
        better: clearly_better(services, better, &value),
        ..words(services, label, |service: &ServiceReport| {
            value(service).map(write)
        })
    }
}

/// A row of words.
fn words(
    services: &[ServiceReport],
    label: impl Into<String>,
    word: impl Fn(&ServiceReport) -> Option<String>,
) -> Row {
    let cell = |service| word(service).unwrap_or_else(|| figure::UNKNOWN.to_owned());
    Row {
        label: label.into(),
        cells: services.iter().map(cell).collect(),
        better: None,
    }
}

/// Which of two did clearly better, where both figures are known.
fn clearly_better(
    services: &[ServiceReport],
    better: Better,
    value: impl Fn(&ServiceReport) -> Option<f64>,
) -> Option<usize> {
    match services {
        [first, second] => ahead(value(first)?, value(second)?, better),
        _ => None,
    }
}

fn ahead(first: f64, second: f64, better: Better) -> Option<usize> {
    let more = match figure::compare(first, second) {
        Some(figure::Comparison::First(_)) => 0,
        Some(figure::Comparison::Second(_)) => 1,
        Some(figure::Comparison::Same) => return None,
        // One of them is none at all.
        None if first > second => 0,
        None if second > first => 1,
        None => return None,
    };
    match better {
        Better::More => Some(more),
        Better::Less => Some(1 - more),
        Better::Neither => None,
    }
}
