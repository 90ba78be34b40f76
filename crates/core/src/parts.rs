//! Which concrete cache, journal and store the settings ask for: the only
//! place that names them all.

mod client_files;
mod database;
mod inspect;
mod reach;
mod watched;

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

use crate::binding::{BindingStore, in_memory_in_words};
use crate::bypass::protocol::Membership;
use crate::bypass::{self, Access, AccessSettings};
use crate::cache::memory::MemoryCache;
use crate::cache::redis::RedisCache;
use crate::cache::{Cache, Lifetimes};
use crate::engine::purge::Purger;
use crate::engine::seeder::Seeder;
use crate::error::{Error, Part, Result};
use crate::journal::Journal;
use crate::journal::file::{self, FileJournal};
use crate::journal::redis_stream::{RedisStreamJournal, WaitFor};
use crate::lease::redis::RedisLeases;
use crate::lease::{Leases, Sole};
use crate::outage::{Outage, Outages};
use crate::ownership::claim::{Claimed, Taken};
use crate::ownership::guard::{Guard, GuardSettings};
use crate::process::startup;
use crate::redis::Redis;
use crate::settings::{CacheUnavailable, JournalAction, JournalUrl, Service, Settings};
use crate::store::Store;
use crate::store::claim::Usage;
use crate::timing;

use reach::Reached;

pub use client_files::ClientFiles;
pub use database::migrate;
pub(crate) use database::{Database, claim, open_database};
pub(crate) use inspect::inspect;
pub(crate) use reach::open_redis;

/// Services that rely on the cache for good, or have a journal with writes that the database
/// lacks, as rows in the database. `crate::commands::release` removes a row.
const WRITE_BEHIND: &str = "every write-behind-svc";
const REFUSING: &str = "every write-through-svc with CACHE_UNAVAILABLE=refuse";

/// The row of a service that relies on the cache for good.
pub(crate) fn holder(service: Service) -> &'static str {
    match service {
        Service::WriteBehind => WRITE_BEHIND,
        Service::WriteThrough => REFUSING,
    }
}

/// The parts that every pattern needs.
#[derive(Debug)]
pub struct Parts {
    /// The database, with its tables up to date.
    pub store: Arc<dyn Store>,
    /// The cache.
    pub cache: Arc<dyn Cache>,
    database: Arc<Outage>,
    outages: Outages,
    membership: Arc<dyn Membership>,
    claimed: Option<Claimed>,
    binding: Arc<dyn BindingStore>,
    guard: Option<Arc<Guard>>,
    redis: Option<Arc<Redis>>,
    client_files: ClientFiles,
    file: Option<FileJournal>,
    lifetimes: Lifetimes,
    /// When the start has to have come to an end.
    start_by: Instant,
}

impl Parts {
    /// The files of TLS to Redis and to the database.
    pub fn client_files(&self) -> ClientFiles {
        self.client_files.clone()
    }

    /// Opens database, cache and file journal, waiting for servers that are coming up.
    ///
    /// # Errors
    /// When one of them is still away at the end of `settings.startup_deadline`;
    /// but a service that can do without Redis starts without. At once when there is
    /// no secure connection to one of them. After a refused start, database, Redis and files
    /// are as they were, except for tables that were brought up to date.
    pub async fn open(settings: &Settings) -> Result<Parts> {
        let (settings, client_files) = client_files::followed(settings)?;
        let settings = &settings;
        let by = settings.startup_by();
        let mut database = open_database(settings, by).await?;
        let reached = reach::reach(settings, database.store.dataset(), by).await?;
        let guard = match &reached {
            Some(reached) => Some(post(settings, reached, &database, by).await?),
            None => None,
        };
        let taken = match database.claim.take() {
            Some(own) => Some(Taken::take(own, Usage::Alone, by).await?),
            None => claim(settings, database::usage(settings), by).await?,
        };
        if reached.is_none() {
            check_memory(settings, &database, by).await?;
        }
        let file = open_own_file(settings, &database, by).await?;
        // IMPORTANT: everything is checked by now. From here on other processes can see this one.
        let claimed = match taken {
            Some(taken) => Some(taken.keep(by).await?),
            None => None,
        };
        if let (Some(guard), Some(reached)) = (&guard, &reached) {
            bind(settings, guard, reached, by).await?;
        }
        let lifetimes = Lifetimes {
            clean: settings.cache_ttl,
            absent: settings.cache_absent_ttl,
            in_doubt: timing::IN_DOUBT_LIFETIME,
            fill: timing::FILL_LIFETIME,
        };
        let redis = reached.map(|reached| reached.redis);
        let store = watched::store(settings, database.store);
        let (cache, cache_outage) = cache(settings, redis.as_ref(), lifetimes)?;
        Ok(Parts {
            cache,
            outages: Outages::new(cache_outage, store.outage()),
            database: store.outage(),
            store: Arc::new(store),
            membership: database.membership,
            claimed,
            binding: database.binding,
            guard,
            redis,
            client_files,
            file,
            lifetimes,
            start_by: by,
        })
    }

    /// What holds the right to use the database, where several processes could; to be kept
    /// until the engine has stopped.
    pub fn claimed(&mut self) -> Option<Claimed> {
        self.claimed.take()
    }

    /// When the start has to have come to an end.
    pub fn start_by(&self) -> Instant {
        self.start_by
    }

    /// The outages of the parts that were opened so far.
    pub fn outages(&self) -> Outages {
        self.outages.clone()
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
            let rely = async |_| bypass::rely(&*self.membership, REFUSING).await;
            startup::within(self.start_by, rely).await?;
        }
        let access = AccessSettings {
            process: name_of_this_process(),
            lease: settings.cache_lease,
        };
        let join = async |_| {
            let (membership, cache) = (self.membership.clone(), self.cache.clone());
            Access::join(membership, cache, access.clone()).await
        };
        startup::within(self.start_by, join).await
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
    /// When it cannot be opened. Nothing is noted in the database then.
    pub async fn open_journal(
        &mut self,
        settings: &Settings,
    ) -> Result<(Arc<dyn Journal>, Arc<dyn Leases>)> {
        let opened = self.open_unnoted(settings).await?;
        // IMPORTANT: after all that may refuse the start, since the note stays for good, and
        // before anything is acknowledged that only the journal has. Each question has a
        // timeout; it may wait for others to have heard for longer.
        let rely = async |_| bypass::rely(&*self.membership, WRITE_BEHIND).await;
        let epoch = startup::within(self.start_by, rely).await?;
        if let Some(redis) = &self.redis {
            redis.enter_epoch(epoch, None);
        }
        let (journal, leases) = opened;
        let journal = watched::journal(journal);
        self.outages = self.outages.clone().with_journal(journal.outage());
        let journal = Arc::new(journal);
        self.database.is_waited_for_in(journal.clone());
        Ok((journal, leases))
    }

    async fn open_unnoted(
        &mut self,
        settings: &Settings,
    ) -> Result<(Arc<dyn Journal>, Arc<dyn Leases>)> {
        match (self.file.take(), &self.redis) {
            (Some(journal), _) => {
                let bound = startup::within(self.start_by, |_| self.binding.bound()).await?;
                journal.adopt(&bound)?;
                journal.watch();
                let leases = Sole::new(journal.shards());
                Ok((Arc::new(journal), Arc::new(leases)))
            }
            (None, Some(redis)) => {
                let leases =
                    RedisLeases::new(redis.clone(), name_of_this_process(), settings.lease);
                // An answer that waits for replicas may take that much longer.
                let appends =
                    redis.with_timeout(settings.redis_timeout + settings.redis_wait_timeout)?;
                let answers = async |by| startup::until(by, Part::Cache, appends.answers()).await;
                startup::within(self.start_by, answers).await?;
                let open = |_| {
                    RedisStreamJournal::open(
                        redis.clone(),
                        appends.clone(),
                        wait_for(settings),
                        self.lifetimes.clean,
                        leases.share_held(),
                    )
                };
                let journal = startup::within(self.start_by, open).await?;
                Ok((Arc::new(journal), Arc::new(leases)))
            }
            (None, None) => Err(Error::unavailable(
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

/// Shows or salvages the file journal of the settings. Returns the text to print.
///
/// # Errors
/// [`Error::BadSetting`] if the journal has no files.
pub fn run_on_journal(settings: &Settings, action: &JournalAction) -> Result<String> {
    let reason = match &settings.journal {
        _ if settings.service == Service::WriteThrough => "write-through-svc has no journal",
        JournalUrl::WithCache => "the journal is in Redis and has no files: GET /journal shows it",
        JournalUrl::File(folder) => {
            return match action {
                JournalAction::Show { frames } => file::show(folder, *frames),
                JournalAction::Salvage { to } => {
                    file::salvage(folder, to, settings.journal_segment_bytes)
                }
            };
        }
    };
    Err(Error::BadSetting {
        key: "JOURNAL_URL",
        reason: reason.into(),
    })
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

/// Whether the service goes on without its cache.
fn may_bypass(settings: &Settings) -> bool {
    settings.service == Service::WriteThrough
        && settings.cache_unavailable == CacheUnavailable::Bypass
}

/// Checks that no Redis serves the database. It would hold values, and maybe writes, that a process
/// with a memory cache does not know.
async fn check_memory(settings: &Settings, database: &Database, by: Instant) -> Result<()> {
    let mine = startup::within(by, |_| database.binding.bound()).await?;
    let program = settings.service.binary();
    mine.noted().map_or(Ok(()), |noted| {
        Err(Error::BadSetting {
            key: "CACHE_URL",
            reason: in_memory_in_words(&noted.cache, &mine.place, program).into(),
        })
    })
}

/// Guards the Redis, and checks that it belongs to this database. A Redis that is unavailable now is
/// checked when it is first reached.
async fn post(
    settings: &Settings,
    reached: &Reached,
    database: &Database,
    by: Instant,
) -> Result<Arc<Guard>> {
    let guard = GuardSettings {
        process: name_of_this_process(),
        program: settings.service.binary(),
    };
    let post = async |_| {
        let (binding, store) = (database.binding.clone(), database.store.clone());
        Guard::post(&reached.redis, binding, store, guard.clone()).await
    };
    let guard = startup::within(by, post).await?;
    if reached.is_there {
        unless_away(settings, by, || guard.check()).await?;
    }
    Ok(Arc::new(guard))
}

/// Binds the database to its Redis, if that was reached, and watches the binding.
///
/// IMPORTANT: before anything is taken from it or put into it.
async fn bind(settings: &Settings, guard: &Guard, reached: &Reached, by: Instant) -> Result<()> {
    if reached.is_there {
        unless_away(settings, by, || guard.bind()).await?;
    }
    guard.watch();
    Ok(())
}

/// Runs `step`. Redis may be unavailable there, if the service can do without it.
async fn unless_away<F>(settings: &Settings, by: Instant, step: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    if !may_bypass(settings) {
        return startup::within(by, |_| step()).await;
    }
    match step().await {
        Err(Error::Unavailable {
            part: Part::Cache,
            lasting: false,
            ..
        }) => Ok(()),
        done => done,
    }
}

/// A part, and its outages if it can have any.
type WatchedPart<T> = (Arc<T>, Option<Arc<Outage>>);

/// The cache of the settings, in Redis if there is one, and its outages if it can have any.
fn cache(
    settings: &Settings,
    redis: Option<&Arc<Redis>>,
    lifetimes: Lifetimes,
) -> Result<WatchedPart<dyn Cache>> {
    let Some(redis) = redis else {
        let capacity = settings.cache_capacity_bytes;
        return Ok((Arc::new(MemoryCache::new(capacity, lifetimes)), None));
    };
    let reads = match may_bypass(settings) {
        true => redis.with_timeout(settings.redis_timeout.min(timing::CACHE_READ_TIMEOUT))?,
        false => redis.clone(),
    };
    let cache = RedisCache::reading_by(reads, redis.clone(), lifetimes).watching_clocks();
    let cache = match settings.service {
        Service::WriteThrough => cache.keeping_doubts()?,
        // It makes no marks of doubt, and its journal watches the server's policy.
        Service::WriteBehind => cache,
    };
    let cache = watched::cache(settings, Arc::new(cache));
    let outage = cache.outage();
    Ok((Arc::new(cache), Some(outage)))
}

/// Opens the file journal of the settings, if they name one. Makes it if it is missing.
async fn open_own_file(
    settings: &Settings,
    database: &Database,
    by: Instant,
) -> Result<Option<FileJournal>> {
    let JournalUrl::File(folder) = &settings.journal else {
        return Ok(None);
    };
    if settings.service != Service::WriteBehind {
        return Ok(None);
    }
    let journal = open_file(settings, folder)?;
    let bound = startup::within(by, |_| database.binding.bound()).await?;
    journal.belongs_to(&bound, settings.service.binary())?;
    Ok(Some(journal))
}
