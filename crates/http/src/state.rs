//! What every handler is given.

use std::sync::Arc;

use cache_core::engine::Engine;
use cache_core::outage::Outages;
use cache_core::settings::{Dashboard, Service};
use cache_core::telemetry::MetricsHandle;

use crate::answers::Answers;
use crate::door::Door;
use crate::in_flight;
use crate::live::{Recent, Viewers};
use crate::streams::Streams;

/// The engine behind the routes.
#[derive(Clone, Debug)]
pub struct State {
    /// Which service this is.
    pub service: Service,
    /// Its engine.
    pub engine: Arc<dyn Engine>,
    /// Renders the metrics.
    pub metrics: MetricsHandle,
    /// How the engine's parts are.
    pub outages: Outages,
    /// What the dashboard may do.
    pub dashboard: Dashboard,
    /// What it has shown lately.
    pub recent: Recent,
    /// The clients that watch the dashboard.
    pub viewers: Viewers,
    /// What a request passes before its route is called.
    pub door: Door,
    /// The room for large answers.
    pub answers: Answers,
    /// The room for streams.
    pub streams: Streams,
}

impl State {
    /// Brings those figures up to date in the metrics that are read off the engine, its parts and the
    /// requests.
    pub(crate) async fn observe(&self) {
        self.engine.observe().await;
        self.outages.observe();
        in_flight::observe();
    }
}
