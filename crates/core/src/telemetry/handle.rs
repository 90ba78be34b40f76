//! What renders the metrics.

use std::fmt;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use metrics_process::Collector;

/// Renders the metrics in the Prometheus text format.
#[derive(Clone)]
pub struct MetricsHandle {
    prometheus: PrometheusHandle,
    process: Arc<Collector>,
}

impl fmt::Debug for MetricsHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MetricsHandle")
    }
}

impl MetricsHandle {
    pub(super) fn new(prometheus: PrometheusHandle) -> MetricsHandle {
        MetricsHandle {
            prometheus,
            process: Arc::default(),
        }
    }

    /// All that was counted.
    pub fn render(&self) -> String {
        self.prometheus.render()
    }

    /// The same with what the operating system says of the process now. It lists the open files, so
    /// it takes longer the more connections there are.
    pub fn render_with_process(&self) -> String {
        self.process.collect();
        self.render()
    }
}
