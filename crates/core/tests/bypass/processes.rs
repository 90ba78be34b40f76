//! Processes on one database and one Redis, each by a proxy of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::bypass::{Access, AccessSettings, Mode};
use cache_core::cache::Lifetimes;
use cache_core::cache::redis::RedisCache;
use cache_core::concurrency::group_commit::GroupCommitBounds;
use cache_core::engine::write_through::{WriteThrough, WriteThroughSettings};
use cache_core::engine::{Engine, Outcome, Read};
use cache_core::error::Result;
use cache_core::model::dataset::Dataset;
use cache_core::model::decision::Decision;
use cache_core::model::epoch::Epoch;
use cache_core::model::record::{Key, Record, Write};
use cache_core::model::user::User;
use cache_core::model::version::Version;
use cache_core::outage::health::PartHealth;
use cache_core::redis::Redis;
use cache_core::settings::{CacheUrl, DatabaseUrl, Secret};
use cache_core::store::mysql::MysqlStore;
use cache_core::store::{Origin, Page, Proposal, Purge, Purged, Store};
use testkit::proxy::ChaosProxy;
use testkit::servers::{TestDatabase, redis_url};
use tokio::sync::watch;

/// Shorter than in production, where a machine that is busy must not be taken for
/// one that died.
const LEASE: Duration = Duration::from_millis(1_500);
const TIMEOUT: Duration = Duration::from_millis(500);
const READ_TIMEOUT: Duration = Duration::from_millis(250);
const DATABASE_TIMEOUT: Duration = Duration::from_secs(10);
const EVENTUALLY: Duration = Duration::from_secs(20);
const STARTS_MAX: usize = 4;
const LOOK_AGAIN: Duration = Duration::from_millis(2);
const LIFETIMES: Lifetimes = Lifetimes {
    clean: Duration::from_secs(60),
    absent: Duration::from_secs(60),
    in_doubt: Duration::from_secs(30),
    fill: Duration::from_secs(3),
};
const SETTINGS: WriteThroughSettings = WriteThroughSettings {
    group_commit: GroupCommitBounds {
        batch_max: 64,
        waiting_max: 1024,
    },
    lanes: 1,
    lock_timeout: Duration::from_secs(10),
};

type Hook = Box<dyn FnOnce() + Send>;

/// A database that calls a test after a commit.
#[derive(Debug)]
pub(crate) struct HookedStore {
    inner: MysqlStore,
    committed: Mutex<Option<HookOnce>>,
    gate: watch::Sender<Gate>,
}

/// Whether writes come to the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Gate {
    #[default]
    Open,
    Shut,
    /// One of them stands before it.
    Waiting,
}

struct HookOnce(Hook);

impl std::fmt::Debug for HookOnce {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HookOnce")
    }
}

impl HookedStore {
    /// Runs `hook` after the next commit, before the writer learns of it.
    pub(crate) fn after_commit(&self, hook: impl FnOnce() + Send + 'static) {
        *self.committed.lock().unwrap() = Some(HookOnce(Box::new(hook)));
    }

    /// Lets no write come to the database until it is opened again.
    pub(crate) fn shut(&self) {
        self.gate.send_replace(Gate::Shut);
    }

    pub(crate) fn open(&self) {
        self.gate.send_replace(Gate::Open);
    }

    /// Waits until a write stands before the gate.
    pub(crate) async fn is_waited_for(&self) {
        let mut gate = self.gate.subscribe();
        let waits = gate.wait_for(|gate| *gate == Gate::Waiting);
        tokio::time::timeout(EVENTUALLY, waits)
            .await
            .unwrap()
            .unwrap();
    }

    async fn passes(&self) {
        let mut gate = self.gate.subscribe();
        self.gate.send_if_modified(|gate| {
            let shut = *gate == Gate::Shut;
            if shut {
                *gate = Gate::Waiting;
            }
            shut
        });
        gate.wait_for(|gate| *gate == Gate::Open).await.unwrap();
    }

    fn committed(&self) {
        let hook = self.committed.lock().unwrap().take();
        if let Some(HookOnce(hook)) = hook {
            hook();
        }
    }
}

#[async_trait]
impl Store for HookedStore {
    async fn apply(&self, records: &[Record], origin: Origin) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        self.passes().await;
        let applied = self.inner.apply(records, origin).await;
        self.committed();
        applied
    }

    async fn transact(
        &self,
        proposals: &[Proposal],
        fence: Option<Epoch>,
    ) -> Result<Vec<Decision>> {
        self.passes().await;
        let judged = self.inner.transact(proposals, fence).await;
        self.committed();
        judged
    }

    async fn load(&self, key: &Key) -> Result<Option<Record>> {
        self.inner.load(key).await
    }

    async fn versions(&self, keys: &[Key]) -> Result<HashMap<Key, Version>> {
        self.inner.versions(keys).await
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page> {
        self.inner.page(after, limit).await
    }

    async fn newest_version(&self) -> Result<Version> {
        self.inner.newest_version().await
    }

    async fn purged_through(&self) -> Result<Version> {
        self.inner.purged_through().await
    }

    async fn purge(&self, purge: Purge) -> Result<Purged> {
        self.inner.purge(purge).await
    }

    fn dataset(&self) -> &Dataset {
        self.inner.dataset()
    }

    async fn health(&self) -> PartHealth {
        self.inner.health().await
    }
}

pub(crate) struct Process {
    pub(crate) engine: Arc<WriteThrough>,
    pub(crate) access: Arc<Access>,
    pub(crate) store: Arc<HookedStore>,
    pub(crate) proxy: Arc<ChaosProxy>,
}

impl Process {
    pub(crate) async fn start(database: &TestDatabase) -> Process {
        let proxy = ChaosProxy::before(&redis_url());
        Process::start_by(proxy, database).await
    }

    pub(crate) async fn start_by(proxy: ChaosProxy, database: &TestDatabase) -> Process {
        let open = || MysqlStore::open(mysql_secret(&database.url()), 4, DATABASE_TIMEOUT);
        let membership = Arc::new(open().await.unwrap());
        let inner = open().await.unwrap();
        let url = redis_secret(&proxy.url(&redis_url()));
        let redis = Redis::unconnected(url, TIMEOUT, inner.dataset()).unwrap();
        let reads = redis.with_timeout(READ_TIMEOUT).unwrap();
        let cache = Arc::new(RedisCache::reading_by(reads, redis, LIFETIMES));
        let settings = AccessSettings {
            process: format!("test:{:08x}", fastrand::u32(..)),
            lease: LEASE,
        };
        let access = Access::join(membership, cache.clone(), settings);
        let access = access.await.unwrap();
        let store = Arc::new(HookedStore {
            inner,
            committed: Mutex::default(),
            gate: watch::Sender::default(),
        });
        let engine = WriteThrough::start(cache, store.clone(), access.clone(), SETTINGS);
        Process {
            engine: engine.await.unwrap(),
            access,
            store,
            proxy: Arc::new(proxy),
        }
    }

    pub(crate) fn bypasses(&self) -> bool {
        matches!(self.access.mode(), Mode::Bypasses(_))
    }

    /// The epoch in which it trusts the cache.
    pub(crate) fn trusts_in(&self) -> Option<u64> {
        let permit = self.access.permit()?;
        permit.fence.map(Epoch::get)
    }

    pub(crate) async fn write(&self, write: Write) -> Version {
        match self.engine.write(write).await.unwrap() {
            Outcome::Written { version, .. } => version,
            outcome => panic!("{outcome:?}"),
        }
    }

    pub(crate) async fn read(&self, name: &str) -> Read {
        self.engine.read(&Key::from(name)).await.unwrap()
    }
}

/// Two in the first epoch. Where the machine is so busy that one of them was taken for
/// dead meanwhile, that epoch has ended, and two others begin.
pub(crate) async fn two() -> (TestDatabase, [Process; 2]) {
    for _ in 0..STARTS_MAX {
        let database = TestDatabase::create();
        let processes = [
            Process::start(&database).await,
            Process::start(&database).await,
        ];
        let trust = || processes.iter().all(|one| one.trusts_in() == Some(0));
        if is_so_within(EVENTUALLY / 4, trust).await {
            return (database, processes);
        }
    }
    panic!("new processes do not trust the cache");
}

#[track_caller]
pub(crate) fn eventually(holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        assert!(is_so_within(EVENTUALLY, holds).await, "never: {caller}");
    }
}

async fn is_so_within(wait_timeout: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + wait_timeout;
    while !holds() {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    true
}

fn mysql_secret(url: &str) -> Secret {
    match DatabaseUrl::parse(url).unwrap() {
        DatabaseUrl::Mysql(secret) => secret,
        other => panic!("{other:?}"),
    }
}

fn redis_secret(url: &str) -> Secret {
    match CacheUrl::parse(url).unwrap() {
        CacheUrl::Redis(secret) => secret,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn body(name: &str, age: u8, occupation: &str) -> Bytes {
    User {
        name: name.to_owned(),
        age,
        occupation: occupation.to_owned(),
    }
    .to_body()
}

pub(crate) fn put(name: &str, age: u8) -> Write {
    Write::put(Key::from(name), body(name, age, "Tester"))
}
