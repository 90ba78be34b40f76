//! What every handler is given.

use std::sync::Arc;

use cache_core::engine::Engine;
use cache_core::settings::Service;
use cache_core::telemetry::MetricsHandle;

use crate::answers::Answers;
use crate::dashboard::Viewers;
use crate::origins::Origins;

/// The engine behind the routes.
#[derive(Clone, Debug)]
pub struct State {
    /// Which service this is.
    pub service: Service,
    /// Its engine.
    pub engine: Arc<dyn Engine>,
    /// Renders the metrics.
    pub metrics: MetricsHandle,
    /// Who watches the dashboard.
    pub viewers: Viewers,
    /// The pages that may write.
    pub origins: Origins,
    /// The room for large answers.
    pub answers: Answers,
}
