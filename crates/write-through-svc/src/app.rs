//! Puts the service together.

use std::error::Error;
use std::sync::Arc;

use cache_core::binding::Guard;
use cache_core::claim::Claimed;
use cache_core::engine::Engine;
use cache_core::group_commit::GroupCommitBounds;
use cache_core::parts::Parts;
use cache_core::purge::{Purger, Purging};
use cache_core::settings::{DatabaseUrl, Settings};
use cache_core::shutdown::Signals;
use cache_core::telemetry;
use cache_core::write_through::{WriteThrough, WriteThroughSettings};
use cache_http::server;

use crate::routes;

/// One writer at a time is what SQLite admits.
const LANES_SQLITE: usize = 1;
/// While one batch is being flushed to the disk, the next can be on its way.
const LANES_MYSQL: usize = 2;

/// Builds the engine on the parts that the settings name and serves it.
///
/// # Errors
/// When a part cannot be opened or the address is taken.
pub(crate) async fn serve(settings: Settings, mut signals: Signals) -> Result<(), Box<dyn Error>> {
    let metrics = telemetry::start_metrics(settings.service.name())?;
    let Some(engine) = signals.unless_stopped(start(settings.clone())).await else {
        return Ok(());
    };
    // IMPORTANT: the others are kept until the engine has stopped, and end then.
    let Started {
        engine,
        claimed,
        guard,
        purging,
    } = engine?;
    let engine: Arc<dyn Engine> = match &claimed {
        Some(claimed) => claimed.admits(engine),
        None => engine,
    };
    let version = env!("CARGO_PKG_VERSION");
    server::run(
        &settings,
        version,
        engine,
        signals,
        metrics,
        routes::configure,
    )
    .await?;
    drop(purging);
    if let Some(guard) = guard {
        guard.leave().await;
    }
    Ok(())
}

/// The engine, and what works beside it.
struct Started {
    engine: Arc<WriteThrough>,
    claimed: Option<Claimed>,
    guard: Option<Arc<Guard>>,
    purging: Option<Purging>,
}

async fn start(settings: Settings) -> cache_core::error::Result<Started> {
    let mut parts = Parts::open(&settings).await?;
    let claimed = parts.claimed();
    let guard = parts.guard();
    let access = parts.access(&settings).await?;
    let lanes = match (settings.commit_lanes, &settings.database) {
        (0, DatabaseUrl::Sqlite(_)) => LANES_SQLITE,
        (0, DatabaseUrl::Mysql(_)) => LANES_MYSQL,
        (lanes, _) => lanes,
    };
    let write_through = WriteThroughSettings {
        group_commit: GroupCommitBounds {
            batch_max: settings.batch_max,
            waiting_max: settings.waiting_max,
        },
        lanes,
        lock_timeout: settings.database_timeout,
    };
    let purger = parts.purger(&settings, None);
    let engine = WriteThrough::start(parts.cache, parts.store, access, write_through).await?;
    Ok(Started {
        engine,
        claimed,
        guard,
        purging: purger.map(Purger::start),
    })
}
