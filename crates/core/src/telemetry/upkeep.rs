//! Keeps the memory of the metrics small.
//!
//! The recorder keeps each sample of a histogram until the metrics are scraped or it
//! is told to put the samples into their buckets. They may never be scraped.

use crate::timing;
use metrics_exporter_prometheus::PrometheusHandle;

/// Does so for ever.
pub(super) async fn keep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(timing::METRICS_UPKEEP_INTERVAL).await;
        let metrics = metrics.clone();
        // Hundreds of thousands of samples take milliseconds, for which no request
        // is to wait. It has nothing to return, and a panic says so by itself.
        let _ = tokio::task::spawn_blocking(move || metrics.run_upkeep()).await;
    }
}
