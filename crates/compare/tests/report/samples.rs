//! Reports as a comparison would fill them in.

use std::time::Duration;

use compare::pattern::Pattern;
use compare::report::findings::findings;
use compare::report::{
    CacheReads, Ceiling, Check, DatabaseLoad, ErrorCount, FaultSpan, JournalPeak, Latency, Machine,
    OperationReport, Percentile, ProcessUse, Report, ServiceReport, Slice,
};
use compare::workload::{Bursts, Fault, FaultKind, Rate, Skew, Workload};

use crate::figures::latency;

/// Every report that a page or a picture must cope with, by name.
pub(crate) fn all() -> Vec<(&'static str, Report)> {
    let reports = vec![
        ("steady", steady()),
        ("outage", outage()),
        ("stalled", stalled()),
        ("interrupted", interrupted()),
        ("empty", empty()),
        ("bare", bare()),
        ("huge", huge()),
        ("broken", broken()),
    ];
    let found = |(name, mut report): (&'static str, Report)| {
        report.findings = findings(&report);
        (name, report)
    };
    reports.into_iter().map(found).collect()
}

/// One of them.
pub(crate) fn named(name: &str) -> Report {
    let found = all().into_iter().find(|(other, _)| *other == name);
    found.expect("a report of that name").1
}

fn workload() -> Workload {
    Workload {
        preset: Some("mixed"),
        duration: Duration::from_secs(20),
        rate: Rate::Saturation,
        connections: 64,
        reads: 0.5,
        deletes: 0.02,
        names: 10_000,
        skew: Skew::Zipf(0.99),
        value_chars: 100,
        bursts: None,
        fault: None,
        seed: 7,
    }
}

/// Without any service.
pub(crate) fn empty() -> Report {
    Report {
        command: "compare --preset mixed".to_owned(),
        version: "0.1.0 (cbcf5cf)".to_owned(),
        began_at: "2026-11-22T11:57:14Z".to_owned(),
        interrupted: true,
        machine: Machine {
            processors: 8,
            processor_model: Some("AMD EPYC 7763 64-Core Processor".to_owned()),
            memory_bytes: 32 << 30,
            system: "Linux 6.12.9".to_owned(),
        },
        parts: "memory cache, SQLite, file journal".to_owned(),
        workload: workload(),
        ceiling: None,
        services: Vec::new(),
        findings: Vec::new(),
        warnings: Vec::new(),
    }
}

/// Of which nothing but the requests is known.
pub(crate) fn silent(pattern: Pattern) -> ServiceReport {
    ServiceReport {
        pattern,
        url: "http://127.0.0.1:40123".to_owned(),
        seconds: 0.0,
        due: 0,
        unsent: 0,
        per_second: 0.0,
        acknowledged: 0,
        operations: Vec::new(),
        latency: Latency::default(),
        failed_latency: None,
        percentiles: Vec::new(),
        errors: Vec::new(),
        timeline: Vec::new(),
        commit_lag: None,
        settled_after_s: None,
        others_cpu_share: None,
        database: None,
        cache: CacheReads::default(),
        journal: None,
        processes: Vec::new(),
        check: None,
        fault: None,
    }
}

/// What one service would make of 20 seconds at so many requests a second, in slices of a
/// quarter of one. A disturbed database comes on top.
fn measured(pattern: Pattern, per_second: f64, p50_ms: f64, p99_ms: f64) -> ServiceReport {
    let mut random = fastrand::Rng::with_seed((p99_ms * 1e3) as u64);
    let mut noise = |spread: f64| 1.0 + spread * (random.f64() - 0.5);
    let behind = pattern == Pattern::WriteBehind;
    let mut depth = 0.0;
    let timeline: Vec<Slice> = (0..80)
        .map(|index| {
            let at_s = f64::from(index) * 0.25;
            depth = 90.0 * noise(0.9);
            Slice {
                at_s,
                seconds: 0.25,
                per_second: per_second * noise(0.08),
                failed_per_second: 0.0,
                p50_ms: Some(p50_ms * noise(0.12)),
                p99_ms: Some(p99_ms * noise(0.5)),
                max_ms: Some(p99_ms * 3.0 * noise(0.9)),
                database_rows_per_second: Some(match behind {
                    true => per_second * 0.155 * noise(0.2),
                    false => per_second * 0.5 * noise(0.08),
                }),
                cache_hit_share: Some(0.97 - 0.6 * (-at_s / 1.5).exp()),
                due_per_second: None,
                journal_depth: behind.then_some(depth as u64),
                journal_age_s: behind.then_some(depth / 5000.0),
            }
        })
        .collect();
    let requests = (per_second * 20.0) as u64;
    let writes = requests / 2;
    let rows = if behind { writes * 31 / 100 } else { writes };
    let part = |operation, share: f64, factor: f64| OperationReport {
        operation,
        succeeded: (requests as f64 * share) as u64,
        failed: 0,
        latency: latency(
            (requests as f64 * share) as u64,
            p50_ms * factor,
            p99_ms * factor,
        ),
    };
    let percentiles = (0..=50)
        .map(|index| {
            let decades = f64::from(index) / 10.0;
            let percentile = 100.0 * (1.0 - 10_f64.powf(-decades));
            let latency_ms =
                p50_ms * 0.6 * (1.0 + (p99_ms / p50_ms - 1.0) * (decades / 2.0).powi(3));
            Percentile {
                percentile,
                latency_ms,
            }
        })
        .collect();
    ServiceReport {
        seconds: 20.0,
        due: requests,
        per_second,
        acknowledged: writes,
        operations: vec![
            part("write", 0.48, 1.2),
            part("read", 0.5, 0.5),
            part("delete", 0.02, 1.2),
        ],
        latency: latency(requests, p50_ms, p99_ms),
        percentiles,
        timeline,
        commit_lag: Some(match behind {
            true => Latency {
                max_ms: 182.0,
                ..latency(writes, 24.0, 61.0)
            },
            false => Latency {
                count: writes,
                ..Latency::default()
            },
        }),
        settled_after_s: Some(if behind { 0.031 } else { 0.0 }),
        others_cpu_share: Some(0.04),
        database: Some(DatabaseLoad {
            counted_by: "the service",
            statements: rows / 8 + requests / 40,
            rows,
            commits: if behind { writes / 60 } else { writes / 12 },
            rows_per_write: Some(rows as f64 / writes as f64),
        }),
        cache: CacheReads {
            hits: requests / 2 * 19 / 20,
            misses: requests / 2 / 20,
            bypasses: if behind { 0 } else { 41 },
        },
        journal: behind.then_some(JournalPeak {
            depth: 131,
            age_s: 0.182,
        }),
        processes: vec![
            ProcessUse {
                process: "service",
                cpu_s: if behind { 12.4 } else { 14.9 },
                memory_bytes_max: if behind { 61 << 20 } else { 44 << 20 },
            },
            ProcessUse {
                process: "compare",
                cpu_s: 5.2,
                memory_bytes_max: 38 << 20,
            },
        ],
        check: Some(Check {
            // Each name was written once before.
            acknowledged: writes + 10_000,
            names: 9_812,
            names_uncertain: 0,
            asked: "database",
            lost: 0,
            stale_reads: 0,
            examples: Vec::new(),
        }),
        ..silent(pattern)
    }
}

/// As fast as they go, nothing happening.
pub(crate) fn steady() -> Report {
    Report {
        command: "compare --preset mixed --duration 20s".to_owned(),
        interrupted: false,
        ceiling: Some(Ceiling {
            requests_per_second: 61_234.0,
            tool_cpu_us_per_request: 13.2,
        }),
        services: vec![
            measured(Pattern::WriteThrough, 5_352.0, 11.2, 26.0),
            measured(Pattern::WriteBehind, 12_310.0, 4.9, 9.4),
        ],
        ..empty()
    }
}

/// Two thousand requests a second, the database away from 6 to 12 s, on real servers.
pub(crate) fn outage() -> Report {
    let (from_s, until_s) = (6.0, 12.0);
    let fault = FaultSpan {
        what: "database away".to_owned(),
        from_s,
        until_s,
    };
    let mut through = measured(Pattern::WriteThrough, 2_000.0, 1.6, 4.1);
    let mut behind = measured(Pattern::WriteBehind, 2_000.0, 0.7, 1.8);
    for slice in &mut through.timeline {
        if (from_s..until_s).contains(&slice.at_s) {
            slice.failed_per_second = slice.per_second * 0.5;
            slice.per_second *= 0.5;
            slice.p99_ms = Some(2_150.0);
            slice.max_ms = Some(2_400.0);
            slice.database_rows_per_second = Some(0.0);
        }
    }
    for slice in through.timeline.iter_mut().chain(&mut behind.timeline) {
        slice.due_per_second = Some(2_000.0);
    }
    for slice in &mut behind.timeline {
        let away_s = slice.at_s + 0.25 - from_s;
        if (from_s..until_s).contains(&slice.at_s) {
            slice.journal_depth = Some((away_s * 1_030.0) as u64);
            slice.journal_age_s = Some(away_s);
            slice.database_rows_per_second = Some(0.0);
        } else if (until_s..until_s + 1.0).contains(&slice.at_s) {
            let left = until_s + 1.0 - slice.at_s;
            slice.journal_depth = Some((left * 6_000.0) as u64);
            slice.journal_age_s = Some(left * 6.0);
            slice.database_rows_per_second = Some(2_400.0);
        }
    }
    through.fault = Some(fault.clone());
    behind.fault = Some(FaultSpan {
        until_s: until_s + 0.04,
        ..fault
    });
    through.operations[0].failed = 5_611;
    through.failed_latency = Some(latency(5_611, 2.2, 30_000.0));
    through.errors = vec![
        ErrorCount {
            kind: "503 Service Unavailable".to_owned(),
            count: 5_000,
        },
        ErrorCount {
            kind: "no answer in 30 s".to_owned(),
            count: 611,
        },
    ];
    behind.journal = Some(JournalPeak {
        depth: 6_180,
        age_s: 6.1,
    });
    behind.commit_lag = Some(Latency {
        max_ms: 6_200.0,
        ..latency(20_000, 24.0, 5_900.0)
    });
    behind.settled_after_s = Some(1.3);
    for service in [&mut through, &mut behind] {
        service.processes.insert(
            1,
            ProcessUse {
                process: "database",
                cpu_s: if service.pattern == Pattern::WriteThrough {
                    9.8
                } else {
                    3.9
                },
                memory_bytes_max: 312 << 20,
            },
        );
        service.processes.insert(
            1,
            ProcessUse {
                process: "Redis",
                cpu_s: 2.2,
                memory_bytes_max: 21 << 20,
            },
        );
    }
    Report {
        command: "compare --rate 2000 --outage 6s..12s --cache redis://127.0.0.1:6379 \
                  --database mysql://root@127.0.0.1:3306"
            .to_owned(),
        parts: "Redis, MariaDB 11.8, journal in Redis".to_owned(),
        interrupted: false,
        workload: Workload {
            preset: None,
            rate: Rate::PerSecond(2_000.0),
            bursts: Some(Bursts {
                factor: 3.0,
                period: Duration::from_secs(5),
                share: 0.2,
            }),
            fault: Some(Fault {
                kind: FaultKind::Outage,
                from: Duration::from_secs(6),
                until: Duration::from_secs(12),
            }),
            ..workload()
        },
        services: vec![through, behind],
        warnings: vec![
            "The tool itself used 41 % of the processors while write-behind was measured, so the \
             figures say less about the service than they seem to."
                .to_owned(),
        ],
        ..empty()
    }
}

/// The same, and neither kept up: requests were never sent, writes never came to the database.
fn stalled() -> Report {
    let mut report = outage();
    for service in &mut report.services {
        service.unsent = 5_955;
        service.latency.count += service.unsent;
        service.due += service.unsent;
    }
    let behind = &mut report.services[1];
    behind.settled_after_s = None;
    let check = behind.check.as_mut().unwrap();
    check.asked = "service";
    check.names_uncertain = 12;
    report
}

/// Stopped while write-through ran.
pub(crate) fn interrupted() -> Report {
    let mut through = measured(Pattern::WriteThrough, 5_352.0, 11.2, 26.0);
    through.seconds = 7.3;
    through.timeline.truncate(29);
    through.commit_lag = None;
    through.settled_after_s = None;
    through.database = None;
    through.check = None;
    for slice in &mut through.timeline[10..14] {
        *slice = Slice {
            at_s: slice.at_s,
            seconds: slice.seconds,
            ..Slice::default()
        };
    }
    Report {
        services: vec![through],
        ..empty()
    }
}

/// Two services that did nothing.
pub(crate) fn bare() -> Report {
    Report {
        services: Pattern::BOTH.map(silent).into(),
        ..empty()
    }
}

/// Figures that no machine has, and some that are no numbers.
pub(crate) fn huge() -> Report {
    let mut report = outage();
    for service in &mut report.services {
        service.per_second = f64::MAX;
        service.due = u64::MAX;
        service.unsent = u64::MAX;
        service.latency = latency(u64::MAX, 1e9, f64::MAX);
        for operation in &mut service.operations {
            operation.succeeded = u64::MAX;
            operation.failed = u64::MAX;
        }
        for (index, slice) in service.timeline.iter_mut().enumerate() {
            slice.per_second = [f64::MAX, f64::NAN, -1.0][index % 3];
            slice.p99_ms = [Some(f64::MAX), None, Some(f64::INFINITY)][index % 3];
            slice.journal_depth = Some(u64::MAX);
            slice.cache_hit_share = Some(f64::NAN);
        }
        service.settled_after_s = Some(f64::INFINITY);
        let check = service.check.as_mut().unwrap();
        check.acknowledged = u64::MAX;
        service.processes[0].cpu_s = f64::NAN;
        service.processes[0].memory_bytes_max = u64::MAX;
    }
    report.machine.memory_bytes = u64::MAX;
    report
}

/// That lost something, with names from outside that want to be more than text.
pub(crate) fn broken() -> Report {
    let hostile =
        "</style></title><script>alert(1)</script><img src=x onerror=alert(2)>\" 'x' \u{1b}[31m";
    let mut report = steady();
    report.command = format!("compare --write-through {hostile}");
    report.parts = hostile.to_owned();
    report.version = hostile.to_owned();
    report.machine.system = hostile.to_owned();
    report.machine.processor_model = Some(hostile.to_owned());
    report.warnings = vec![hostile.to_owned()];
    for service in &mut report.services {
        service.url = format!("http://{hostile}");
        service.fault = Some(FaultSpan {
            what: hostile.to_owned(),
            from_s: 2.0,
            until_s: 3.0,
        });
        service.errors = vec![ErrorCount {
            kind: hostile.to_owned(),
            count: 3,
        }];
    }
    let check = report.services[1].check.as_mut().unwrap();
    check.lost = 3;
    check.stale_reads = 1;
    check.examples = vec![
        hostile.to_owned(),
        "user-17: version 41 is missing".to_owned(),
    ];
    report
}
