//! What it cost: the database's work, the time until it has a write, processor time.

use super::{both, times};
use crate::pattern::Pattern;
use crate::report::figure::{
    Comparison, compare, count, milliseconds, seconds, trimmed, two_digits,
};
use crate::report::totals::TOOL;
use crate::report::{DatabaseLoad, ServiceReport};

/// How much of the writes' work came to the database.
pub(super) fn database(services: &[ServiceReport]) -> Vec<String> {
    let rows = |service: &ServiceReport, _: &DatabaseLoad| service.rows_per_write();
    let commits = |service: &ServiceReport, load: &DatabaseLoad| service.per_write(load.commits);
    let rows = amounts(services, rows, |name, rows| {
        format!("{name} brought {rows} rows into the database for each 100 acknowledged writes")
    });
    let commits = amounts(services, commits, |name, commits| {
        format!("{name} committed {commits} transactions for each 100 acknowledged writes")
    });
    [rows, commits].into_iter().flatten().collect()
}

/// What each service asked of the database: the less first.
fn amounts(
    services: &[ServiceReport],
    amount: impl Fn(&ServiceReport, &DatabaseLoad) -> Option<f64>,
    words: impl Fn(&str, &str) -> String,
) -> Option<String> {
    let of = |service: &ServiceReport| {
        let amount = amount(service, service.database.as_ref()?)? * 100.0;
        amount
            .is_finite()
            .then_some((amount, service.pattern.name()))
    };
    let mut known: Vec<(f64, &str)> = services.iter().filter_map(of).collect();
    known.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    match known.as_slice() {
        [(only, name)] => Some(format!("{}.", words(name, &trimmed(*only)))),
        [(less, first), (more, second)] => Some(match compare(*less, *more) {
            Some(Comparison::Same) => {
                let both = words("Both", &format!("about {}", trimmed(*more)));
                format!("{both}.")
            }
            _ => format!(
                "{}, {second} {}.",
                words(first, &trimmed(*less)),
                trimmed(*more)
            ),
        }),
        _ => None,
    }
}

/// How long acknowledged writes were not in the database yet.
pub(super) fn price(services: &[ServiceReport]) -> Vec<String> {
    let mut services = services.iter();
    let Some(service) = services.find(|service| service.pattern == Pattern::WriteBehind) else {
        return Vec::new();
    };
    let name = service.pattern.name();
    let mut parts = Vec::new();
    let lag = service.lag();
    if let Some(lag) = lag.filter(|lag| lag.p50_ms.is_finite() && lag.max_ms.is_finite()) {
        parts.push(format!(
            "a write was in the database {} after its answer (median; at most {})",
            milliseconds(lag.p50_ms),
            milliseconds(lag.max_ms)
        ));
    }
    // Where it was not brought in to the end, that is said, with this, at another place.
    let journal = service.journal.filter(|journal| journal.depth > 0);
    if let Some(journal) = journal.filter(|_| !service.is_unsettled()) {
        parts.push(match journal.depth {
            1 => "at most 1 write waited in the journal".to_owned(),
            many => format!("up to {} writes waited in the journal", count(many)),
        });
    }
    let mut sentences = Vec::new();
    if !parts.is_empty() {
        let parts = parts.join(", and ");
        sentences.push(format!("The price of {name}: {parts}."));
    }
    if let Some(settled_after_s) = service
        .settled_after_s
        .filter(|after_s| after_s.is_finite() && *after_s >= 0.1)
    {
        sentences.push(format!(
            "After the last request {name} needed another {} until the database had everything.",
            seconds(settled_after_s)
        ));
    }
    sentences
}

/// A sentence on which service used more processor time.
pub(super) fn processor_time(services: &[ServiceReport]) -> Option<String> {
    let (first, second) = both(services)?;
    let processes = |service: &ServiceReport| -> Vec<&'static str> {
        let own = service.processes.iter().filter(|used| used.process != TOOL);
        own.map(|used| used.process).collect()
    };
    // What was measured of one only would count against it.
    if processes(first) != processes(second) {
        return None;
    }
    let of_what = match processes(first).as_slice() {
        ["service"] => "of the service",
        _ => "of service and servers together",
    };
    let (first_us, second_us) = (first.cpu_us_per_request()?, second.cpu_us_per_request()?);
    let (more, ratio, more_us, less_us) = match compare(first_us, second_us)? {
        Comparison::Same => {
            let (first, second) = (two_digits(first_us), two_digits(second_us));
            return Some(format!(
                "Both needed about the same processor time a request ({first} µs and {second} µs, {of_what})."
            ));
        }
        Comparison::First(ratio) => (first, ratio, first_us, second_us),
        Comparison::Second(ratio) => (second, ratio, second_us, first_us),
    };
    Some(format!(
        "{} needed {} the processor time a request ({} µs against {} µs, {of_what}).",
        more.pattern.name(),
        times(ratio),
        two_digits(more_us),
        two_digits(less_us)
    ))
}
