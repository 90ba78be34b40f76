//! How many requests were answered, how fast, and how many were not.

use super::{both, times};
use crate::report::figure::{Comparison, compare, count, milliseconds, percent, whole};
use crate::report::quantile::{P50, P99, Sampled};
use crate::report::{ServiceReport, figure, totals};

/// Above this share, failures are no accident.
const RARE: f64 = 0.01;

/// Sentences on which service was faster: the first that applies.
pub(super) fn speed(services: &[ServiceReport]) -> Vec<String> {
    if let [service] = services {
        return alone(service).into_iter().collect();
    }
    let Some((first, second)) = both(services) else {
        return Vec::new();
    };
    let mut sentences = vec![throughput(first, second)];
    for (quantile, place) in [(P99, "at the 99th percentile"), (P50, "at the median")] {
        let of = |service: &ServiceReport| Sampled::all(service)?.comparable(quantile);
        let few_failed = |service: &ServiceReport| remark(service.failed_share());
        sentences.push(latency(first, second, "", place, of, few_failed));
    }
    // Each operation where there are several, since they differ more than all together show.
    for (operation, intro) in [("write", "Writes alone: "), ("read", "Reads alone: ")] {
        if first.operations.len() > 1 && second.operations.len() > 1 {
            let of =
                |service: &ServiceReport| Sampled::operation(service, operation)?.comparable(P99);
            let failed = |service: &ServiceReport| {
                let of_operation = service.operation(operation).and_then(|report| {
                    let share = totals::failed_share(report.succeeded, report.failed);
                    remark_of_these(share)
                });
                of_operation.or_else(|| remark(service.failed_share()))
            };
            sentences.push(latency(
                first,
                second,
                intro,
                "at the 99th percentile",
                of,
                failed,
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
    of: impl Fn(&ServiceReport) -> Option<f64>,
    remark: impl Fn(&ServiceReport) -> Option<String>,
) -> Option<Sentence> {
    let (first_ms, second_ms) = (of(first)?, of(second)?);
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
            "{intro}{} answered {} as fast {place} ({} against {}){}.",
            faster.pattern.name(),
            times(ratio),
            milliseconds(less_ms),
            milliseconds(more_ms),
            remark(faster).unwrap_or_default()
        ),
    })
}

/// A remark on failed requests, where they are not rare: a service that does not answer all
/// is fast more easily.
fn remark(failed_share: f64) -> Option<String> {
    let failed = percent(failed_share);
    (failed_share > RARE)
        .then(|| format!(", but failed {failed} of its requests, which are not counted here"))
}

/// The same of one operation.
fn remark_of_these(failed_share: f64) -> Option<String> {
    let failed = percent(failed_share);
    (failed_share > RARE)
        .then(|| format!(", but failed {failed} of these, which are not counted here"))
}

/// What one service did that there is no other to compare with.
fn alone(service: &ServiceReport) -> Option<String> {
    totals::finite(service.per_second).filter(|rate| *rate > 0.0)?;
    let mut text = format!(
        "{} answered {} requests a second",
        service.pattern.name(),
        whole(service.per_second)
    );
    let sampled = Sampled::all(service);
    let known = |quantile| sampled.and_then(|sampled| sampled.comparable(quantile));
    if let Some(p50_ms) = known(P50) {
        text.push_str(&format!(", half of them within {}", milliseconds(p50_ms)));
        if let Some(p99_ms) = known(P99) {
            text.push_str(&format!(" and 99 % within {}", milliseconds(p99_ms)));
        }
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
        let answered = |service: &ServiceReport| {
            service.failed() == 0 && service.unsent == 0 && service.succeeded() > 0
        };
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
