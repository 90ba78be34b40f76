//! Keeps the memory of the metrics small.
//!
//! The recorder keeps each sample of a histogram until the metrics are scraped or it
//! is told to put the samples into their buckets. They may never be scraped.

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;

/// How often samples are put into their buckets: as long as this each of them takes
/// 16 bytes. When there are none, it costs as much as a few requests.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Does so for ever.
pub(super) async fn keep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_INTERVAL).await;
        let metrics = metrics.clone();
        // Hundreds of thousands of samples take milliseconds, for which no request
        // is to wait. It has nothing to return, and a panic says so by itself.
        let _ = tokio::task::spawn_blocking(move || metrics.run_upkeep()).await;
    }
}
