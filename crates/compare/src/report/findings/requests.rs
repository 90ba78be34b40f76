//! How many requests were answered, how fast, and how many were not.

use super::{both, times};
use crate::report::figure::{Comparison, compare, count, milliseconds, percent, whole};
use crate::report::totals::measured;
use crate::report::{Latency, ServiceReport, figure, totals};

/// Who was faster: first of what differs.
pub(super) fn speed(services: &[ServiceReport]) -> Vec<String> {
    if let [service] = services {
        return alone(service).into_iter().collect();
    }
    let Some((first, second)) = both(services) else {
        return Vec::new();
    };
    let mut sentences = vec![throughput(first, second)];
    let all = |service: &ServiceReport| measured(&service.latency).copied();
    sentences.push(latency(
        first,
        second,
        "",
        "at the 99th percentile",
        all,
        |all| all.p99_ms,
    ));
    sentences.push(latency(first, second, "", "at the median", all, |all| {
        all.p50_ms
    }));
    // Each operation where there are several, since they differ more than all together show.
    for (operation, intro) in [("write", "Writes alone: "), ("read", "Reads alone: ")] {
        if first.operations.len() > 1 && second.operations.len() > 1 {
            let of =
                |service: &ServiceReport| measured(&service.operation(operation)?.latency).copied();
            let p99 = |latency: &Latency| latency.p99_ms;
            sentences.push(latency(
                first,
                second,
                intro,
                "at the 99th percentile",
                of,
                p99,
            ));
        }
    }
    let mut sentences: Vec<Sentence> = sentences.into_iter().flatten().collect();
    sentences.sort_by_key(|sentence| sentence.same);
    sentences
        .into_iter()
        .map(|sentence| sentence.text)
        .collect()
}

struct Sentence {
    /// That there is no difference worth the name.
    same: bool,
    text: String,
}

fn throughput(first: &ServiceReport, second: &ServiceReport) -> Option<Sentence> {
    let (more, ratio, less) = match compare(first.per_second, second.per_second)? {
        Comparison::Same => {
            let (first, second) = (whole(first.per_second), whole(second.per_second));
            return Some(Sentence {
                same: true,
                text: match first == second {
                    true => format!("Both answered {first} requests a second."),
                    false => format!(
                        "Both answered about as many requests a second ({first} and {second})."
                    ),
                },
            });
        }
        Comparison::First(ratio) => (first, ratio, second),
        Comparison::Second(ratio) => (second, ratio, first),
    };
    Some(Sentence {
        same: false,
        text: format!(
            "{} answered {} as many requests a second ({} against {}).",
            more.pattern.name(),
            times(ratio),
            whole(more.per_second),
            whole(less.per_second)
        ),
    })
}

fn latency(
    first: &ServiceReport,
    second: &ServiceReport,
    intro: &str,
    place: &str,
    of: impl Fn(&ServiceReport) -> Option<Latency>,
    part: fn(&Latency) -> f64,
) -> Option<Sentence> {
    let (first_ms, second_ms) = (part(&of(first)?), part(&of(second)?));
    let (faster, ratio, less_ms, more_ms) = match compare(first_ms, second_ms)? {
        Comparison::Same => {
            let both = if intro.is_empty() { "Both" } else { "both" };
            let (first, second) = (milliseconds(first_ms), milliseconds(second_ms));
            return Some(Sentence {
                same: true,
                text: match first == second {
                    true => format!("{intro}{both} answered equally fast {place} ({first})."),
                    false => {
                        format!(
                            "{intro}{both} answered about as fast {place} ({first} and {second})."
                        )
                    }
                },
            });
        }
        Comparison::First(ratio) => (second, ratio, second_ms, first_ms),
        Comparison::Second(ratio) => (first, ratio, first_ms, second_ms),
    };
    Some(Sentence {
        same: false,
        text: format!(
            "{intro}{} answered {} as fast {place} ({} against {}{}).",
            faster.pattern.name(),
            times(ratio),
            milliseconds(less_ms),
            milliseconds(more_ms),
            failures_counted(faster)
        ),
    })
}

/// Who fails at once is fast, too, which has to be said where it is not rare.
fn failures_counted(faster: &ServiceReport) -> &'static str {
    const RARE: f64 = 0.01;
    let failed = faster.failed() as f64;
    match failed / (failed + faster.succeeded() as f64) > RARE {
        true => ", failed requests among them",
        false => "",
    }
}

/// What one service did that there is no other to compare with.
fn alone(service: &ServiceReport) -> Option<String> {
    totals::finite(service.per_second).filter(|rate| *rate > 0.0)?;
    let mut text = format!(
        "{} answered {} requests a second",
        service.pattern.name(),
        whole(service.per_second)
    );
    if let Some(latency) = measured(&service.latency) {
        text.push_str(&format!(
            ", half of them within {} and 99 % within {}",
            milliseconds(latency.p50_ms),
            milliseconds(latency.p99_ms)
        ));
    }
    text.push('.');
    Some(text)
}

/// What was not answered as it should be, or not even sent.
pub(super) fn failures(services: &[ServiceReport]) -> Vec<String> {
    let mut sentences = Vec::new();
    for service in services.iter().filter(|service| service.failed() > 0) {
        let failed = service.failed();
        let requests = service.succeeded().saturating_add(failed);
        let mut text = format!(
            "{} failed {} of {} requests in all ({})",
            service.pattern.name(),
            count(failed),
            count(requests),
            percent(failed as f64 / requests as f64)
        );
        match service.errors.as_slice() {
            [] => {}
            [only] => text.push_str(&format!(": {}", only.kind)),
            [most, ..] => text.push_str(&format!(
                ", most often: {} ({})",
                most.kind,
                figure::count(most.count)
            )),
        }
        text.push('.');
        sentences.push(text);
    }
    if let Some((first, second)) = both(services) {
        let answered = |service: &ServiceReport| service.failed() == 0 && service.succeeded() > 0;
        if answered(first) && answered(second) {
            sentences.push("Neither failed a request.".to_owned());
        }
    }
    for service in services.iter().filter(|service| service.unsent > 0) {
        sentences.push(format!(
            "{} fell behind: {} of {} requests were never sent, since no connection was free in time.",
            service.pattern.name(),
            count(service.unsent),
            count(service.due.max(service.unsent))
        ));
    }
    sentences
}
