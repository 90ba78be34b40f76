//! What a comparison found, as `report.json` has it.

pub mod html;
pub mod table;
pub mod verdict;

mod chart;
mod escape;
mod figure;
mod measured;
mod rows;
mod warnings;

use serde::Serialize;

use crate::pattern::Pattern;
use crate::workload::Workload;

pub use warnings::warnings;

/// A whole comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The command line that made it.
    pub command: String,
    /// The version of the tool and its commit, if it knows it.
    pub version: String,
    /// When it began, RFC 3339, UTC.
    pub began_at: String,
    /// Whether it was stopped before its end. What is missing then is absent below.
    pub interrupted: bool,
    /// Where it ran.
    pub machine: Machine,
    /// What the services ran on, in words: `memory cache, SQLite`.
    pub parts: String,
    /// What the tool itself can drive.
    pub ceiling: Option<Ceiling>,
    /// What was asked, and what came of it.
    pub scenarios: Vec<Scenario>,
    /// Which pattern to take: three lines.
    pub verdict: Vec<String>,
    /// Why some of the figures may mean less than they seem to.
    pub warnings: Vec<String>,
}

/// A workload, and every run of it.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// What was asked.
    pub workload: Workload,
    /// In the order in which they were made: the patterns take turns.
    pub runs: Vec<Run>,
}

/// The machine that tool, services and (where the tool started them) servers share.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processors.
    pub processors: usize,
    /// Their model, where the system tells it.
    pub processor_model: Option<String>,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// The operating system and its release.
    pub system: String,
}

/// The highest rate that the tool drives against a handler that does nothing, in a process
/// of its own, by the same connections and requests.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ceiling {
    /// Answered a second.
    pub requests_per_second: f64,
    /// Processor time of the tool for each request, in microseconds.
    pub tool_cpu_us_per_request: f64,
}

/// What one service made of a workload, once.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Which.
    pub pattern: Pattern,
    /// Where it listened.
    pub url: String,
    /// How long requests were sent, in seconds.
    pub seconds: f64,
    /// How many requests the workload had until then. All of them unless this is open loop
    /// and the service fell behind.
    pub due: u64,
    /// How many of these were never sent, since no connection was free in time.
    pub unsent: u64,
    /// Writes and deletes that were acknowledged.
    pub acknowledged: u64,
    /// By operation: those that occurred.
    pub operations: Vec<OperationReport>,
    /// Of all operations together, as of each.
    pub latency: Latency,
    /// How long failed requests took until they failed; `None` if there were none.
    pub failed_latency: Option<Latency>,
    /// The latency at percentiles that come ever closer to 100, for a picture of all of it.
    pub percentiles: Vec<Percentile>,
    /// Failed requests by kind, the most frequent first.
    pub errors: Vec<ErrorCount>,
    /// What happened when: slices of equal length, in order.
    pub timeline: Vec<Slice>,
    /// How long after the answer the database had committed a write; `None` where it was
    /// not measured.
    pub commit_lag: Option<CommitLag>,
    /// How long after the last request the database had everything, in seconds; `None` where that
    /// was not waited for to the end.
    pub settled_after_s: Option<f64>,
    /// What the database was asked.
    pub database: Option<DatabaseLoad>,
    /// Where reads were answered from.
    pub cache: CacheReads,
    /// The most that waited in the journal; `None` without one.
    pub journal: Option<JournalPeak>,
    /// What the processes used.
    pub processes: Vec<ProcessUse>,
    /// The share of the machine's processor time that none of these used, 0 to 1, where the system
    /// tells it. The work of other programs disturbs what is measured.
    pub others_cpu_share: Option<f64>,
    /// Whether everything acknowledged is there.
    pub check: Option<Check>,
    /// When the database was disturbed, in seconds from the first request; as it was done.
    pub fault: Option<FaultSpan>,
}

/// What became of one operation's requests.
#[derive(Clone, Debug, Serialize)]
pub struct OperationReport {
    /// `write`, `read` or `delete`.
    pub operation: &'static str,
    /// Answered as they should be. `404` is such an answer to a read and a delete.
    pub succeeded: u64,
    /// All others.
    pub failed: u64,
    /// Of the successful ones; and of those that were never sent how long they had waited, which
    /// they would have taken at least. What failed, fast or slowly, is not among them.
    pub latency: Latency,
}

/// Times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// Their mean.
    pub mean_ms: f64,
    /// Half of them took no longer.
    pub p50_ms: f64,
    /// 90 % took no longer.
    pub p90_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
    /// 99.9 %.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// Bounds of times, in milliseconds: a histogram's, so what it counted took no longer. `None` where
/// that is longer than its last bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CommitLag {
    /// For half of the writes.
    pub p50_at_most_ms: Option<f64>,
    /// For 99 %.
    pub p99_at_most_ms: Option<f64>,
}

/// A point of a latency distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentile {
    /// 0 to 100.
    pub percentile: f64,
    /// The time that so many took no longer than, in milliseconds.
    pub latency_ms: f64,
}

/// So many requests failed like this.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorCount {
    /// `503 Service Unavailable`, `connection closed`, `no answer in 30 s`, …
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// What became of the requests that were due in one slice of the time, whenever they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Slice {
    /// Its begin, in seconds from the first request.
    pub at_s: f64,
    /// Its length, in seconds.
    pub seconds: f64,
    /// How many were due; without a rate, how many were sent.
    pub due: u64,
    /// Those of them that were answered within a second of that.
    pub in_time: u64,
    /// Those that failed. All others were answered late, or never sent.
    pub failed: u64,
    /// Entries that waited in the journal at its end; absent where that is unknown.
    pub journal_depth: Option<u64>,
    /// The age of the oldest of them, in seconds.
    pub journal_age_s: Option<f64>,
}

/// What the database was asked, from the first request until it had everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatabaseLoad {
    /// What counted: `the service`, or `the server` where it is MySQL or MariaDB and can be asked.
    pub counted_by: &'static str,
    /// Statements, reads among them.
    pub statements: u64,
    /// Rows inserted or updated.
    pub rows: u64,
    /// Committed transactions that wrote.
    pub commits: u64,
}

/// Where reads were answered from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CacheReads {
    /// The cache.
    pub hits: u64,
    /// The database, since the cache did not have it.
    pub misses: u64,
    /// The database, bypassing the cache.
    pub bypasses: u64,
}

/// The most that waited in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct JournalPeak {
    /// Entries.
    pub depth: u64,
    /// The age of the oldest, in seconds.
    pub age_s: f64,
}

/// What a process used while the workload ran and until the database had everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcessUse {
    /// `service`, `Redis`, `database`, or `compare`: the tool itself.
    pub process: &'static str,
    /// Processor time, user and system, in seconds.
    pub cpu_s: f64,
    /// The most resident memory that was seen, in bytes.
    pub memory_bytes_max: u64,
}

/// Whether everything that was acknowledged is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Writes and deletes that were answered with success, the first write of each name, before
    /// the workload began, among them.
    pub acknowledged: u64,
    /// Names of which the last of them was looked for afterwards.
    pub names: u64,
    /// Those of them that had a delete whose outcome is unknown, so that no record is no loss.
    pub names_uncertain: u64,
    /// Where: `database` itself, or `service` where the tool cannot reach that, or where that did
    /// not have everything in time.
    pub asked: &'static str,
    /// Names of which the newest acknowledged write is not there, nor anything that may
    /// have replaced it.
    pub lost: u64,
    /// Reads that were answered with something older than what had been acknowledged, or
    /// read, before they began.
    pub stale_reads: u64,
    /// Of each at most a few, in words.
    pub examples: Vec<String>,
}

/// When the database was disturbed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultSpan {
    /// In words: `database away`, `database 20 ms slower`.
    pub what: String,
    /// In seconds from the first request.
    pub from_s: f64,
    /// The same.
    pub until_s: f64,
}

impl Scenario {
    /// The runs of one pattern.
    pub fn of(&self, pattern: Pattern) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.pattern == pattern)
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        self.workload.preset.unwrap_or("this workload")
    }
}

impl Report {
    /// Every run of every workload.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.scenarios.iter().flat_map(|scenario| &scenario.runs)
    }

    /// Whether a service lost something that it had acknowledged, or read something stale. What a
    /// handler of the tool's own loses is what it is there to show.
    pub fn has_losses(&self) -> bool {
        let mut own = self.runs().filter(|run| !run.pattern.is_naive());
        own.any(|run| {
            let check = run.check.as_ref();
            check.is_some_and(|check| check.lost > 0 || check.stale_reads > 0)
        })
    }

    /// The patterns that were run, in the order in which they are shown.
    pub fn patterns(&self) -> Vec<Pattern> {
        let mut all = Pattern::ALL.to_vec();
        all.retain(|pattern| self.runs().any(|run| run.pattern == *pattern));
        all
    }

    /// The whole report as indented JSON, with a newline at its end. A figure that is no finite
    /// number is `null`, as is what is absent.
    pub fn json(&self) -> String {
        // It holds no map and no type whose serialisation fails.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_else(|_| "null".to_owned());
        text.push('\n');
        text
    }
}

impl Run {
    /// Requests that were answered as they should be.
    pub fn succeeded(&self) -> u64 {
        self.operations.iter().map(|one| one.succeeded).sum()
    }

    /// Requests that failed.
    pub fn failed(&self) -> u64 {
        self.operations.iter().map(|one| one.failed).sum()
    }

    /// Those answered within a second of when they were due.
    pub fn in_time(&self) -> u64 {
        self.timeline.iter().map(|slice| slice.in_time).sum()
    }

    /// What was due while the database was disturbed: slices of which most is within that time.
    pub fn disturbed(&self) -> impl Iterator<Item = &Slice> {
        let (from_s, until_s) = match &self.fault {
            Some(fault) => (fault.from_s, fault.until_s),
            None => (f64::INFINITY, f64::INFINITY),
        };
        let within = move |slice: &&Slice| {
            let middle_s = slice.at_s + slice.seconds / 2.0;
            (from_s..until_s).contains(&middle_s)
        };
        self.timeline.iter().filter(within)
    }
}
