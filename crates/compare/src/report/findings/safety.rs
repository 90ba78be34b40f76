//! Whether everything acknowledged is there.

use crate::report::figure::count;
use crate::report::{Check, ServiceReport};

/// What was lost or stale.
pub(super) fn broken(services: &[ServiceReport]) -> Vec<String> {
    let mut sentences = Vec::new();
    for (name, check) in checks(services) {
        if check.lost > 0 {
            sentences.push(format!(
                "{name} LOST DATA: the newest acknowledged write of {} was not there afterwards, \
                 of {} that were {}.",
                names(check.lost),
                count(check.names),
                how(check)
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

/// That nothing was.
pub(super) fn kept(services: &[ServiceReport]) -> Option<String> {
    let checks: Vec<(&str, &Check)> = checks(services).collect();
    let (_, first) = checks.first()?;
    if checks.iter().any(|(_, check)| check.lost > 0) {
        return None;
    }
    let what = |check: &Check| format!("{} of {}", writes(check.acknowledged), names(check.names));
    let what = match checks.as_slice() {
        [(name, check)] => format!("{} with {name}", what(check)),
        [(_, one), (_, other)] if one == other => format!("with each, {}", what(one)),
        checks => {
            let each = checks
                .iter()
                .map(|(name, check)| format!("{} with {name}", what(check)));
            each.collect::<Vec<_>>().join(" and ")
        }
    };
    Some(format!(
        "Nothing acknowledged was lost: {what} were {}.",
        how(first)
    ))
}

fn checks(services: &[ServiceReport]) -> impl Iterator<Item = (&'static str, &Check)> {
    let check = |service: &'_ ServiceReport| service.pattern.name();
    services
        .iter()
        .filter_map(move |service| Some((check(service), service.check.as_ref()?)))
}

fn how(check: &Check) -> &'static str {
    match check.asked {
        "database" => "checked in the database itself",
        _ => "asked for from the service, since the database could not be asked",
    }
}

fn names(names: u64) -> String {
    match names {
        1 => "1 name".to_owned(),
        many => format!("{} names", count(many)),
    }
}

fn writes(writes: u64) -> String {
    match writes {
        1 => "1 write".to_owned(),
        many => format!("{} writes", count(many)),
    }
}
