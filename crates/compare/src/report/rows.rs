//! The figures that are shown, each as one function of a run.

use super::measured::{Difference, Measured, Value};
use super::{Check, CommitLag, DatabaseLoad, Latency, Report, Run, Scenario, figure};
use crate::pattern::Pattern;

/// A figure that every run may have.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) label: &'static str,
    /// Whether it is among the dozen that are shown first: always, or in which kind of scenario.
    shown: Shown,
    /// Whether less of it is better, more, or neither.
    pub(super) better: Better,
    value: fn(&Run) -> Option<Value>,
    pub(super) write: fn(f64) -> String,
}

/// What is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    More,
    Less,
    /// It depends.
    Neither,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// For an even load.
    Even,
    /// For any load but one with a fault.
    Undisturbed,
    /// For a load with a fault.
    Disturbed,
    /// Once, for all scenarios together.
    Once,
    /// With `--details` and in the report.
    InDetail,
}

use Better::{Less, More, Neither};
use Shown::{Disturbed, Even, InDetail, Once, Undisturbed};

const fn row(
    label: &'static str,
    shown: Shown,
    better: Better,
    value: fn(&Run) -> Option<Value>,
    write: fn(f64) -> String,
) -> Row {
    Row {
        label,
        shown,
        better,
        value,
        write,
    }
}

pub(super) const WRITE_P50: Row = row(
    "a write takes, median",
    Undisturbed,
    Less,
    |run| latency(run, "write", 2, |latency| latency.p50_ms),
    figure::milliseconds,
);
pub(super) const WRITE_P99: Row = row(
    "a write takes, p99",
    Undisturbed,
    Less,
    |run| latency(run, "write", 100, |latency| latency.p99_ms),
    figure::milliseconds,
);
pub(super) const COMMITS: Row = row(
    "commits for 100 writes",
    Even,
    Less,
    |run| for_100_writes(run, |database| database.commits),
    figure::two_digits,
);
pub(super) const CPU: Row = row(
    "processor time for a write",
    Even,
    Less,
    cpu_for_a_write,
    figure::microseconds,
);
pub(super) const IN_TIME_DISTURBED: Row = row(
    "answered within 1 s meanwhile",
    Disturbed,
    More,
    |run| {
        let due: u64 = run.disturbed().map(|slice| slice.due).sum();
        share(run.disturbed().map(|slice| slice.in_time).sum(), due)
    },
    figure::percent,
);
pub(super) const WAITING: Row = row(
    "waiting in the journal, at most",
    Disturbed,
    Neither,
    |run| whole(run.journal?.depth),
    figure::count,
);
pub(super) const OLDEST: Row = row(
    "the oldest of these, at most",
    Disturbed,
    Neither,
    |run| Some(Value::exact(run.journal?.age_s)),
    figure::seconds,
);
pub(super) const LOST: Row = row(
    "acknowledged writes lost",
    Once,
    Less,
    |run| whole(run.check.as_ref()?.lost),
    figure::count,
);
pub(super) const SETTLED: Row = row(
    "database has all, after the last",
    InDetail,
    Neither,
    |run| Some(Value::exact(run.settled_after_s?)),
    figure::seconds,
);

/// All, in the order in which they are shown.
pub(super) const ROWS: [Row; 32] = [
    WRITE_P50,
    WRITE_P99,
    row(
        "a write takes, p99.9",
        InDetail,
        Less,
        |run| latency(run, "write", 1_000, |latency| latency.p999_ms),
        figure::milliseconds,
    ),
    row(
        "a read takes, median",
        Even,
        Less,
        |run| latency(run, "read", 2, |latency| latency.p50_ms),
        figure::milliseconds,
    ),
    row(
        "a read takes, p99",
        InDetail,
        Less,
        |run| latency(run, "read", 100, |latency| latency.p99_ms),
        figure::milliseconds,
    ),
    row(
        "a failure takes, median",
        InDetail,
        Neither,
        |run| Some(Value::exact(run.failed_latency?.p50_ms)),
        figure::milliseconds,
    ),
    IN_TIME_DISTURBED,
    row(
        "failed, never sent or later",
        Disturbed,
        Less,
        |run| whole(run.due.saturating_sub(run.in_time())),
        figure::count,
    ),
    row(
        "answered within 1 s",
        InDetail,
        More,
        |run| share(run.in_time(), run.due),
        figure::percent,
    ),
    row(
        "due",
        InDetail,
        Neither,
        |run| whole(run.due),
        figure::count,
    ),
    row(
        "answered",
        InDetail,
        Neither,
        |run| whole(run.succeeded()),
        figure::count,
    ),
    row(
        "failed",
        InDetail,
        Less,
        |run| whole(run.failed()),
        figure::count,
    ),
    row(
        "never sent",
        InDetail,
        Less,
        |run| whole(run.unsent),
        figure::count,
    ),
    COMMITS,
    row(
        "rows for 100 writes",
        InDetail,
        Less,
        |run| for_100_writes(run, |database| database.rows),
        figure::two_digits,
    ),
    row(
        "statements for 100 writes",
        InDetail,
        Less,
        |run| for_100_writes(run, |database| database.statements),
        figure::two_digits,
    ),
    CPU,
    row(
        "… of the service",
        InDetail,
        Neither,
        |run| cpu_of(run, "service"),
        figure::microseconds,
    ),
    row(
        "… of Redis",
        InDetail,
        Neither,
        |run| cpu_of(run, "Redis"),
        figure::microseconds,
    ),
    row(
        "… of the database",
        InDetail,
        Neither,
        |run| cpu_of(run, "database"),
        figure::microseconds,
    ),
    row(
        "… of this tool",
        InDetail,
        Neither,
        |run| cpu_of(run, TOOL),
        figure::microseconds,
    ),
    row(
        "memory of the service, at most",
        InDetail,
        Less,
        |run| memory_of(run, "service"),
        figure::mebibytes,
    ),
    row(
        "memory of Redis, at most",
        InDetail,
        Less,
        |run| memory_of(run, "Redis"),
        figure::mebibytes,
    ),
    row(
        "reads answered by the cache",
        InDetail,
        More,
        |run| {
            share(
                run.cache.hits,
                run.cache.hits + run.cache.misses + run.cache.bypasses,
            )
        },
        figure::percent,
    ),
    WAITING,
    OLDEST,
    row(
        "in the database, median ≤",
        InDetail,
        Neither,
        |run| lag(run, |lag| lag.p50_at_most_ms),
        figure::milliseconds,
    ),
    row(
        "in the database, p99 ≤",
        InDetail,
        Neither,
        |run| lag(run, |lag| lag.p99_at_most_ms),
        figure::milliseconds,
    ),
    SETTLED,
    row(
        "names looked for in the end",
        InDetail,
        Neither,
        |run| checked(run, |check| check.names),
        figure::count,
    ),
    LOST,
    row(
        "stale reads",
        Once,
        Less,
        |run| checked(run, |check| check.stale_reads),
        figure::count,
    ),
];

/// The process that is the tool itself, and no part of what is compared.
pub(super) const TOOL: &str = "compare";

impl Row {
    /// The figure of all runs of a pattern.
    pub(super) fn of(&self, scenario: &Scenario, pattern: Pattern) -> Option<Measured> {
        Measured::of(scenario.of(pattern).map(self.value))
    }

    /// The figure of one run.
    pub(super) fn of_run(&self, run: &Run) -> Option<f64> {
        (self.value)(run).map(|value| value.number)
    }

    /// In words: `2.2 ms`, `≥3.1 s`.
    pub(super) fn text(&self, measured: Option<&Measured>) -> String {
        let Some(median) = measured.map(Measured::median) else {
            return figure::UNKNOWN.to_owned();
        };
        let at_least = if median.at_least { "≥" } else { "" };
        format!("{at_least}{}", (self.write)(median.number))
    }

    fn is_shown(&self, scenario: &Scenario) -> bool {
        let disturbed = scenario.workload.fault.is_some();
        match self.shown {
            Even => !disturbed && scenario.workload.bursts.is_none(),
            Undisturbed => !disturbed,
            Disturbed => disturbed,
            Once | InDetail => false,
        }
    }
}

/// Lines of a table that belong together.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) lines: Vec<Line>,
}

/// One figure of each pattern.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) label: &'static str,
    /// In the order of [`Report::patterns`].
    pub(super) cells: Vec<String>,
    /// How the two services differ, where one is better: `2.7 times`, `none`.
    pub(super) difference: String,
    /// Which of them is better.
    pub(super) better: Option<Pattern>,
}

/// The dozen that are shown first.
pub(super) fn short(report: &Report) -> Vec<Group> {
    let mut groups: Vec<Group> = report
        .scenarios
        .iter()
        .map(|scenario| group(report, scenario, |row| row.is_shown(scenario)))
        .collect();
    let all = Scenario {
        workload: crate::workload::Workload::default(),
        runs: report.runs().cloned().collect(),
    };
    let mut once = group(report, &all, |row| row.shown == Once);
    once.title = "all runs together, at most".to_owned();
    // The worst run counts, not the middle one.
    for line in &mut once.lines {
        if let Some(row) = ROWS.iter().find(|row| row.label == line.label) {
            let worst = |pattern: &Pattern| {
                let measured = row.of(&all, *pattern);
                measured.map_or(figure::UNKNOWN.to_owned(), |all| (row.write)(all.largest()))
            };
            line.cells = report.patterns().iter().map(worst).collect();
            line.difference = String::new();
        }
    }
    groups.push(once);
    groups.retain(|group| !group.lines.is_empty());
    groups
}

/// Everything that is known.
pub(super) fn all(report: &Report) -> Vec<Group> {
    let scenarios = report.scenarios.iter();
    scenarios
        .map(|scenario| group(report, scenario, |_| true))
        .collect()
}

fn group(report: &Report, scenario: &Scenario, shown: impl Fn(&Row) -> bool) -> Group {
    let patterns = report.patterns();
    let line = |row: &Row| {
        let measured = patterns.iter().map(|pattern| row.of(scenario, *pattern));
        let measured: Vec<Option<Measured>> = measured.collect();
        let known = measured.iter().any(Option::is_some);
        let (difference, better) = difference(row, scenario);
        known.then(|| Line {
            label: row.label,
            cells: measured.iter().map(|one| row.text(one.as_ref())).collect(),
            difference,
            better,
        })
    };
    let rows = ROWS.iter().filter(|row| shown(row));
    Group {
        title: format!("{}: {}", scenario.name(), scenario.workload.in_words()),
        lines: rows.filter_map(line).collect(),
    }
}

fn difference(row: &Row, scenario: &Scenario) -> (String, Option<Pattern>) {
    let [first, second] = Pattern::BOTH;
    let (Some(one), Some(other)) = (row.of(scenario, first), row.of(scenario, second)) else {
        return (String::new(), None);
    };
    let (ratio, more, less) = match one.differs(&other) {
        _ if row.better == Neither => return (String::new(), None),
        Difference::None => return ("none".to_owned(), None),
        Difference::First(ratio) => (ratio, first, second),
        Difference::Second(ratio) => (ratio, second, first),
    };
    let times = match ratio.is_finite() {
        true => format!("{} times", figure::two_digits(ratio)),
        false => "all".to_owned(),
    };
    let better = if row.better == More { more } else { less };
    (times, Some(better))
}

fn whole(count: u64) -> Option<Value> {
    // Up to 2^53, which no count of requests reaches, a floating-point number is exact.
    Some(Value::exact(count as f64))
}

fn share(part: u64, all: u64) -> Option<Value> {
    (all > 0).then(|| Value::exact(part as f64 / all as f64))
}

/// The time that all but one in so many took no longer than. It is a lower bound where more than
/// these were never sent, and unknown where too few were due to tell.
fn latency(run: &Run, operation: &str, one_in: u64, of: fn(&Latency) -> f64) -> Option<Value> {
    let mut operations = run.operations.iter();
    let report = operations.find(|report| report.operation == operation)?;
    let count = report.latency.count;
    let unsent = count.saturating_sub(report.succeeded);
    (count >= one_in).then(|| Value {
        number: of(&report.latency),
        at_least: u128::from(unsent) * u128::from(one_in) > u128::from(count),
    })
}

/// So many for 100 acknowledged writes; unknown while some of them are in the journal only.
fn for_100_writes(run: &Run, of: fn(&DatabaseLoad) -> u64) -> Option<Value> {
    let known = run.acknowledged > 0 && run.settled_after_s.is_some();
    let amount = of(run.database.as_ref()?) as f64;
    known.then(|| Value::exact(amount * 100.0 / run.acknowledged as f64))
}

fn cpu_for_a_write(run: &Run) -> Option<Value> {
    let own = run.processes.iter().filter(|used| used.process != TOOL);
    let used_s: Vec<f64> = own.map(|used| used.cpu_s).collect();
    if used_s.is_empty() {
        return None;
    }
    for_a_write(run, used_s.iter().sum())
}

/// Processor time of one process for a write.
pub(super) fn cpu_of(run: &Run, process: &str) -> Option<Value> {
    let mut processes = run.processes.iter();
    let used = processes.find(|used| used.process == process)?;
    for_a_write(run, used.cpu_s)
}

fn for_a_write(run: &Run, cpu_s: f64) -> Option<Value> {
    (run.acknowledged > 0).then(|| Value::exact(cpu_s * 1e6 / run.acknowledged as f64))
}

fn memory_of(run: &Run, process: &str) -> Option<Value> {
    let mut processes = run.processes.iter();
    let used = processes.find(|used| used.process == process)?;
    whole(used.memory_bytes_max)
}

fn lag(run: &Run, of: fn(&CommitLag) -> Option<f64>) -> Option<Value> {
    of(run.commit_lag.as_ref()?).map(Value::exact)
}

fn checked(run: &Run, of: fn(&Check) -> u64) -> Option<Value> {
    whole(of(run.check.as_ref()?))
}
