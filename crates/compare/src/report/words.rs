//! A workload in words.

use super::Report;
use super::figure::{self, percent};
use crate::workload::{FaultKind, Rate, Skew, Workload};

/// What an outage is for SQLite, which has no network to cut.
const NOT_WRITABLE: &str = "database not writable";

/// What was asked of each service, in whole sentences.
pub(super) fn workload(report: &Report) -> String {
    let workload = &report.workload;
    let mut sentences = vec![rate(workload), mix(workload)];
    if let Some(bursts) = &workload.bursts {
        sentences.push(format!(
            "In the last {} of every {} the rate was {} times as high.",
            percent(bursts.share),
            figure::seconds(bursts.period.as_secs_f64()),
            figure::trimmed(bursts.factor),
        ));
    }
    if let Some(fault) = &workload.fault {
        let from = figure::moment(fault.from.as_secs_f64());
        let until = figure::moment(fault.until.as_secs_f64());
        let what = disturbed(report, fault.kind);
        sentences.push(format!("From {from} to {until} the database {what}."));
    }
    sentences.push(format!(
        "Both services were sent the same sequence, made from the seed {}.",
        workload.seed
    ));
    sentences.join(" ")
}

/// What became of the database; what should have, where that was not done.
fn disturbed(report: &Report, kind: FaultKind) -> String {
    let done = report
        .services
        .iter()
        .find_map(|service| service.fault.as_ref());
    match (kind, done) {
        (FaultKind::Outage, Some(done)) if done.what == NOT_WRITABLE => {
            "could not be written".to_owned()
        }
        (FaultKind::Outage, Some(_)) => "could not be reached".to_owned(),
        (FaultKind::Outage, None) => "was to be out of order".to_owned(),
        (FaultKind::SlowDown { delay }, done) => {
            let was = if done.is_some() { "was" } else { "was to be" };
            format!("{was} {} slower", figure::seconds(delay.as_secs_f64()))
        }
    }
}

/// The same in half a line: `2,000 requests a second for 20 s, 50 % reads`.
pub(super) fn in_short(workload: &Workload) -> String {
    let rate = match workload.rate {
        Rate::Saturation => "as many requests as it answers".to_owned(),
        Rate::PerSecond(rate) => format!("{} requests a second", figure::whole(rate)),
    };
    let duration = figure::seconds(workload.duration.as_secs_f64());
    let reads = percent(workload.reads);
    let short = format!("{rate} for {duration}, {reads} reads");
    match workload.preset {
        Some(preset) => format!("{preset}: {short}"),
        None => short,
    }
}

fn rate(workload: &Workload) -> String {
    let duration = figure::seconds(workload.duration.as_secs_f64());
    let connections = match workload.connections {
        1 => "one connection".to_owned(),
        many => format!("{} connections", figure::count(many as u64)),
    };
    match workload.rate {
        Rate::Saturation => format!(
            "For {duration}, each of {connections} sent its next request as soon as the one before \
             was answered."
        ),
        Rate::PerSecond(rate) => format!(
            "For {duration}, {} requests a second were sent over {connections}, whether or not those \
             before were answered; latency counts from when a request was due.",
            figure::whole(rate)
        ),
    }
}

fn mix(workload: &Workload) -> String {
    let writes = (1.0 - workload.reads - workload.deletes).max(0.0);
    let kinds = [
        (writes, "wrote"),
        (workload.reads, "read"),
        (workload.deletes, "deleted"),
    ];
    let kinds: Vec<String> = kinds
        .iter()
        .filter(|(share, _)| *share > 0.0005)
        .map(|(share, what)| format!("{} {what}", percent(*share)))
        .collect();
    let skew = match workload.skew {
        Skew::Uniform => "each as often as any other".to_owned(),
        Skew::Zipf(exponent) => format!(
            "the kth most popular in proportion to 1/k^{}",
            figure::two_digits(exponent)
        ),
    };
    format!(
        "Of the requests {}, of {} names, {skew}; a written value had {} characters.",
        kinds.join(", "),
        figure::count(u64::from(workload.names)),
        figure::count(workload.value_chars as u64),
    )
}
