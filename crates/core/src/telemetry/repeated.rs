//! Lines of the log that could come with every call or every attempt: the first one at once, then one
//! with their number each half a minute at most.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::error::Error;
use crate::timing;

static LINES: Mutex<Lines> = Mutex::new(Lines(BTreeMap::new()));

/// What a line has: whether it is an error, what happened, how often, and why it did last.
type Due = (bool, &'static str, u64, String);

#[derive(Debug)]
struct Said {
    is_error: bool,
    /// None where nothing was said yet.
    at: Option<Instant>,
    since: u64,
    last: String,
}

/// What was said, and how often it was not since.
#[derive(Debug)]
struct Lines(BTreeMap<&'static str, Said>);

impl Lines {
    /// Counts `count` more of `what`.
    fn count(&mut self, is_error: bool, what: &'static str, detail: String, count: u64) {
        let said = self.0.entry(what).or_insert_with(|| Said {
            is_error,
            at: None,
            since: 0,
            last: String::new(),
        });
        said.since += count;
        said.last = detail;
    }

    /// What was counted and is due. What was quiet for as long is forgotten, so that the next one is
    /// said at once.
    fn due(&mut self) -> Vec<Due> {
        let now = Instant::now();
        let mut due = Vec::new();
        self.0.retain(|what, said| {
            if said
                .at
                .is_some_and(|at| now - at < timing::REPEATED_LOG_INTERVAL)
            {
                return true;
            }
            if said.since == 0 {
                return false;
            }
            said.at = Some(now);
            let count = std::mem::take(&mut said.since);
            due.push((said.is_error, *what, count, said.last.clone()));
            true
        });
        due
    }
}

fn lines() -> MutexGuard<'static, Lines> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Logs that `count` operations failed; `what` names them. A failure that an unavailable part explains
/// is only in the part's own lines.
pub fn failed(what: &'static str, error: &Error, count: u64) {
    tracing::debug!(%error, count, "{what}");
    if !error.is_of_a_part() {
        warning(what, &error.to_string(), count);
    }
}

/// The same for what is no error of a part.
pub fn warning(what: &'static str, detail: &str, count: u64) {
    counted(what, detail, count);
    flush();
}

/// The same for what costs something that stays.
pub fn error(what: &'static str, detail: &str) {
    lines().count(true, what, detail.to_owned(), 1);
    flush();
}

/// As [`warning`], to be said by the next [`flush`].
pub fn counted(what: &'static str, detail: &str, count: u64) {
    lines().count(false, what, detail.to_owned(), count);
}

/// Says what was counted and is due.
pub fn flush() {
    let due = lines().due();
    for (is_error, what, count, reason) in due {
        match is_error {
            true => tracing::error!(reason, count, "{what}"),
            false => tracing::warn!(reason, count, "{what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_said_and_then_a_number_each_half_a_minute() {
        let mut lines = Lines(BTreeMap::new());
        let said = |count| vec![(false, "x", count, "y".to_owned())];
        lines.count(false, "x", "y".to_owned(), 2);
        assert_eq!(lines.due(), said(2));
        for _ in 0..1000 {
            lines.count(false, "x", "y".to_owned(), 2);
            assert!(lines.due().is_empty());
        }
        tokio::time::advance(timing::REPEATED_LOG_INTERVAL).await;
        assert_eq!(lines.due(), said(2000));
        tokio::time::advance(timing::REPEATED_LOG_INTERVAL).await;
        assert!(lines.due().is_empty());
        lines.count(false, "x", "y".to_owned(), 1);
        assert_eq!(lines.due(), said(1));
    }
}
