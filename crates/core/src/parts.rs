//! Which concrete cache, journal and store the settings ask for: the only
//! place that names them all.

use std::sync::Arc;
use std::time::Duration;

use crate::cache::memory::MemoryCache;
use crate::cache::redis::RedisCache;
use crate::cache::{Cache, Lifetimes};
use crate::error::{Error, Part, Result};
use crate::journal::Journal;
use crate::journal::file::FileJournal;
use crate::journal::redis_stream::{EntryLifetimes, RedisStreamJournal, WaitFor};
use crate::lease::redis::RedisLeases;
use crate::lease::{Leases, Sole};
use crate::redis::Redis;
use crate::settings::{CacheUrl, DatabaseUrl, JournalUrl, Settings};
use crate::startup;
use crate::store::Store;
use crate::store::mysql::MysqlStore;
use crate::store::sqlite::SqliteStore;

/// How long a name of whose write nobody knows the outcome is read from the
/// database. Far longer than a statement waits for its locks there: one that is
/// still running when its names' doubt ends could commit unseen.
const IN_DOUBT_LIFETIME: Duration = Duration::from_secs(600);
/// How long a reader that died keeps others from filling a key. One that takes
/// longer to load a row does not fill it.
const FILL_LIFETIME: Duration = Duration::from_secs(3);

/// The parts that every pattern needs.
#[derive(Debug)]
pub struct Parts {
    /// The database, with its tables up to date.
    pub store: Arc<dyn Store>,
    /// The cache.
    pub cache: Arc<dyn Cache>,
    redis: Option<Arc<Redis>>,
    lifetimes: Lifetimes,
}

impl Parts {
    /// Opens database and cache, waiting for servers that are coming up.
    ///
    /// # Errors
    /// When one of them is still away at the end of `settings.startup_deadline`.
    pub async fn open(settings: &Settings) -> Result<Parts> {
        let store = open_store(settings).await?;
        let lifetimes = Lifetimes {
            clean: settings.cache_ttl,
            absent: settings.cache_absent_ttl,
            in_doubt: IN_DOUBT_LIFETIME,
            fill: FILL_LIFETIME,
        };
        let (cache, redis): (Arc<dyn Cache>, _) = match &settings.cache {
            CacheUrl::Memory => (
                Arc::new(MemoryCache::new(settings.cache_capacity_bytes, lifetimes)),
                None,
            ),
            CacheUrl::Redis(url) => {
                let connect = async || {
                    Redis::connect(url.clone(), settings.redis_timeout, store.identity()).await
                };
                let redis = startup::within(settings.startup_deadline, connect).await?;
                (
                    Arc::new(RedisCache::new(redis.clone(), lifetimes)),
                    Some(redis),
                )
            }
        };
        Ok(Parts {
            store,
            cache,
            redis,
            lifetimes,
        })
    }

    /// Opens the journal that goes with them, and the leases on its shards.
    ///
    /// # Errors
    /// When it cannot be opened or is corrupt.
    pub async fn open_journal(
        &self,
        settings: &Settings,
    ) -> Result<(Arc<dyn Journal>, Arc<dyn Leases>)> {
        match (&settings.journal, &self.redis) {
            (JournalUrl::File(folder), _) => {
                let journal = FileJournal::open(
                    folder,
                    settings.journal_sync,
                    settings.journal_segment_bytes,
                )?;
                let leases = Sole::new(journal.shards());
                Ok((Arc::new(journal), Arc::new(leases)))
            }
            (JournalUrl::WithCache, Some(redis)) => {
                let leases =
                    RedisLeases::new(redis.clone(), name_of_this_process(), settings.lease);
                let lifetimes = EntryLifetimes {
                    clean: self.lifetimes.clean,
                    in_doubt: self.lifetimes.in_doubt,
                };
                let wait_for = WaitFor {
                    replicas: settings.redis_wait_replicas,
                    fsync: settings.redis_wait_fsync,
                    timeout_ms: settings.redis_wait_timeout.as_millis() as u64,
                };
                let connect = async || {
                    // An answer that waits for replicas may take that much longer.
                    let patience = settings.redis_timeout + settings.redis_wait_timeout;
                    redis.connect_again(patience).await
                };
                let appends = startup::within(settings.startup_deadline, connect).await?;
                let journal = RedisStreamJournal::open(
                    redis.clone(),
                    appends,
                    wait_for,
                    lifetimes,
                    leases.share_held(),
                );
                Ok((Arc::new(journal.await?), Arc::new(leases)))
            }
            (JournalUrl::WithCache, None) => Err(Error::unavailable(
                Part::Journal,
                "the cache is not in Redis",
            )),
        }
    }
}

/// A name that no other process has, and that says where to look for it.
fn name_of_this_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "unknown",
        host => host,
    };
    format!("{host}:{}:{:08x}", std::process::id(), fastrand::u32(..))
}

/// Opens the database, creating it and its tables where they are missing.
///
/// # Errors
/// When it is still away at the end of `settings.startup_deadline`.
pub async fn open_store(settings: &Settings) -> Result<Arc<dyn Store>> {
    match &settings.database {
        DatabaseUrl::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path).await?)),
        DatabaseUrl::Mysql(url) => {
            let open = async || {
                MysqlStore::open(
                    url.clone(),
                    settings.database_pool_max,
                    settings.database_timeout,
                )
                .await
            };
            Ok(Arc::new(
                startup::within(settings.startup_deadline, open).await?,
            ))
        }
    }
}
