//! Whether everything acknowledged is there.

use crate::report::figure::count;
use crate::report::{Check, ServiceReport};

/// What was lost or stale.
pub(super) fn broken(services: &[ServiceReport]) -> Vec<String> {
    let mut sentences = Vec::new();
    for (name, check) in checks(services) {
        if check.lost > 0 {
            let asked = match is_of_database(check) {
                true => "looked for in the database itself",
                false => "asked for from the service",
            };
            sentences.push(format!(
                "{name} LOST DATA: the newest acknowledged write of {} was not there afterwards, \
                 of {} that were {asked}.",
                names(check.lost),
                count(check.names),
            ));
        }
    }
    for (name, check) in checks(services) {
        if check.stale_reads > 0 {
            let reads = match check.stale_reads {
                1 => "1 READ WAS STALE: it was".to_owned(),
                many => format!("{} READS WERE STALE: they were", count(many)),
            };
            sentences.push(format!(
                "With {name} {reads} answered with something older than what had been acknowledged, \
                 or read, before."
            ));
        }
    }
    sentences
}

/// That a database did not have everything in time, after which nothing can be said of how long
/// it takes.
pub(super) fn unsettled(services: &[ServiceReport]) -> Vec<String> {
    let sentence = |service: &ServiceReport| {
        let waited = match service.journal.map_or(0, |journal| journal.depth) {
            0 => String::new(),
            1 => "; at most 1 write waited in the journal".to_owned(),
            many => format!("; up to {} writes waited in the journal", count(many)),
        };
        format!(
            "{} did not report within two minutes after the last request that the database had \
             everything{waited}.",
            service.pattern.name()
        )
    };
    let unsettled = services.iter().filter(|service| service.is_unsettled());
    unsettled.map(sentence).collect()
}

/// That nothing was.
pub(super) fn kept(services: &[ServiceReport]) -> Vec<String> {
    let checks: Vec<(&str, &Check)> = checks(services).collect();
    if checks.iter().any(|(_, check)| check.lost > 0) {
        return Vec::new();
    }
    match checks.as_slice() {
        [(_, one), (_, other)] if one == other => {
            let intro = if is_empty(one) { "" } else { "with each, " };
            vec![kept_by(one, "", intro)]
        }
        checks => {
            let each = checks.iter();
            each.map(|(name, check)| kept_by(check, &format!(" with {name}"), ""))
                .collect()
        }
    }
}

fn is_empty(check: &Check) -> bool {
    check.names == 0 || check.acknowledged == 0
}

fn kept_by(check: &Check, with: &str, intro: &str) -> String {
    if is_empty(check) {
        return format!("There was nothing to check{with}: no write was acknowledged.");
    }
    let place = match is_of_database(check) {
        true => "in the database",
        false => "when the service was asked",
    };
    let uncertain = match check.names_uncertain {
        0 => String::new(),
        many => format!(
            "; {} could not be judged fully, since the outcome of a delete is unknown",
            names(many)
        ),
    };
    format!(
        "Nothing acknowledged was lost{with}: {intro}of {}, written and deleted {}, each had its \
         newest acknowledged write, or what may have replaced it, {place}{uncertain}.",
        names(check.names),
        times(check.acknowledged)
    )
}

fn checks(services: &[ServiceReport]) -> impl Iterator<Item = (&'static str, &Check)> {
    let check = |service: &'_ ServiceReport| service.pattern.name();
    services
        .iter()
        .filter_map(move |service| Some((check(service), service.check.as_ref()?)))
}

fn is_of_database(check: &Check) -> bool {
    check.asked == "database"
}

fn names(names: u64) -> String {
    match names {
        1 => "1 name".to_owned(),
        many => format!("{} names", count(many)),
    }
}

fn times(times: u64) -> String {
    match times {
        1 => "once".to_owned(),
        many => format!("{} times", count(many)),
    }
}
