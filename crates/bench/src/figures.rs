//! What was measured, every repetition of it.

use serde::Serialize;

/// Everything that a run has measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    pub(crate) writes: Vec<Writes>,
    pub(crate) singles: Vec<SingleOnce>,
    pub(crate) reads: Vec<Reads>,
    pub(crate) backlogs: Vec<Backlog>,
    pub(crate) allocations: Vec<Allocations>,
    pub(crate) redis_set_per_second: Vec<f64>,
}

impl Figures {
    /// Acknowledged writes that were looked for in the database and not found.
    pub(crate) fn losses(&self) -> u64 {
        let writes = self.writes.iter().flat_map(|row| &row.repetitions);
        let of_writes: u64 = writes.map(|repetition| repetition.lost).sum();
        let of_backlogs: u64 = self.backlogs.iter().map(|backlog| backlog.lost).sum();
        of_writes + of_backlogs
    }
}

/// One load, as its client saw it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Load {
    /// Answers of 2xx.
    pub(crate) succeeded: u64,
    /// Other answers.
    pub(crate) failed: u64,
    /// Requests without an answer.
    pub(crate) broken: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
}

impl Load {
    /// Answers of 2xx in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.succeeded as f64 / self.seconds
    }
}

/// One row of the table of writes.
#[derive(Debug, Serialize)]
pub(crate) struct Writes {
    pub(crate) service: &'static str,
    pub(crate) parts: &'static str,
    pub(crate) names: &'static str,
    pub(crate) connections: u32,
    pub(crate) repetitions: Vec<WritesOnce>,
}

/// One repetition of it.
#[derive(Debug, Serialize)]
pub(crate) struct WritesOnce {
    /// A handler that only parses, immediately before.
    pub(crate) parse_only: Load,
    pub(crate) load: Load,
    /// From the end of the load until the database had everything; none for write-through.
    pub(crate) in_database_after_s: Option<f64>,
    pub(crate) memory: Memory,
    /// Acknowledged writes that the database does not have.
    pub(crate) lost: u64,
}

impl WritesOnce {
    /// Of what a handler that only parses can do.
    pub(crate) fn ratio(&self) -> f64 {
        self.load.per_second() / self.parse_only.per_second()
    }
}

/// Writes to write-through-svc, one at a time.
#[derive(Debug, Serialize)]
pub(crate) struct SingleOnce {
    pub(crate) load: Load,
    /// A row by the database's own client, committed by itself.
    pub(crate) insert_ms: f64,
    /// The round trips to Redis that a write takes.
    pub(crate) round_trips_ms: f64,
}

impl SingleOnce {
    /// The mean time of a write, in what it is made of.
    pub(crate) fn ratio(&self) -> f64 {
        1e3 / self.load.per_second() / (self.insert_ms + self.round_trips_ms)
    }
}

/// A service's resident memory.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) now_kib: u64,
    pub(crate) most_kib: u64,
}

/// One row of the table of reads.
#[derive(Debug, Serialize)]
pub(crate) struct Reads {
    pub(crate) service: &'static str,
    pub(crate) parts: &'static str,
    pub(crate) repetitions: Vec<ReadsOnce>,
}

/// One repetition of it.
#[derive(Debug, Serialize)]
pub(crate) struct ReadsOnce {
    /// A handler that only answers the same bytes, immediately before.
    pub(crate) answer_only: Load,
    pub(crate) load: Load,
}

impl ReadsOnce {
    /// Of what a handler that only answers can do.
    pub(crate) fn ratio(&self) -> f64 {
        self.load.per_second() / self.answer_only.per_second()
    }
}

/// A backlog, filled and drained once.
#[derive(Debug, Serialize)]
pub(crate) struct Backlog {
    pub(crate) entries: u64,
    pub(crate) fill: Load,
    pub(crate) rss_at_tenth_kib: u64,
    pub(crate) rss_at_full_kib: u64,
    pub(crate) rss_when_drained_kib: u64,
    /// From the database's return until the first rows arrived.
    pub(crate) pause_s: f64,
    pub(crate) drain_rows_per_second: f64,
    /// The same rows by the database's own client.
    pub(crate) client_rows_per_second: f64,
    pub(crate) lost: u64,
}

impl Backlog {
    /// Of what the database's own client can do.
    pub(crate) fn ratio(&self) -> f64 {
        self.drain_rows_per_second / self.client_rows_per_second
    }
}

/// What the whole service allocates for a request, in the foreground and in the background.
#[derive(Debug, Serialize)]
pub(crate) struct Allocations {
    pub(crate) service: &'static str,
    pub(crate) parts: &'static str,
    pub(crate) request: &'static str,
    pub(crate) requests: u64,
    pub(crate) allocations: u64,
    pub(crate) reallocations: u64,
    pub(crate) bytes: u64,
}

/// The middle one, or the mean of the two in the middle; not a number of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), middle.checked_sub(1)) {
        (Some(upper), Some(below)) if values.len().is_multiple_of(2) => values
            .get(below)
            .map_or(f64::NAN, |lower| (lower + upper) / 2.0),
        (Some(value), _) => *value,
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }
}
