//! What follows from a service's figures.

use super::{FaultSpan, Latency, OperationReport, ServiceReport, Slice};

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

    /// The share of what was sent that failed, 0 to 1.
    pub(super) fn failed_share(&self) -> f64 {
        failed_share(self.succeeded(), self.failed())
    }

    /// The share of what was due that was never sent, 0 to 1.
    pub(super) fn unsent_share(&self) -> f64 {
        match self.due.max(self.unsent) {
            0 => 0.0,
            due => self.unsent as f64 / due as f64,
        }
    }

    /// Whether writes may still have been in the journal when the figures were taken, so that
    /// what the database was asked by then is not all, and the latest commits are missing.
    pub(super) fn is_unsettled(&self) -> bool {
        self.journal.is_some() && self.settled_after_s.is_none()
    }

    /// So many of something for each acknowledged write of the workload; `None` without any, and
    /// where the database did not have them all.
    pub(super) fn per_write(&self, amount: u64) -> Option<f64> {
        let known = self.acknowledged > 0 && !self.is_unsettled();
        known.then(|| amount as f64 / self.acknowledged as f64)
    }

    /// Rows for each acknowledged write.
    pub(super) fn rows_per_write(&self) -> Option<f64> {
        self.per_write(self.database.as_ref()?.rows)
    }

    /// How long after the answer a write was committed; `None` where those that took longest are
    /// not known.
    pub(super) fn lag(&self) -> Option<&Latency> {
        let lag = self.commit_lag.as_ref().and_then(measured)?;
        (!self.is_unsettled()).then_some(lag)
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

/// The share of these that failed, 0 to 1.
pub(super) fn failed_share(succeeded: u64, failed: u64) -> f64 {
    match succeeded.saturating_add(failed) {
        0 => 0.0,
        sent => failed as f64 / sent as f64,
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
