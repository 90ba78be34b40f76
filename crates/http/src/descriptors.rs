//! Bounding the connections of clients, so that there is always a file descriptor for the service's own
//! files and connections. Without one, no segment of a journal could be begun.

use std::num::NonZero;
use std::thread::available_parallelism;

use cache_core::error::{Error, Result};
use cache_core::settings::Settings;
use rustix::process::{Resource, getrlimit, setrlimit};

/// File descriptors for journal, SQLite, connections to Redis and the runtime, which need a few dozen.
const OWN_FILES_MAX: usize = 100;
/// File descriptors of each worker besides its connections.
const WORKER_FILES: usize = 7;
/// Connections to the database besides its pool.
const DATABASE_CONNECTIONS_EXTRA: usize = 4;
/// With fewer in all, a start is refused.
const CONNECTIONS_MIN: usize = 16;
/// The most connections of a worker: the default of actix-web.
const WORKER_CONNECTIONS_MAX: usize = 25_600;

/// Raises this process's limit of open files to the hard limit, and checks that it is enough.
///
/// # Errors
/// [`Error::BadSetting`] when it is not.
pub(crate) fn prepare(settings: &Settings) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let mut raised = limit;
    raised.current = limit.maximum;
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    let connections = worker_connections_max(settings)?.get() * workers(settings);
    match open_files_max() {
        Some(open_files) => tracing::info!(
            open_files,
            connections,
            "most open files, and connections of clients"
        ),
        None => tracing::info!(connections, "most connections of clients"),
    }
    Ok(())
}

/// The most connections of one worker.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn worker_connections_max(settings: &Settings) -> Result<NonZero<usize>> {
    let workers = workers(settings);
    let own = OWN_FILES_MAX
        + WORKER_FILES * workers
        + settings.database_pool_max
        + DATABASE_CONNECTIONS_EXTRA;
    within(open_files_max(), own, workers)
}

/// Threads that serve HTTP.
pub(crate) fn workers(settings: &Settings) -> usize {
    match settings.http_workers {
        0 => available_parallelism().map_or(1, NonZero::get),
        workers => workers,
    }
}

/// `None` where there is no limit.
fn open_files_max() -> Option<usize> {
    let limit = getrlimit(Resource::Nofile).current?;
    Some(limit.try_into().unwrap_or(usize::MAX))
}

fn within(open_files: Option<usize>, own: usize, workers: usize) -> Result<NonZero<usize>> {
    let needed = own + CONNECTIONS_MIN.max(workers);
    let open_files = open_files.unwrap_or(usize::MAX);
    let connections = open_files.saturating_sub(own) / workers;
    match NonZero::new(connections.min(WORKER_CONNECTIONS_MAX)) {
        Some(connections) if open_files >= needed => Ok(connections),
        _ => Err(Error::BadSetting {
            key: "ulimit -n",
            reason: format!(
                "this process may have {open_files} files open, and needs {needed}: raise the hard limit, or \
                 lower HTTP_WORKERS or DATABASE_POOL_MAX"
            )
            .into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_the_services_own_files() {
        let most =
            |open_files, own, workers| within(open_files, own, workers).map(NonZero::get).ok();
        assert_eq!(most(Some(256), 120, 2), Some(68));
        assert_eq!(most(Some(136), 120, 2), Some(8));
        assert_eq!(most(Some(135), 120, 2), None);
        assert_eq!(most(Some(0), 120, 2), None);
        assert_eq!(most(Some(300), 120, 64), Some(2));
        assert_eq!(most(Some(183), 120, 64), None);
        assert_eq!(most(None, 120, 2), Some(WORKER_CONNECTIONS_MAX));
    }
}
