//! Puts the service together.

use std::error::Error;
use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};
use cache_core::backlog::BacklogLimits;
use cache_core::binding::Guard;
use cache_core::claim::Claimed;
use cache_core::drainer::DrainerSettings;
use cache_core::engine::Engine;
use cache_core::group_commit::GroupCommitBounds;
use cache_core::parts::Parts;
use cache_core::purge::{Purger, Purging};
use cache_core::settings::Settings;
use cache_core::shutdown::Signals;
use cache_core::telemetry;
use cache_core::write_behind::{WriteBehind, WriteBehindSettings};
use cache_http::server;

use crate::routes;

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
    let engine_of_routes = Data::from(engine.clone());
    let routes = move |config: &mut ServiceConfig| {
        routes::configure(config, engine_of_routes.clone());
    };
    let engine: Arc<dyn Engine> = match &claimed {
        Some(claimed) => claimed.admits(engine),
        None => engine,
    };
    let version = env!("CARGO_PKG_VERSION");
    server::run(&settings, version, engine, signals, metrics, routes).await?;
    // It uses the journal's links, which would wait for the guard.
    drop(purging);
    if let Some(guard) = guard {
        guard.leave().await;
    }
    Ok(())
}

/// The engine, and what works beside it.
struct Started {
    engine: Arc<WriteBehind>,
    claimed: Option<Claimed>,
    guard: Option<Arc<Guard>>,
    purging: Option<Purging>,
}

async fn start(settings: Settings) -> cache_core::error::Result<Started> {
    let mut parts = Parts::open(&settings).await?;
    let claimed = parts.claimed();
    let guard = parts.guard();
    let (journal, leases) = parts.open_journal(&settings).await?;
    let purger = parts.purger(&settings, Some(journal.clone()));
    let settings = WriteBehindSettings {
        group_commit: GroupCommitBounds {
            batch_max: settings.batch_max,
            waiting_max: settings.waiting_max,
        },
        drainer: DrainerSettings {
            batch_max: settings.drain_batch_max,
            parallel_max: settings.drain_parallel_max,
            linger: settings.drain_linger,
        },
        limits: BacklogLimits {
            entries: settings.journal_entries_max,
            bytes: settings.journal_bytes_max,
            age: settings.journal_age_max,
        },
    };
    let engine = WriteBehind::start(parts.cache, journal, parts.store, leases, settings).await?;
    Ok(Started {
        engine,
        claimed,
        guard,
        purging: purger.map(Purger::start),
    })
}
