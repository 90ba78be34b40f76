//! Which figures are shown, and in which order.

use super::super::totals::{self, finite};
use super::super::{Check, Latency, ProcessUse, ServiceReport, figure};
use super::{Better, Group, Row, figures, words};

/// A part of a latency, and what it is called.
type Quantile = (&'static str, fn(&Latency) -> f64);

const QUANTILES: [Quantile; 6] = [
    ("p50", |latency| latency.p50_ms),
    ("p90", |latency| latency.p90_ms),
    ("p99", |latency| latency.p99_ms),
    ("p99.9", |latency| latency.p999_ms),
    ("p99.99", |latency| latency.p9999_ms),
    ("longest", |latency| latency.max_ms),
];

const QUANTILES_OF_LAG: [Quantile; 3] = [
    ("p50", |latency| latency.p50_ms),
    ("p99", |latency| latency.p99_ms),
    ("longest", |latency| latency.max_ms),
];

/// Every group, also those of which nothing is known.
pub(super) fn all(services: &[ServiceReport]) -> Vec<Group> {
    let mut groups = vec![requests(services)];
    groups.push(latency(
        "Latency, all (ms)",
        services,
        &QUANTILES,
        |service| totals::measured(&service.latency),
    ));
    let mixed = services.iter().any(|service| service.operations.len() > 1);
    for (operation, title) in [
        ("write", "Latency of writes (ms)"),
        ("read", "Latency of reads (ms)"),
    ] {
        // With one operation these would be the figures of all once more.
        if mixed {
            groups.push(latency(title, services, &QUANTILES, |service| {
                totals::measured(&service.operation(operation)?.latency)
            }));
        }
    }
    groups.push(lag(services));
    groups.push(database(services));
    groups.push(reads(services));
    groups.push(journal(services));
    groups.push(errors(services));
    groups.push(processes(services));
    groups.push(check(services));
    groups
}

fn group(title: impl Into<String>, rows: Vec<Row>) -> Group {
    Group {
        title: title.into(),
        rows,
    }
}

fn requests(services: &[ServiceReport]) -> Group {
    let mut rows = vec![
        figures(
            services,
            "answered a second",
            Better::More,
            |service| finite(service.per_second),
            figure::whole,
        ),
        amount(services, "answered", Better::Neither, |service| {
            Some(service.succeeded())
        }),
        amount(services, "failed", Better::Less, |service| {
            Some(service.failed())
        }),
    ];
    if services.iter().any(|service| service.unsent > 0) {
        rows.push(amount(services, "never sent", Better::Less, |service| {
            Some(service.unsent)
        }));
    }
    group("Requests", rows)
}

fn latency(
    title: &str,
    services: &[ServiceReport],
    quantiles: &[Quantile],
    of: impl Fn(&ServiceReport) -> Option<&Latency>,
) -> Group {
    let row = |(label, quantile): &Quantile| {
        let value = |service: &ServiceReport| finite(quantile(of(service)?));
        figures(services, *label, Better::Less, value, figure::three_digits)
    };
    group(title, quantiles.iter().map(row).collect())
}

fn lag(services: &[ServiceReport]) -> Group {
    let mut group = latency(
        "From answer to commit (ms)",
        services,
        &QUANTILES_OF_LAG,
        ServiceReport::lag,
    );
    group.rows.push(figures(
        services,
        "all there, after the last (s)",
        Better::Less,
        |service| finite(service.settled_after_s?),
        figure::three_digits,
    ));
    group
}

fn database(services: &[ServiceReport]) -> Group {
    let mut counted_by: Vec<&str> = services
        .iter()
        .filter_map(|service| Some(service.database.as_ref()?.counted_by))
        .collect();
    counted_by.dedup();
    let rows = vec![
        amount(services, "statements", Better::Less, |service| {
            Some(service.database.as_ref()?.statements)
        }),
        amount(services, "rows written", Better::Less, |service| {
            Some(service.database.as_ref()?.rows)
        }),
        amount(services, "commits", Better::Less, |service| {
            Some(service.database.as_ref()?.commits)
        }),
        figures(
            services,
            "rows a write",
            Better::Less,
            ServiceReport::rows_per_write,
            figure::three_digits,
        ),
    ];
    match counted_by.is_empty() {
        true => group("Database", rows),
        false => group(
            format!("Database, counted by {}", counted_by.join(" and ")),
            rows,
        ),
    }
}

fn reads(services: &[ServiceReport]) -> Group {
    let of_reads = |count: fn(&ServiceReport) -> u64| {
        move |service: &ServiceReport| service.cache_hit_share().map(|_| count(service))
    };
    let hits = of_reads(|service| service.cache.hits);
    let misses = of_reads(|service| service.cache.misses);
    let bypasses = of_reads(|service| service.cache.bypasses);
    group(
        "Reads",
        vec![
            amount(services, "from the cache", Better::Neither, hits),
            amount(services, "from the database", Better::Neither, misses),
            amount(services, "past the cache", Better::Neither, bypasses),
            figures(
                services,
                "share from the cache",
                Better::More,
                ServiceReport::cache_hit_share,
                figure::percent,
            ),
        ],
    )
}

fn journal(services: &[ServiceReport]) -> Group {
    let depth = |service: &ServiceReport| Some(service.journal?.depth);
    group(
        "Journal, at most",
        vec![
            amount(services, "entries waiting", Better::Neither, depth),
            figures(
                services,
                "age of the oldest (s)",
                Better::Neither,
                |service| finite(service.journal?.age_s),
                figure::three_digits,
            ),
        ],
    )
}

fn errors(services: &[ServiceReport]) -> Group {
    let mut kinds: Vec<&str> = Vec::new();
    for error in services.iter().flat_map(|service| &service.errors) {
        if !kinds.contains(&error.kind.as_str()) {
            kinds.push(&error.kind);
        }
    }
    let row = |kind: &&str| {
        amount(services, *kind, Better::Less, |service| {
            let same = service.errors.iter().filter(|error| error.kind == *kind);
            Some(totals::sum(same.map(|error| error.count)))
        })
    };
    group("Failed requests, by kind", kinds.iter().map(row).collect())
}

fn processes(services: &[ServiceReport]) -> Group {
    let mut names: Vec<&'static str> = Vec::new();
    for used in services.iter().flat_map(|service| &service.processes) {
        if !names.contains(&used.process) {
            names.push(used.process);
        }
    }
    let of = |service: &ServiceReport, name: &str| -> Option<ProcessUse> {
        let mut processes = service.processes.iter();
        processes.find(|used| used.process == name).cloned()
    };
    let mut rows = Vec::new();
    for name in names {
        // What the tool itself used is no merit of a service.
        let better = match name {
            totals::TOOL => Better::Neither,
            _ => Better::Less,
        };
        rows.push(figures(
            services,
            format!("{name}: CPU (s)"),
            Better::Neither,
            |service| finite(of(service, name)?.cpu_s),
            figure::three_digits,
        ));
        rows.push(figures(
            services,
            format!("{name}: CPU (µs/request)"),
            better,
            |service| service.us_per_request(of(service, name)?.cpu_s),
            figure::three_digits,
        ));
        rows.push(figures(
            services,
            format!("{name}: memory (MiB)"),
            better,
            |service| Some(of(service, name)?.memory_bytes_max as f64 / f64::from(1 << 20)),
            figure::three_digits,
        ));
    }
    group("Processes", rows)
}

fn check(services: &[ServiceReport]) -> Group {
    let of =
        |count: fn(&Check) -> u64| move |service: &ServiceReport| service.check.as_ref().map(count);
    group(
        "Checked afterwards",
        vec![
            amount(
                services,
                "acknowledged",
                Better::Neither,
                of(|check| check.acknowledged),
            ),
            amount(
                services,
                "names asked for",
                Better::Neither,
                of(|check| check.names),
            ),
            words(services, "asked", |service| {
                Some(format!("the {}", service.check.as_ref()?.asked))
            }),
            amount(services, "lost", Better::Less, of(|check| check.lost)),
            amount(
                services,
                "stale reads",
                Better::Less,
                of(|check| check.stale_reads),
            ),
        ],
    )
}

fn amount(
    services: &[ServiceReport],
    label: impl Into<String>,
    better: Better,
    count: impl Fn(&ServiceReport) -> Option<u64>,
) -> Row {
    // Up to 2^53, which no count of requests reaches, a floating-point number is exact.
    let value = |service: &ServiceReport| count(service).map(|count| count as f64);
    figures(services, label, better, value, figure::whole)
}
