//! Which percentiles are known, and which of them mean enough to call one service the faster.

use super::totals::{finite, measured};
use super::{Latency, Percentile, ServiceReport};

/// A place in a distribution.
#[derive(Clone, Copy)]
pub(super) struct Quantile {
    /// What it is called.
    pub(super) label: &'static str,
    /// One of so many requests took longer; `None` for the longest of all.
    one_in: Option<u64>,
    of: fn(&Latency) -> f64,
}

const fn quantile(label: &'static str, one_in: u64, of: fn(&Latency) -> f64) -> Quantile {
    Quantile {
        label,
        one_in: Some(one_in),
        of,
    }
}

pub(super) const P50: Quantile = quantile("p50", 2, |latency| latency.p50_ms);
pub(super) const P99: Quantile = quantile("p99", 100, |latency| latency.p99_ms);
pub(super) const LONGEST: Quantile = Quantile {
    label: "longest",
    one_in: None,
    of: |latency| latency.max_ms,
};

/// From the usual to the rarest.
pub(super) const ALL: [Quantile; 6] = [
    P50,
    quantile("p90", 10, |latency| latency.p90_ms),
    P99,
    quantile("p99.9", 1_000, |latency| latency.p999_ms),
    quantile("p99.99", 10_000, |latency| latency.p9999_ms),
    LONGEST,
];

/// From how many requests beyond it on a percentile is more than chance.
const BEYOND_MIN: u128 = 10;

/// Latencies, and how many of them only say how long a request had waited that was never sent.
#[derive(Clone, Copy)]
pub(super) struct Sampled {
    latency: Latency,
    unsent: u64,
}

impl Sampled {
    /// Of all requests of the service, if anything was measured.
    pub(super) fn all(service: &ServiceReport) -> Option<Sampled> {
        Some(Sampled {
            latency: *measured(&service.latency)?,
            unsent: service.unsent,
        })
    }

    /// Of one operation's.
    pub(super) fn operation(service: &ServiceReport, operation: &str) -> Option<Sampled> {
        let report = service.operation(operation)?;
        let latency = *measured(&report.latency)?;
        Some(Sampled {
            latency,
            unsent: latency.count.saturating_sub(report.succeeded),
        })
    }

    /// Of what has none that was never sent.
    pub(super) fn whole(latency: &Latency) -> Sampled {
        Sampled {
            latency: *latency,
            unsent: 0,
        }
    }

    /// The time, unless there are so few that none is beyond it.
    pub(super) fn at(self, quantile: Quantile) -> Option<f64> {
        let needed = quantile.one_in.unwrap_or(1);
        let value = finite((quantile.of)(&self.latency))?;
        (self.latency.count >= needed).then_some(value)
    }

    /// Whether the time was at least this, and how much longer is not known, since more were never
    /// sent than are beyond it.
    pub(super) fn is_bound(self, quantile: Quantile) -> bool {
        match quantile.one_in {
            Some(one_in) => {
                u128::from(self.unsent) * u128::from(one_in) > u128::from(self.latency.count)
            }
            None => self.unsent > 0,
        }
    }

    /// The time, if it may be compared with another's. Of the longest that is never so: it
    /// is a single request's.
    pub(super) fn comparable(self, quantile: Quantile) -> Option<f64> {
        let one_in = u128::from(quantile.one_in?);
        let enough = u128::from(self.latency.count) >= BEYOND_MIN * one_in;
        let value = self.at(quantile)?;
        (enough && !self.is_bound(quantile)).then_some(value)
    }

    /// Whether that point of the distribution is known: no fewer requests are beyond it than one,
    /// and no more than that were never sent.
    pub(super) fn has(self, point: &Percentile) -> bool {
        const ROUNDING: f64 = 1e-6;
        let beyond = self.latency.count as f64 * (1.0 - point.percentile / 100.0) + ROUNDING;
        beyond >= 1.0 && self.unsent as f64 <= beyond
    }
}
