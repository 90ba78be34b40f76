//! Puts the service together.

use std::error::Error;

use actix_web::web::{Data, ServiceConfig};
use cache_core::drainer::DrainerSettings;
use cache_core::group_commit::GroupCommitBounds;
use cache_core::parts::Parts;
use cache_core::settings::Settings;
use cache_core::telemetry;
use cache_core::write_behind::WriteBehind;
use cache_http::server;

use crate::routes;

/// Builds the engine on the parts that the settings name and serves it.
///
/// # Errors
/// When a part cannot be opened or the address is taken.
pub(crate) async fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    let metrics = telemetry::start_metrics(settings.service.name())?;
    let parts = Parts::open(&settings).await?;
    let journal = parts.open_journal(&settings)?;
    let bounds = GroupCommitBounds {
        batch_max: settings.batch_max,
        waiting_max: settings.waiting_max,
    };
    let drainer = DrainerSettings {
        batch_max: settings.drain_batch_max,
        parallel_max: settings.drain_parallel_max,
    };
    let engine = WriteBehind::start(parts.cache, journal, parts.store, bounds, drainer).await?;
    let shared = Data::from(engine.clone());
    let routes = move |config: &mut ServiceConfig| routes::configure(config, shared.clone());
    server::run(
        &settings,
        env!("CARGO_PKG_VERSION"),
        engine,
        metrics,
        routes,
    )
    .await?;
    Ok(())
}
