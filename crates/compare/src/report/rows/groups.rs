//! Which figures are shown, and in which order.

use super::super::quantile::{self, Quantile, Sampled};
use super::super::totals::{self, finite};
use super::super::{Check, ProcessUse, ServiceReport, figure};
use super::{Better, Group, Row, clearly_better, figures, words};

const OF_LAG: [Quantile; 3] = [quantile::P50, quantile::P99, quantile::LONGEST];

const OF_FAILURES: [Quantile; 2] = [quantile::P50, quantile::LONGEST];

/// Every group, also those of which nothing is known.
pub(super) fn all(services: &[ServiceReport]) -> Vec<Group> {
    let mut groups = vec![requests(services)];
    groups.push(latency(
        "Latency, all (ms)",
        services,
        &quantile::ALL,
        Better::Less,
        Sampled::all,
    ));
    let mixed = services.iter().any(|service| service.operations.len() > 1);
    for (operation, title) in [
        ("write", "Latency of writes (ms)"),
        ("read", "Latency of reads (ms)"),
    ] {
        // With one operation these would be the figures of all once more.
        if mixed {
            let of = |service: &ServiceReport| Sampled::operation(service, operation);
            groups.push(latency(title, services, &quantile::ALL, Better::Less, of));
        }
    }
    groups.push(latency(
        "Latency of failures (ms)",
        services,
        &OF_FAILURES,
        // To fail fast is no merit, nor to fail slowly.
        Better::Neither,
        |service: &ServiceReport| Some(Sampled::whole(service.failed_latency.as_ref()?)),
    ));
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
        amount(
            services,
            "writes acknowledged",
            Better::Neither,
            |service| (service.succeeded() > 0).then_some(service.acknowledged),
        ),
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
    better: Better,
    of: impl Fn(&ServiceReport) -> Option<Sampled>,
) -> Group {
    let row = |quantile: &Quantile| {
        let cell = |service: &ServiceReport| {
            let sampled = of(service)?;
            let value = figure::three_digits(sampled.at(*quantile)?);
            Some(match sampled.is_bound(*quantile) {
                true => format!("≥{value}"),
                false => value,
            })
        };
        let comparable = |service: &ServiceReport| of(service)?.comparable(*quantile);
        Row {
            better: clearly_better(services, better, comparable),
            ..words(services, quantile.label, cell)
        }
    };
    group(title, quantiles.iter().map(row).collect())
}

fn lag(services: &[ServiceReport]) -> Group {
    let mut group = latency(
        "From answer to commit (ms)",
        services,
        &OF_LAG,
        Better::Less,
        |service: &ServiceReport| Some(Sampled::whole(service.lag()?)),
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
    // Whose database does not have everything has asked less of it for that reason.
    let less = match services.iter().any(ServiceReport::is_unsettled) {
        true => Better::Neither,
        false => Better::Less,
    };
    let rows = vec![
        amount(services, "statements", less, |service| {
            Some(service.database.as_ref()?.statements)
        }),
        amount(services, "rows written", less, |service| {
            Some(service.database.as_ref()?.rows)
        }),
        amount(services, "commits", less, |service| {
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
            amount(services, "bypassing the cache", Better::Neither, bypasses),
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
                "acknowledged, also before",
                Better::Neither,
                of(|check| check.acknowledged),
            ),
            amount(
                services,
                "names asked for",
                Better::Neither,
                of(|check| check.names),
            ),
            amount(services, "not fully judged", Better::Neither, |service| {
                let uncertain = service.check.as_ref()?.names_uncertain;
                (uncertain > 0).then_some(uncertain)
            }),
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
