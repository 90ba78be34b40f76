//! What renders the metrics.

use std::fmt;

use metrics_exporter_prometheus::PrometheusHandle;

use super::process;

/// Renders the metrics in the Prometheus text format.
#[derive(Clone)]
pub struct MetricsHandle {
    prometheus: PrometheusHandle,
}

impl fmt::Debug for MetricsHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MetricsHandle")
    }
}

impl MetricsHandle {
    pub(super) fn new(prometheus: PrometheusHandle) -> MetricsHandle {
        MetricsHandle { prometheus }
    }

    /// All that was counted.
    pub fn render(&self) -> String {
        self.prometheus.render()
    }

    /// The same with what the operating system says of the process now. It lists the open files, so
    /// it takes longer the more connections there are.
    pub fn render_with_process(&self) -> String {
        process::collect();
        self.render()
    }
}
