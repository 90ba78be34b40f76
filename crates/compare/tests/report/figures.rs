//! Distributions that a test needs only the shape of.

use compare::report::Latency;

/// So many, of this median and this 99th percentile; the others are in proportion.
pub(crate) fn latency(count: u64, p50_ms: f64, p99_ms: f64) -> Latency {
    Latency {
        count,
        mean_ms: p50_ms * 1.1,
        p50_ms,
        p90_ms: (p50_ms + p99_ms) / 2.0,
        p99_ms,
        p999_ms: p99_ms * 2.1,
        p9999_ms: p99_ms * 4.4,
        max_ms: p99_ms * 6.3,
    }
}
