//! What became of the requests while the database was disturbed.

use crate::report::figure::{count, milliseconds, moment};
use crate::report::totals::finite;
use crate::report::{FaultSpan, ServiceReport};

/// For how long after the fault the answers to what had to wait for its end are looked at.
const AFTER_S: f64 = 5.0;

/// What became of one service's requests meanwhile.
struct Meanwhile {
    name: &'static str,
    answered: u64,
    failed: u64,
    /// Requests that should have been sent; `None` without a rate.
    due: Option<u64>,
    /// Whether no slice of the time began or ended within the fault, so that how many of its
    /// requests were within is known exactly.
    exact: bool,
    /// Of what was answered then or soon after.
    longest_ms: Option<f64>,
}

pub(super) fn sentences(services: &[ServiceReport]) -> Vec<String> {
    let faulty = |service: &'_ ServiceReport| Some((meanwhile(service)?, service.fault.clone()?));
    let mut faulty: Vec<(Meanwhile, FaultSpan)> = services.iter().filter_map(faulty).collect();
    faulty.sort_by(|(one, _), (other, _)| other.answered_share().total_cmp(&one.answered_share()));
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
            "Of the answers that came then or in the {AFTER_S} s after, the longest took {} with \
             {first}, {} with {second}.",
            milliseconds(*first_ms),
            milliseconds(*second_ms)
        ));
    }
    sentences
}

/// `None` where nothing was measured meanwhile.
fn meanwhile(service: &ServiceReport) -> Option<Meanwhile> {
    let fault = service.fault.as_ref()?;
    let slices = service.slices_within(fault);
    if slices.is_empty() {
        return None;
    }
    let (mut answered, mut failed, mut exact) = (0.0, 0.0, true);
    let mut due: Option<f64> = None;
    for (slice, overlap_s) in slices {
        answered += finite(slice.per_second).unwrap_or(0.0) * overlap_s;
        failed += finite(slice.failed_per_second).unwrap_or(0.0) * overlap_s;
        if let Some(more) = slice.due_per_second.and_then(finite) {
            due = Some(due.unwrap_or(0.0) + more * overlap_s);
        }
        exact &= overlap_s >= slice.seconds * 0.999;
    }
    let until_then = FaultSpan {
        until_s: fault.until_s + AFTER_S,
        ..fault.clone()
    };
    let slices = service.slices_within(&until_then);
    let longest_ms = slices
        .iter()
        .filter_map(|(slice, _)| slice.max_ms.and_then(finite))
        .reduce(f64::max);
    // Where some failed, not all were answered.
    let least = if failed > 0.0 { 1.0 } else { 0.0 };
    let due = due.map(|due| due.round() as u64);
    // What was answered or failed beyond that was due before.
    let most = due.unwrap_or(u64::MAX);
    let failed = (failed.round().max(least) as u64).min(most);
    let answered = (answered.round() as u64).min(most - failed);
    Some(Meanwhile {
        name: service.pattern.name(),
        answered,
        failed,
        due,
        exact,
        longest_ms,
    })
}

impl Meanwhile {
    /// What was due, or where there is no rate, what came to an end.
    fn total(&self) -> u64 {
        let ended = self.answered.saturating_add(self.failed);
        self.due.unwrap_or(ended)
    }

    fn answered_share(&self) -> f64 {
        match self.total() {
            0 => 0.0,
            total => self.answered as f64 / total as f64,
        }
    }

    fn words(&self) -> String {
        match self.due {
            Some(due) if due > 0 => self.words_of_due(due),
            _ => self.words_of_ended(),
        }
    }

    fn words_of_due(&self, due: u64) -> String {
        const NEARLY_NONE: f64 = 0.02;
        // What is in flight at the end of even a fast service's time.
        const NEARLY_ALL: f64 = 0.99;
        let name = self.name;
        let answered = self.amount(self.answered);
        let of_due = format!("{} requests that were due meanwhile", self.amount(due));
        if self.failed == 0 && self.answered >= due {
            let all = if self.exact { "all" } else { "all of" };
            return format!("{name} answered {all} {of_due}");
        }
        if self.failed == 0 && self.answered_share() >= NEARLY_ALL {
            return format!("{name} answered nearly all of {of_due}");
        }
        let others = self.others(due);
        match self.answered {
            0 => format!("{name} answered none of {of_due} ({others})"),
            _ if self.answered_share() < NEARLY_NONE => {
                format!("{name} answered next to none, {answered} of {of_due} ({others})")
            }
            _ => format!("{name} answered {answered} of {of_due} ({others})"),
        }
    }

    /// What became of those that were not answered.
    fn others(&self, due: u64) -> String {
        let waited = due - self.answered - self.failed;
        let failed = format!("{} failed", self.amount(self.failed));
        let waited_words = format!("{} waited or were never sent", self.amount(waited));
        match (self.failed, waited) {
            (0, _) => waited_words,
            (_, 0) => failed,
            _ => format!("{failed}, {waited_words}"),
        }
    }

    fn words_of_ended(&self) -> String {
        let name = self.name;
        let total = self.amount(self.total());
        match (self.answered, self.failed) {
            (0, 0) => format!("{name} answered nothing meanwhile"),
            (1, 0) => format!("{name} answered the one request that ended meanwhile"),
            (_, 0) if self.exact => {
                format!("{name} answered all {total} requests that ended meanwhile")
            }
            (_, 0) => format!("{name} answered all of {total} requests that ended meanwhile"),
            (0, _) if self.exact => format!("{name} failed all {total} that ended"),
            (0, _) => format!("{name} failed all of {total} that ended"),
            (_, failed) => format!(
                "{name} failed {} of {total} that ended",
                self.amount(failed)
            ),
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
