//! Which concrete cache, journal and store the settings ask for: the only
//! place that names them all.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{self, Access, AccessSettings};
use crate::binding::{BindingStore, Guard, GuardSettings};
use crate::cache::memory::MemoryCache;
use crate::cache::redis::RedisCache;
use crate::cache::{Cache, Lifetimes};
use crate::claim::{Claimed, Usage};
use crate::error::{Error, Part, Result};
use crate::journal::Journal;
use crate::journal::file::FileJournal;
use crate::journal::redis_stream::{RedisStreamJournal, WaitFor};
use crate::lease::redis::RedisLeases;
use crate::lease::{Leases, Sole};
use crate::membership::Membership;
use crate::purge::Purger;
use crate::redis::Redis;
use crate::seeder::Seeder;
use crate::settings::{
    Address, Adopt, CacheAway, CacheUrl, DatabaseUrl, JournalUrl, MigrateOptions, Service, Settings,
};
use crate::startup;
use crate::store::mysql::{MysqlClaim, MysqlStore};
use crate::store::sqlite::SqliteStore;
use crate::store::{Adoption, Store};
use crate::tls;

/// How long a name of whose write nobody knows the outcome is read from the
/// database. Far longer than a statement waits for its locks there: one that is
/// still running when its names' doubt ends could commit unseen.
const IN_DOUBT_LIFETIME: Duration = Duration::from_secs(600);
/// How long a reader that died keeps others from filling a key. One that takes
/// longer to load a row does not fill it.
const FILL_LIFETIME: Duration = Duration::from_secs(3);

/// How long a service that can do without Redis waits for it at its start.
const REDIS_START_PATIENCE: Duration = Duration::from_secs(2);
/// How long a reader that can do without Redis waits for it.
const READ_PATIENCE: Duration = Duration::from_millis(250);

/// Services that rely on the cache for good, or have a journal with writes that the database
/// lacks, as rows in the database. An operator may remove a row when none of its services runs
/// any more.
const WRITE_BEHIND: &str = "every write-behind-svc";
const REFUSING: &str = "every write-through-svc with CACHE_AWAY=refuse";

/// The parts that every pattern needs.
#[derive(Debug)]
pub struct Parts {
    /// The database, with its tables up to date.
    pub store: Arc<dyn Store>,
    /// The cache.
    pub cache: Arc<dyn Cache>,
    membership: Arc<dyn Membership>,
    claimed: Option<Claimed>,
    binding: Arc<dyn BindingStore>,
    guard: Option<Arc<Guard>>,
    redis: Option<Arc<Redis>>,
    lifetimes: Lifetimes,
}

impl Parts {
    /// Opens database and cache, waiting for servers that are coming up.
    ///
    /// # Errors
    /// When one of them is still away at the end of `settings.startup_deadline`;
    /// but a service that can do without Redis starts without. At once when there is
    /// no secure connection to one of them.
    pub async fn open(settings: &Settings) -> Result<Parts> {
        let Database {
            store,
            membership,
            binding,
        } = open_database(settings).await?;
        let claimed = claim(settings).await?;
        let mut guard = None;
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
                let may_bypass = may_bypass(settings);
                let timeout = settings.redis_timeout;
                let address = Address {
                    url: url.clone(),
                    tls: settings.cache_tls.clone(),
                };
                let redis = Redis::unconnected(address, timeout, store.identity())?;
                let patience = match may_bypass {
                    true => REDIS_START_PATIENCE.min(settings.startup_deadline),
                    false => settings.startup_deadline,
                };
                let answers = async |by| match may_bypass {
                    // IMPORTANT: not cut off so soon, but after its own timeout: only then is
                    // it asked whether it speaks TLS at all.
                    true => redis.answers().await,
                    false => startup::until(by, Part::Cache, redis.answers()).await,
                };
                let is_there = match startup::within(patience, answers).await {
                    // IMPORTANT: not one that is lasting. Where one process goes past Redis
                    // all do, so one with a wrong certificate would cost all of them the cache.
                    Err(Error::Unavailable { lasting: false, .. }) if may_bypass => false,
                    answer => {
                        answer?;
                        true
                    }
                };
                if has_journal_in_redis(settings) && is_there {
                    // IMPORTANT: before the binding, which changes what it and the database have.
                    let suits =
                        async |_| RedisStreamJournal::check(&redis, wait_for(settings)).await;
                    startup::within(settings.startup_deadline, suits).await?;
                }
                if settings.service == Service::WriteThrough && is_there {
                    let suits = async |_| redis.keeps_doubts().await;
                    startup::within(settings.startup_deadline, suits).await?;
                }
                // IMPORTANT: before anything is taken from it or put into it. One that is away
                // now is judged when it is first reached.
                guard = Some(bind(settings, &redis, &store, &binding, is_there).await?);
                let reads = match may_bypass {
                    true => redis.again(timeout.min(READ_PATIENCE))?,
                    false => redis.clone(),
                };
                let cache = RedisCache::reading_by(reads, redis.clone(), lifetimes);
                let cache = cache.watching_clocks();
                let cache = match settings.service {
                    Service::WriteThrough => cache.keeping_doubts()?,
                    // It makes no marks of doubt, and its journal watches the server.
                    Service::WriteBehind => cache,
                };
                (Arc::new(cache), Some(redis))
            }
        };
        Ok(Parts {
            store,
            cache,
            membership,
            claimed,
            binding,
            guard,
            redis,
            lifetimes,
        })
    }

    /// What holds the right to use the database, where several processes could; to be kept
    /// until the engine has stopped.
    pub fn claimed(&mut self) -> Option<Claimed> {
        self.claimed.take()
    }

    /// What guards a Redis from being used for another database than its own.
    pub fn guard(&self) -> Option<Arc<Guard>> {
        self.guard.clone()
    }

    /// Joins the processes that may bypass the cache, where it can be unavailable.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn access(&self, settings: &Settings) -> Result<Arc<Access>> {
        if self.redis.is_none() {
            return Ok(Access::always());
        }
        if !may_bypass(settings) {
            let rely = async |_| access::rely(&*self.membership, REFUSING).await;
            startup::within(settings.startup_deadline, rely).await?;
        }
        let access = AccessSettings {
            process: name_of_this_process(),
            lease: settings.cache_lease,
        };
        Access::join(self.membership.clone(), self.cache.clone(), access).await
    }

    /// What removes old tombstones, if they are to be removed; `journal` is that of
    /// write-behind.
    pub fn purger(&self, settings: &Settings, journal: Option<Arc<dyn Journal>>) -> Option<Purger> {
        let unless_relied_on_by = match settings.service {
            Service::WriteThrough => Some(WRITE_BEHIND),
            Service::WriteBehind => None,
        };
        settings.tombstone_retention.map(|retention| Purger {
            store: self.store.clone(),
            seeder: Seeder::new(self.cache.clone(), journal.clone(), self.store.clone()),
            journal,
            retention,
            unless_relied_on_by,
        })
    }

    /// Opens the journal that goes with them, and the leases on its shards; notes in the
    /// database that it is relied on.
    ///
    /// # Errors
    /// When it cannot be opened, is corrupt or is another database's. Nothing is noted then.
    pub async fn open_journal(
        &self,
        settings: &Settings,
    ) -> Result<(Arc<dyn Journal>, Arc<dyn Leases>)> {
        let opened = self.open_unnoted(settings).await?;
        // IMPORTANT: after all that may refuse the start, since the note stays for good, and
        // before anything is acknowledged that only the journal has. Each question has a
        // timeout; it may wait for others to have heard for longer.
        let rely = async |_| access::rely(&*self.membership, WRITE_BEHIND).await;
        let epoch = startup::within(settings.startup_deadline, rely).await?;
        if let Some(redis) = &self.redis {
            redis.enter(epoch, None);
        }
        Ok(opened)
    }

    async fn open_unnoted(
        &self,
        settings: &Settings,
    ) -> Result<(Arc<dyn Journal>, Arc<dyn Leases>)> {
        match (&settings.journal, &self.redis) {
            (JournalUrl::File(folder), _) => {
                let journal = open_file(settings, folder)?;
                let bound = self.binding.bound().await?;
                journal.belong_to(&bound, settings.service.binary())?;
                let leases = Sole::new(journal.shards());
                Ok((Arc::new(journal), Arc::new(leases)))
            }
            (JournalUrl::WithCache, Some(redis)) => {
                let leases =
                    RedisLeases::new(redis.clone(), name_of_this_process(), settings.lease);
                // An answer that waits for replicas may take that much longer.
                let appends = redis.again(settings.redis_timeout + settings.redis_wait_timeout)?;
                let answers = async |by| startup::until(by, Part::Cache, appends.answers()).await;
                startup::within(settings.startup_deadline, answers).await?;
                let journal = RedisStreamJournal::open(
                    redis.clone(),
                    appends,
                    wait_for(settings),
                    self.lifetimes.clean,
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

/// The file journal of the settings, if they name one that is there.
pub(crate) fn open_file_journal(settings: &Settings) -> Result<Option<FileJournal>> {
    match &settings.journal {
        JournalUrl::File(folder) if settings.service == Service::WriteBehind && folder.exists() => {
            open_file(settings, folder).map(Some)
        }
        _ => Ok(None),
    }
}

fn open_file(settings: &Settings, folder: &Path) -> Result<FileJournal> {
    FileJournal::open(
        folder,
        settings.journal_sync,
        settings.journal_segment_bytes,
    )
}

fn has_journal_in_redis(settings: &Settings) -> bool {
    settings.service == Service::WriteBehind && matches!(settings.journal, JournalUrl::WithCache)
}

fn wait_for(settings: &Settings) -> WaitFor {
    WaitFor {
        replicas: settings.redis_wait_replicas,
        fsync: settings.redis_wait_fsync,
        timeout_ms: settings.redis_wait_timeout.as_millis() as u64,
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

/// Sees to it that no process uses a memory cache beside others. (A SQLite file is locked.)
async fn claim(settings: &Settings) -> Result<Option<Claimed>> {
    let DatabaseUrl::Mysql(url) = &settings.database else {
        return Ok(None);
    };
    let usage = match &settings.cache {
        CacheUrl::Memory => Usage::Alone,
        CacheUrl::Redis(_) => Usage::Together,
    };
    let token = fastrand::u64(..);
    let take = async |_| {
        let address = Address {
            url: url.clone(),
            tls: settings.database_tls.clone(),
        };
        let claim = MysqlClaim::new(address, usage, settings.database_timeout, token)?;
        Claimed::take(claim, usage).await
    };
    startup::within(settings.startup_deadline, take)
        .await
        .map(Some)
}

/// Whether the service goes on without its cache.
fn may_bypass(settings: &Settings) -> bool {
    settings.service == Service::WriteThrough && settings.cache_away == CacheAway::Bypass
}

/// Creates the database and brings its tables up to date where that is missing. Returns
/// what was done, or with a dry run what would be, in sentences.
///
/// # Errors
/// When it is still away at the end of `settings.startup_deadline`; at once when its
/// tables are not what they have to be.
pub async fn migrate(settings: &Settings, options: MigrateOptions) -> Result<Vec<String>> {
    tls::install_provider();
    let keep_newest = options.adopt == Some(Adopt::Newest);
    let adoption = Adoption::by_migrate(keep_newest, options.dry_run);
    match &settings.database {
        DatabaseUrl::Sqlite(path) => SqliteStore::migrate(path, adoption).await,
        DatabaseUrl::Mysql(url) => {
            let migrate = async |by| {
                let address = Address {
                    url: url.clone(),
                    tls: settings.database_tls.clone(),
                };
                MysqlStore::migrate_by(by, address, settings.database_timeout, adoption).await
            };
            startup::within(settings.startup_deadline, migrate).await
        }
    }
}

/// A database by what it is for.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) store: Arc<dyn Store>,
    membership: Arc<dyn Membership>,
    pub(crate) binding: Arc<dyn BindingStore>,
}

impl Database {
    fn of(store: impl Store + Membership + BindingStore) -> Database {
        let store = Arc::new(store);
        Database {
            store: store.clone(),
            membership: store.clone(),
            binding: store,
        }
    }
}

/// Binds the database to its Redis, if that is there, and watches over it.
async fn bind(
    settings: &Settings,
    redis: &Redis,
    store: &Arc<dyn Store>,
    binding: &Arc<dyn BindingStore>,
    is_there: bool,
) -> Result<Arc<Guard>> {
    let guard = GuardSettings {
        process: name_of_this_process(),
        program: settings.service.binary(),
    };
    let guard = Guard::post(redis, binding.clone(), store.clone(), guard).await?;
    let bound = match is_there {
        true if may_bypass(settings) => guard.bind().await,
        true => startup::within(settings.startup_deadline, async |_| guard.bind().await).await,
        false => Ok(()),
    };
    match bound {
        // It has gone away since.
        Err(Error::Unavailable {
            part: Part::Cache, ..
        }) if may_bypass(settings) => {}
        bound => bound?,
    }
    guard.watch();
    Ok(Arc::new(guard))
}

/// Opens the database, creating it and its tables where they are missing. Always the
/// first part to be opened.
pub(crate) async fn open_database(settings: &Settings) -> Result<Database> {
    tls::install_provider();
    match &settings.database {
        DatabaseUrl::Sqlite(path) => Ok(Database::of(SqliteStore::open(path).await?)),
        DatabaseUrl::Mysql(url) => {
            let open = async |by| {
                let address = Address {
                    url: url.clone(),
                    tls: settings.database_tls.clone(),
                };
                MysqlStore::open_by(
                    by,
                    address,
                    settings.database_pool_max,
                    settings.database_timeout,
                )
                .await
            };
            let store = startup::within(settings.startup_deadline, open).await?;
            Ok(Database::of(store))
        }
    }
}
