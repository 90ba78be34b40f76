//! Puts the service together.

use cache_core::concurrency::group_commit::GroupCommitBounds;
use cache_core::engine::purge::Purger;
use cache_core::engine::write_through::{WriteThrough, WriteThroughSettings};
use cache_core::parts::Parts;
use cache_core::process::startup;
use cache_core::settings::{DatabaseUrl, Settings};
use cache_http::resource::Routes;
use cache_http::server::Started;

use crate::routes;

/// One writer at a time is what SQLite admits.
const LANES_SQLITE: usize = 1;
/// One statement runs while the log is flushed for another.
const LANES_MYSQL: usize = 2;

/// Builds the engine on the parts that the settings name, and the routes that only this service has.
///
/// # Errors
/// When a part cannot be opened.
pub(crate) async fn start(
    settings: Settings,
) -> cache_core::error::Result<(Started, fn(&mut Routes))> {
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
    let outages = parts.outages();
    let client_files = parts.client_files();
    let start = |_| {
        let (cache, store) = (parts.cache.clone(), parts.store.clone());
        WriteThrough::start(cache, store, access.clone(), write_through)
    };
    let engine = startup::within(parts.start_by(), start).await?;
    let started = Started {
        engine,
        claimed,
        guard,
        outages,
        client_files,
        purging: purger.map(Purger::start),
    };
    Ok((started, routes::configure))
}
