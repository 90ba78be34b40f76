//! Reports of figures that are made up.

use compare::pattern::Pattern;
use compare::report::{
    Ceiling, Check, CommitLag, DatabaseLoad, ErrorCount, FaultSpan, JournalPeak, Latency, Machine,
    OperationReport, Percentile, ProcessUse, Report, Run, Scenario, Slice, verdict,
};
use compare::workload::question;

const THROUGH: Pattern = Pattern::WriteThrough;

fn latency(count: u64, p50_ms: f64) -> Latency {
    Latency {
        count,
        mean_ms: p50_ms,
        p50_ms,
        p90_ms: p50_ms * 2.0,
        p99_ms: p50_ms * 4.0,
        p999_ms: p50_ms * 8.0,
        max_ms: p50_ms * 9.0,
    }
}

/// A run of 4 s without a fault, in which a write takes so long.
pub(crate) fn run(pattern: Pattern, write_ms: f64) -> Run {
    let behind = pattern.is_behind();
    let operation = |operation, count, p50_ms| OperationReport {
        operation,
        succeeded: count,
        failed: 0,
        latency: latency(count, p50_ms),
    };
    let slice = |index: u32| Slice {
        at_s: f64::from(index) * 0.25,
        seconds: 0.25,
        due: 250,
        in_time: 250,
        failed: 0,
        journal_depth: behind.then_some(u64::from(index)),
        journal_age_s: behind.then(|| f64::from(index) / 100.0),
    };
    let used = |process, cpu_s| ProcessUse {
        process,
        cpu_s,
        memory_bytes_max: 40 << 20,
    };
    Run {
        pattern,
        url: "http://127.0.0.1:1/".to_owned(),
        seconds: 4.0,
        due: 4_000,
        unsent: 0,
        acknowledged: 3_000,
        operations: vec![
            operation("write", 3_000, write_ms),
            operation("read", 1_000, 0.5),
        ],
        latency: latency(4_000, write_ms),
        failed_latency: None,
        percentiles: [0.0, 50.0, 90.0, 99.0, 99.9]
            .map(|percentile| Percentile {
                percentile,
                latency_ms: write_ms * (1.0 + percentile / 50.0),
            })
            .to_vec(),
        errors: Vec::new(),
        timeline: (0..16).map(slice).collect(),
        commit_lag: behind.then_some(CommitLag {
            p50_at_most_ms: Some(25.0),
            p99_at_most_ms: None,
        }),
        settled_after_s: Some(if behind { 0.2 } else { 0.0 }),
        database: Some(DatabaseLoad {
            counted_by: "the service",
            statements: 3_000,
            rows: 3_000,
            commits: if behind { 72 } else { 2_100 },
        }),
        cache: Default::default(),
        journal: behind.then_some(JournalPeak {
            depth: 30,
            age_s: 0.028,
        }),
        processes: vec![
            used("compare", 9.0),
            used("service", 0.6),
            used("database", 0.3),
        ],
        others_cpu_share: Some(0.01),
        check: Some(Check {
            acknowledged: 5_000,
            names: 2_000,
            names_uncertain: 0,
            asked: "database",
            lost: 0,
            stale_reads: 0,
            examples: Vec::new(),
        }),
        fault: None,
    }
}

/// The same with an outage from 1 s to 3 s, in which this share is answered in time and the rest hangs.
pub(crate) fn disturbed(pattern: Pattern, in_time: f64) -> Run {
    let mut run = run(pattern, 2.0);
    for slice in &mut run.timeline {
        if (1.0..3.0).contains(&slice.at_s) {
            slice.in_time = (slice.due as f64 * in_time) as u64;
        }
    }
    run.fault = Some(FaultSpan {
        what: "database away".to_owned(),
        from_s: 1.003,
        until_s: 3.001,
    });
    if pattern.is_behind() {
        run.journal = Some(JournalPeak {
            depth: 2_412,
            age_s: 2.1,
        });
    }
    run
}

/// Of these runs of the three workloads, one list for each.
pub(crate) fn report(runs: [Vec<Run>; 3]) -> Report {
    let scenarios = question().into_iter().zip(runs);
    let mut report = Report {
        command: "compare".to_owned(),
        version: "0.1.0".to_owned(),
        began_at: "2026-11-30T12:00:00Z".to_owned(),
        interrupted: false,
        machine: Machine {
            processors: 2,
            processor_model: None,
            memory_bytes: 4 << 30,
            system: "linux 6".to_owned(),
        },
        parts: "memory cache, file journal, SQLite".to_owned(),
        ceiling: Some(Ceiling {
            requests_per_second: 50_000.0,
            tool_cpu_us_per_request: 30.0,
        }),
        scenarios: scenarios
            .map(|(workload, runs)| Scenario { workload, runs })
            .collect(),
        verdict: Vec::new(),
        warnings: Vec::new(),
    };
    report.verdict = verdict::verdict(&report);
    report
}

fn thrice(of: impl Fn(f64) -> Run) -> Vec<Run> {
    // As much as runs differ by chance.
    [0.95, 1.0, 1.05].map(of).to_vec()
}

/// As it usually is: write-behind is sooner, spares the database and goes on in an outage.
pub(crate) fn usual() -> Report {
    let both = |through_ms: f64, behind_ms: f64| {
        let through = thrice(|chance| run(THROUGH, through_ms * chance));
        [
            through,
            thrice(|chance| run(Pattern::WriteBehind, behind_ms * chance)),
        ]
        .concat()
    };
    let through = thrice(|chance| disturbed(THROUGH, 0.25 * chance));
    let behind = thrice(|_| disturbed(Pattern::WriteBehind, 1.0));
    report([both(2.2, 0.8), both(162.0, 6.0), [through, behind].concat()])
}

/// With text that is none of ours, what was lost, and the tool's own handlers.
pub(crate) fn broken() -> Report {
    let mut report = usual();
    let naive =
        [Pattern::NaiveThrough, Pattern::NaiveBehind].map(|pattern| disturbed(pattern, 1.0));
    report.scenarios[2].runs.extend(naive);
    for run in &mut report.scenarios[2].runs {
        run.errors.push(ErrorCount {
            kind: "<script>alert(1)</script>\u{1b}".to_owned(),
            count: 7,
        });
        if run.pattern != THROUGH {
            let check = run.check.as_mut().unwrap();
            (check.lost, check.stale_reads) = (3, 1);
            check.examples.push("name 1: </svg> is lost".to_owned());
        }
    }
    report.verdict = verdict::verdict(&report);
    report.warnings = vec!["<b>care</b>".to_owned()];
    report
}

/// Stopped before anything was measured.
pub(crate) fn nothing() -> Report {
    let mut report = report([Vec::new(), Vec::new(), Vec::new()]);
    report.interrupted = true;
    report
}
