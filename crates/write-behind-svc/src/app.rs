//! Puts the service together.

use actix_web::web::Data;
use cache_core::concurrency::group_commit::GroupCommitBounds;
use cache_core::engine::purge::Purger;
use cache_core::engine::write_behind::backlog::BacklogLimits;
use cache_core::engine::write_behind::drainer::DrainerSettings;
use cache_core::engine::write_behind::{WriteBehind, WriteBehindSettings};
use cache_core::parts::Parts;
use cache_core::process::startup;
use cache_core::settings::Settings;
use cache_http::resource::Routes;
use cache_http::server::Started;

use crate::routes;

/// Builds the engine on the parts that the settings name, and the routes that only this service has.
///
/// # Errors
/// When a part cannot be opened.
pub(crate) async fn start(
    settings: Settings,
) -> cache_core::error::Result<(Started, impl Fn(&mut Routes) + Clone + Send + 'static)> {
    let mut parts = Parts::open(&settings).await?;
    let claimed = parts.claimed();
    let guard = parts.guard();
    let (journal, leases) = parts.open_journal(&settings).await?;
    let purger = parts.purger(&settings, Some(journal.clone()));
    let outages = parts.outages();
    let client_files = parts.client_files();
    let settings = WriteBehindSettings {
        group_commit: GroupCommitBounds {
            batch_max: settings.batch_max,
            waiting_max: settings.waiting_max,
        },
        drainer: DrainerSettings {
            batch_max: settings.drain_batch_max,
            parallel_max: settings.drain_parallel_max,
            linger: settings.drain_linger,
            dead_letters_max: settings.dead_letters_max,
        },
        limits: BacklogLimits {
            entries: settings.journal_entries_max,
            bytes: settings.journal_bytes_max,
            age: settings.journal_age_max,
            dead_letters: settings.dead_letters_max,
        },
    };
    let start = |_| {
        let (cache, store) = (parts.cache.clone(), parts.store.clone());
        WriteBehind::start(cache, journal.clone(), store, leases.clone(), settings)
    };
    let engine = startup::within(parts.start_by(), start).await?;
    let engine_of_routes = Data::from(engine.clone());
    let routes = move |routes: &mut Routes| {
        routes.share(engine_of_routes.clone());
        routes::configure(routes);
    };
    let started = Started {
        engine,
        claimed,
        guard,
        outages,
        client_files,
        purging: purger.map(Purger::start),
    };
    Ok((started, routes))
}
