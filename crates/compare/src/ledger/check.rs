//! Whether what is there in the end is what must be.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::name::Name;
use super::{EXAMPLES_MAX, Ledger, locked};

/// The record that a name has in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Final {
    /// Its version, where that can be seen.
    pub version: Option<u64>,
    /// The request that wrote it; `None` if its value is of no request of this workload.
    pub writer: Option<u64>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Writes and deletes that were acknowledged.
    pub acknowledged: u64,
    /// Names that were looked at.
    pub names: u64,
    /// Those of them that had a delete whose outcome is unknown: no record is no loss there.
    pub names_uncertain: u64,
    /// Names of which the newest acknowledged write is not there, nor anything that may have
    /// replaced it.
    pub lost: u64,
    /// Requests that were answered with something older than what had been acknowledged, or
    /// read, before they began.
    pub stale_reads: u64,
    /// Of each a few, in words.
    pub examples: Vec<String>,
}

impl Ledger {
    /// Compares what is there in the end, by name, with what must be. No request may be
    /// under way.
    pub fn check(&self, mut last: impl FnMut(u32) -> Option<Final>) -> Findings {
        let mut findings = Findings {
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            ..Findings::default()
        };
        for stripe in &self.stripes {
            for (number, name) in &*locked(stripe) {
                findings.names += 1;
                findings.names_uncertain += u64::from(name.unsettled_deletes > 0);
                let Some(wrong) = name.wrong_end(last(*number)) else {
                    continue;
                };
                findings.lost += 1;
                if findings.examples.len() < EXAMPLES_MAX {
                    findings.examples.push(format!("name {number}: {wrong}"));
                }
            }
        }
        let stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        findings.stale_reads = stale.count;
        findings.examples.extend(stale.examples.iter().cloned());
        findings
    }
}

impl Name {
    fn wrong_end(&self, last: Option<Final>) -> Option<String> {
        let newest = self.newest.map_or(0, |newest| newest.version);
        let must = self.newest.and_then(|newest| newest.writer);
        let Some(last) = last else {
            let was_seen = must.is_some() || self.seen > newest;
            return (was_seen && self.unsettled_deletes == 0).then(|| {
                format!(
                    "version {} was acknowledged or read, and there is no record",
                    self.seen
                )
            });
        };
        if last.version.is_some_and(|version| version < self.seen) {
            return Some(format!(
                "version {} was acknowledged or read, and the record has version {}",
                self.seen,
                last.version.unwrap_or_default()
            ));
        }
        let may_be = last
            .writer
            .is_some_and(|writer| must == Some(writer) || self.unsettled_writes.contains(&writer));
        (!may_be).then(|| match (must, last.writer) {
            (Some(must), Some(writer)) => format!(
                "request {must} was acknowledged last, and the record is of request {writer}"
            ),
            (None, Some(writer)) => {
                format!("it was deleted last, and the record is of request {writer}")
            }
            (_, None) => "the record is of no request of this workload".to_owned(),
        })
    }
}
