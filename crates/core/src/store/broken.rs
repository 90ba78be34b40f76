//! Reporting rows of other programs that break the rules: a count of how often one was
//! met, and a rate-limited line in the log.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use crate::telemetry;
use crate::timing;

/// Most rows that are logged in that time.
const LOGGED_MAX: usize = 20;

/// A row that breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BrokenRow {
    pub(super) id: i64,
    pub(super) field: &'static str,
    /// In words that complete the field.
    pub(super) rule: &'static str,
}

/// Which rows were logged lately.
#[derive(Debug, Default)]
struct Logged {
    since: Option<Instant>,
    ids: HashSet<i64>,
    left_out: bool,
}

/// What to log of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    TheRow,
    ThatMoreAreLeftOut,
    Nothing,
}

impl Logged {
    fn line(&mut self, id: i64, now: Instant) -> Line {
        let is_over = |since| now.duration_since(since) >= timing::BROKEN_ROW_LOG_INTERVAL;
        if self.since.is_none_or(is_over) {
            *self = Logged {
                since: Some(now),
                ..Logged::default()
            };
        }
        if self.ids.contains(&id) {
            return Line::Nothing;
        }
        if self.ids.len() < LOGGED_MAX {
            self.ids.insert(id);
            return Line::TheRow;
        }
        match std::mem::replace(&mut self.left_out, true) {
            false => Line::ThatMoreAreLeftOut,
            true => Line::Nothing,
        }
    }
}

/// Counts that the row was met, and logs it unless it was logged lately.
pub(super) fn report(row: BrokenRow) {
    static LOGGED: LazyLock<Mutex<Logged>> = LazyLock::new(Mutex::default);
    let BrokenRow { id, field, rule } = row;
    telemetry::broken_row(field);
    let line = LOGGED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .line(id, Instant::now());
    match line {
        Line::TheRow => tracing::warn!(
            id,
            rule = format!("{field} {rule}"),
            "a row of users, written by another program, breaks a rule; a write or a delete of its name replaces it"
        ),
        Line::ThatMoreAreLeftOut => tracing::warn!(
            logged = LOGGED_MAX,
            "more rows of users break a rule; write_cache_broken_rows_total counts how often one is met"
        ),
        Line::Nothing => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_row_is_logged_once_an_interval() {
        let (mut logged, began) = (Logged::default(), Instant::now());
        assert_eq!(logged.line(7, began), Line::TheRow);
        assert_eq!(logged.line(7, began), Line::Nothing);
        let later = began + timing::BROKEN_ROW_LOG_INTERVAL;
        assert_eq!(
            logged.line(7, later - Duration::from_nanos(1)),
            Line::Nothing
        );
        assert_eq!(logged.line(7, later), Line::TheRow);
    }

    #[test]
    fn the_lines_of_an_interval_are_bounded() {
        let (mut logged, began) = (Logged::default(), Instant::now());
        let lines: Vec<Line> = (0..1_000).map(|id| logged.line(id, began)).collect();
        let count = |wanted| lines.iter().filter(|line| **line == wanted).count();
        assert_eq!(count(Line::TheRow), LOGGED_MAX);
        assert_eq!(count(Line::ThatMoreAreLeftOut), 1);
        assert_eq!(logged.ids.len(), LOGGED_MAX);
    }
}
