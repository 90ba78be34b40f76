//! What follows from a service's figures.

use super::{FaultSpan, Latency, OperationReport, ServiceReport, Slice};
use crate::pattern::Pattern;

/// The process that is the tool itself, and no part of what is compared.
pub(super) const TOOL: &str = "compare";

impl ServiceReport {
    /// Requests that were answered as they should be.
    pub(super) fn succeeded(&self) -> u64 {
        sum(self.operations.iter().map(|operation| operation.succeeded))
    }

    /// Requests that failed.
    pub(super) fn failed(&self) -> u64 {
        let by_operation = sum(self.operations.iter().map(|operation| operation.failed));
        let by_kind = sum(self.errors.iter().map(|error| error.count));
        by_operation.max(by_kind)
    }

    /// What became of an operation's requests, if there were any.
    pub(super) fn operation(&self, operation: &str) -> Option<&OperationReport> {
        let mut operations = self.operations.iter();
        operations.find(|report| report.operation == operation)
    }

    /// Writes and deletes that were answered with success.
    pub(super) fn acknowledged(&self) -> u64 {
        match &self.check {
            Some(check) => check.acknowledged,
            None => sum(["write", "delete"].map(|operation| {
                let report = self.operation(operation);
                report.map_or(0, |report| report.succeeded)
            })),
        }
    }

    /// So many of something for each acknowledged write; `None` without any.
    pub(super) fn per_write(&self, amount: u64) -> Option<f64> {
        let writes = self.acknowledged();
        (writes > 0).then(|| amount as f64 / writes as f64)
    }

    /// Rows for each acknowledged write.
    pub(super) fn rows_per_write(&self) -> Option<f64> {
        finite(self.database.as_ref()?.rows_per_write?)
    }

    /// How long after the answer a write was committed. With write-through that is known also
    /// where nothing was counted.
    pub(super) fn lag(&self) -> Option<&Latency> {
        let lag = self.commit_lag.as_ref()?;
        (lag.count > 0 || self.pattern == Pattern::WriteThrough).then_some(lag)
    }

    /// The share of reads that the cache answered, 0 to 1; `None` without reads.
    pub(super) fn cache_hit_share(&self) -> Option<f64> {
        let reads = sum([self.cache.hits, self.cache.misses, self.cache.bypasses]);
        (reads > 0).then(|| self.cache.hits as f64 / reads as f64)
    }

    /// Processor time for each successful answer, in microseconds, of all processes but the
    /// tool itself; `None` where nothing was answered or measured.
    pub(super) fn cpu_us_per_request(&self) -> Option<f64> {
        let own = self.processes.iter().filter(|used| used.process != TOOL);
        let cpu_s: Vec<f64> = own.map(|used| used.cpu_s).collect();
        if cpu_s.is_empty() {
            return None;
        }
        self.us_per_request(cpu_s.iter().sum())
    }

    /// So many seconds, for each successful answer, in microseconds.
    pub(super) fn us_per_request(&self, cpu_s: f64) -> Option<f64> {
        let answered = self.succeeded();
        if answered == 0 {
            return None;
        }
        finite(cpu_s * 1e6 / answered as f64)
    }

    /// The slices in which the fault was, each with how many seconds of it.
    pub(super) fn slices_within(&self, fault: &FaultSpan) -> Vec<(&Slice, f64)> {
        let within = |slice: &Slice| {
            let until_s = (slice.at_s + slice.seconds).min(fault.until_s);
            until_s - slice.at_s.max(fault.from_s)
        };
        let slices = self.timeline.iter().map(|slice| (slice, within(slice)));
        slices.filter(|(_, overlap_s)| *overlap_s > 0.0).collect()
    }
}

/// The latency, if anything was measured.
pub(super) fn measured(latency: &Latency) -> Option<&Latency> {
    (latency.count > 0).then_some(latency)
}

/// The figure, if it is one and not below zero.
pub(super) fn finite(value: f64) -> Option<f64> {
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// A sum that ends at the largest figure there is.
pub(super) fn sum(figures: impl IntoIterator<Item = u64>) -> u64 {
    figures.into_iter().fold(0, u64::saturating_add)
}
