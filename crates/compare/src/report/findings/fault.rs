//! What became of the requests while the database was disturbed.

use crate::report::figure::{count, milliseconds, moment};
use crate::report::totals::finite;
use crate::report::{FaultSpan, ServiceReport};

/// What became of one service's requests meanwhile.
struct Meanwhile {
    name: &'static str,
    answered: u64,
    failed: u64,
    /// Whether a slice of the time began or ended within the fault, so that how many of its
    /// requests were within is not known exactly.
    exact: bool,
    longest_ms: Option<f64>,
}

pub(super) fn sentences(services: &[ServiceReport]) -> Vec<String> {
    let faulty = |service: &'_ ServiceReport| Some((meanwhile(service)?, service.fault.clone()?));
    let mut faulty: Vec<(Meanwhile, FaultSpan)> = services.iter().filter_map(faulty).collect();
    faulty.sort_by(|(one, _), (other, _)| one.failed_share().total_cmp(&other.failed_share()));
    let Some((_, fault)) = faulty.first() else {
        return Vec::new();
    };
    let what = match fault.what.strip_prefix("database ") {
        Some(what) => format!("the database was {what}"),
        None => format!("there was a fault ({})", fault.what),
    };
    let (from, until) = (moment(fault.from_s), moment(fault.until_s));
    let each: Vec<String> = faulty
        .iter()
        .map(|(meanwhile, _)| meanwhile.words())
        .collect();
    let mut sentences = vec![format!(
        "Between {from} and {until} {what}: {}.",
        each.join("; ")
    )];

    let longest: Vec<(f64, &str)> = faulty
        .iter()
        .filter_map(|(meanwhile, _)| Some((meanwhile.longest_ms?, meanwhile.name)))
        .collect();
    if let [(first_ms, first), (second_ms, second)] = longest.as_slice() {
        sentences.push(format!(
            "The longest that an answer took meanwhile: {} with {first}, {} with {second}.",
            milliseconds(*first_ms),
            milliseconds(*second_ms)
        ));
    }
    sentences
}

/// `None` where nothing was measured meanwhile.
fn meanwhile(service: &ServiceReport) -> Option<Meanwhile> {
    let slices = service.slices_within(service.fault.as_ref()?);
    if slices.is_empty() {
        return None;
    }
    let (mut answered, mut failed, mut exact) = (0.0, 0.0, true);
    let mut longest_ms: Option<f64> = None;
    for (slice, overlap_s) in slices {
        answered += slice.per_second * overlap_s;
        failed += slice.failed_per_second * overlap_s;
        exact &= overlap_s >= slice.seconds * 0.999;
        longest_ms = match (longest_ms, slice.max_ms.and_then(finite)) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
    }
    // Where some failed, not all were answered.
    let least = if failed > 0.0 { 1.0 } else { 0.0 };
    Some(Meanwhile {
        name: service.pattern.name(),
        answered: answered.round() as u64,
        failed: failed.round().max(least) as u64,
        exact,
        longest_ms,
    })
}

impl Meanwhile {
    fn total(&self) -> u64 {
        self.answered.saturating_add(self.failed)
    }

    fn failed_share(&self) -> f64 {
        match self.total() {
            0 => 1.0,
            total => self.failed as f64 / total as f64,
        }
    }

    fn words(&self) -> String {
        let name = self.name;
        let total = self.amount(self.total());
        match (self.answered, self.failed) {
            (0, 0) => format!("{name} answered nothing meanwhile"),
            (1, 0) => format!("{name} answered the one request meanwhile"),
            (_, 0) if self.exact => format!("{name} answered all {total} requests meanwhile"),
            (_, 0) => format!("{name} answered all of {total} requests meanwhile"),
            (0, _) if self.exact => format!("{name} failed all {total}"),
            (0, _) => format!("{name} failed all of {total}"),
            (_, failed) => format!("{name} failed {} of {total}", self.amount(failed)),
        }
    }

    /// With no more digits than are known.
    fn amount(&self, amount: u64) -> String {
        if self.exact || amount < 10 {
            return count(amount);
        }
        let unit = 10_u64.pow(amount.ilog10().saturating_sub(1));
        let rounded = amount.saturating_add(unit / 2) / unit * unit;
        format!("about {}", count(rounded))
    }
}
