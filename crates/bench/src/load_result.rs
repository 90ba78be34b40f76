//! How a load was answered.

/// One load, as its client saw it.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Answers of 2xx.
    pub(crate) succeeded: u64,
    /// Other answers.
    pub(crate) failed: u64,
    /// Requests without an answer.
    pub(crate) broken: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    /// Processor time of the client.
    pub(crate) cpu_s: f64,
}

impl Load {
    /// Answers of 2xx in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.succeeded as f64 / self.seconds
    }

    /// Loads at the same time, as one. Of latencies, the worst of them.
    pub(crate) fn together(loads: &[Load]) -> Load {
        let sum = |figure: fn(&Load) -> u64| loads.iter().map(figure).sum();
        let worst = |figure: fn(&Load) -> f64| loads.iter().map(figure).fold(0.0, f64::max);
        Load {
            succeeded: sum(|load| load.succeeded),
            failed: sum(|load| load.failed),
            broken: sum(|load| load.broken),
            seconds: worst(|load| load.seconds),
            p50_ms: worst(|load| load.p50_ms),
            p99_ms: worst(|load| load.p99_ms),
            p999_ms: worst(|load| load.p999_ms),
            cpu_s: loads.iter().map(|load| load.cpu_s).sum(),
        }
    }

    /// Two loads in turn, as one.
    pub(crate) fn one_after_the_other(first: &Load, second: &Load) -> Load {
        Load {
            seconds: first.seconds + second.seconds,
            ..Load::together(&[first.clone(), second.clone()])
        }
    }

    /// Requests that were answered otherwise, or not.
    pub(crate) fn unsuccessful(&self) -> u64 {
        self.failed + self.broken
    }
}
