//! The link to a Redis server, which the Redis cache, journal and leases share: one connection
//! that carries all their commands, the layout of the keys, and the form of an entry.

mod binding;
mod configuration;
mod connection;
pub(crate) mod dead_letter;
mod denied;
mod endpoint;
mod entry;
mod evictions;
mod finder;
mod inspect;
mod keyspace;
mod kind;
mod link;
mod local;
mod names;
mod policy;
mod promotable;
mod read_lease;
mod rescue;
mod restart;
mod sentinel;
mod server;
mod stream;

pub(crate) use binding::{Ownership, newest};
pub(crate) use configuration::Configuration;
pub(crate) use entry::{Entry, dirty_value, encode_version, parse_version};
pub(crate) use evictions::Evictions;
pub(crate) use keyspace::{Keyspace, RunKeys};
pub(crate) use link::{Call, Link};
pub use names::patterns;
pub(crate) use restart::Issued;
pub(crate) use server::info;
pub(crate) use stream::{
    Direction, StreamEntry, Walk, is_known, pack, page, parse_id, unpack, versions,
};

use std::borrow::Cow;
use std::fmt::Debug;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use deadpool_redis::redis::Client;
use tokio::runtime::Handle;

use crate::error::{Error, Part, Result};
use crate::model::dataset::Dataset;
use crate::model::epoch::Epoch;
use crate::outage::admission::Admission;
use crate::outage::{Calls, words};
use crate::settings::RedisAddress;

use connection::{Opener, Shared};
use finder::Finder;
use read_lease::ReadLease;
use restart::Witness;

/// What a script answers when its clock has not been raised yet.
const UNSEEDED: &str = "UNSEEDED";
/// What the server answers when it holds as much as it may.
const OUT_OF_MEMORY: &str = "OOM";
/// What a server answers that is a replica now.
const READ_ONLY: &str = "READONLY";

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// A Redis server and the keys that belong to one database's data.
pub struct Redis {
    opener: Opener,
    // One connection carries many commands at once.
    shared: RwLock<Option<Shared>>,
    runtime: Handle,
    pub(crate) keyspace: Keyspace,
    timeout: Duration,
    // Tells the links of one process apart.
    number: u64,
    place: Arc<Place>,
}

/// What all links to one server have in common.
#[derive(Debug)]
struct Place {
    // Grows when the names of the keys are others: when the server is found to
    // have become a replica, by any link to it, and when another epoch begins.
    moved: Arc<AtomicU64>,
    used: RwLock<Used>,
    admission: Admission,
    evictions: Evictions,
    witness: Arc<Witness>,
    lease: Arc<ReadLease>,
    issued: Issued,
    // As last seen: whether the server is a replica, and whether it may evict anything (where
    // that is watched).
    is_replica: AtomicBool,
    evicts: AtomicBool,
    // Without one, nothing says that the server belongs to another database.
    ownership: OnceLock<Arc<dyn Ownership>>,
}

/// What the names of the keys are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Used {
    epoch: Epoch,
    /// The only run of the server that may be used, if there is only one.
    run: Option<String>,
}

/// Which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// [`Redis::link`]'s.
    Shared,
    /// [`Redis::local_link`]'s.
    Local,
    /// [`Redis::near_link`]'s.
    Nearest,
}

impl Place {
    fn new(keyspace: &Keyspace, moved: Arc<AtomicU64>) -> Place {
        Place {
            moved,
            used: RwLock::default(),
            admission: Admission::default(),
            evictions: Evictions::none(keyspace.shards()),
            witness: Witness::new(keyspace.shards()),
            lease: Arc::default(),
            issued: Issued::none(keyspace.shards()),
            is_replica: AtomicBool::new(false),
            evicts: AtomicBool::new(false),
            ownership: OnceLock::new(),
        }
    }

    fn moved(&self) -> u64 {
        self.moved.load(Ordering::Acquire)
    }

    fn moves(&self) {
        self.moved.fetch_add(1, Ordering::AcqRel);
    }

    fn used(&self) -> Used {
        let used = self.used.read();
        used.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Debug for Redis {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Redis({})", self.opener.finder.url())
    }
}

impl Redis {
    /// Connects to the server, for the data of one database: everything that is kept here is
    /// kept under its identity.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connect(
        address: impl Into<RedisAddress>,
        timeout: Duration,
        dataset: &Dataset,
    ) -> Result<Arc<Redis>> {
        let redis = Redis::unconnected(address, timeout, dataset)?;
        redis.answers().await?;
        Ok(redis)
    }

    /// Whether the server lets this process connect.
    ///
    /// # Errors
    /// When it does not.
    pub async fn answers(&self) -> Result<()> {
        let Err(error) = self.link(Part::Cache).await else {
            return Ok(());
        };
        if self.place.is_replica.load(Ordering::Acquire) {
            // It answers, but no link is opened to it: `is_primary` waits for it.
            return Ok(());
        }
        let endpoint = self.opener.finder.last();
        let cause = match &error {
            Error::Unavailable { lasting: false, .. } => {
                match endpoint.speaks_no_tls(Part::Cache).await {
                    None if endpoint.database() != 0 => self.is_unsupported().await,
                    no_tls => no_tls,
                }
            }
            _ => None,
        };
        Err(cause.unwrap_or(error))
    }

    /// As [`Redis::connect`], but the first request connects.
    ///
    /// # Errors
    /// When the driver does not take the URL.
    pub fn unconnected(
        address: impl Into<RedisAddress>,
        timeout: Duration,
        dataset: &Dataset,
    ) -> Result<Arc<Redis>> {
        let moved = Arc::default();
        let finder = Finder::new(address.into(), timeout, Arc::clone(&moved))?;
        let keyspace = Keyspace::new(dataset);
        let place = Arc::new(Place::new(&keyspace, moved));
        Redis::with(finder, timeout, keyspace, place)
    }

    /// Another link to the same server for the same data, over connections of its own with
    /// another timeout. The first request connects.
    ///
    /// # Errors
    /// When the driver does not take the URL.
    pub fn with_timeout(&self, timeout: Duration) -> Result<Arc<Redis>> {
        let (keyspace, place) = (self.keyspace.clone(), self.place.clone());
        Redis::with(self.opener.finder.clone(), timeout, keyspace, place)
    }

    /// Uses the names of this epoch from now on, in all links to this server, and
    /// no other run of the server than the given one.
    pub fn enter_epoch(&self, epoch: Epoch, run: Option<&str>) {
        let used = Used {
            epoch,
            run: run.map(str::to_owned),
        };
        let mut held = self
            .place
            .used
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if *held != used {
            *held = used;
            // IMPORTANT: after the names, which are read after this.
            self.place.moves();
        }
    }

    fn with(
        finder: Finder,
        timeout: Duration,
        keyspace: Keyspace,
        place: Arc<Place>,
    ) -> Result<Arc<Redis>> {
        Ok(Arc::new(Redis {
            opener: Opener::new(finder, keyspace.clone(), place.clone(), timeout),
            shared: RwLock::default(),
            runtime: Handle::current(),
            keyspace,
            timeout,
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            place,
        }))
    }

    /// Whether a connection is held that is known of nothing but to be of use.
    pub fn is_connected(&self) -> bool {
        let held = self.shared.read().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().is_some_and(|shared| !shared.is_broken())
    }

    /// Whether writes that only this server keeps are accepted now, over any link.
    pub fn admission(&self) -> &Admission {
        &self.place.admission
    }

    /// In which shards the cache may miss what only the journal has.
    pub(crate) fn evictions(&self) -> &Evictions {
        &self.place.evictions
    }

    /// What this process has learned from the server.
    pub(crate) fn witness(&self) -> &Witness {
        &self.place.witness
    }

    /// The newest version that this process knows to be issued, by shard.
    pub(crate) fn issued(&self) -> &Issued {
        &self.place.issued
    }

    /// Where the server is, without credentials.
    pub(crate) fn at(&self) -> String {
        self.opener.finder.url()
    }

    /// What opens a connection that is not a link.
    ///
    /// # Errors
    /// When there is no server to connect to.
    pub(crate) async fn client(&self, part: Part) -> Result<Client> {
        let (endpoint, _) = self.opener.finder.find(part).await?;
        Client::open(endpoint.info()).map_err(|error| connection::unavailable(part, &error))
    }

    /// Makes all links open other connections: the server is a replica now.
    pub(crate) fn reopen(&self) {
        self.place.moves();
    }

    /// Checks that the server belongs to this database, and that its policy keeps marks of doubt.
    async fn owned(&self, part: Part) -> Result<()> {
        if self.place.evicts.load(Ordering::Acquire) {
            return Err(Error::unavailable(part, policy::EVICTS));
        }
        let Some(ownership) = self.place.ownership.get() else {
            return Ok(());
        };
        if ownership.is_current() {
            return Ok(());
        }
        // What is rare is boxed here and below, so that the futures of most operations are small.
        let confirmed = Box::pin(tokio::time::timeout(self.timeout, ownership.confirm()));
        match confirmed.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.of_part(part)),
            Err(_) => Err(Error::unavailable(part, "redis: no answer in time")),
        }
    }

    /// What is wrong with a server that has failed a probe with `error`.
    pub(crate) fn problem(&self, error: &Error) -> Cow<'static, str> {
        if self.place.evicts.load(Ordering::Acquire) {
            return policy::EVICTS.into();
        }
        if self.place.is_replica.load(Ordering::Acquire) {
            return "it is a replica of another server, which takes no writes".into();
        }
        let ownership = self.place.ownership.get();
        let problem = ownership.and_then(|ownership| ownership.problem());
        problem.map_or_else(|| words::for_clients(Calls::Reads, error), Cow::Borrowed)
    }

    /// The connection that `part` may use now.
    pub(crate) async fn link(&self, part: Part) -> Result<Link> {
        self.owned(part).await?;
        let held = self
            .shared
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let shared = match held {
            Some(shared) if shared.is_usable().await => shared,
            _ => Box::pin(self.open_shared(part)).await?,
        };
        self.leased(part, &shared.server_run).await?;
        Ok(Link::new(part, shared))
    }

    /// One for this thread alone. It is driven where this is awaited, so only
    /// for what goes on there as long as the process does.
    pub(crate) async fn local_link(&self, part: Part) -> Result<Link> {
        self.owned(part).await?;
        let shared = match local::held(self.number) {
            Some(shared) if shared.is_usable().await => shared,
            _ => Box::pin(self.open_local(part)).await?,
        };
        self.leased(part, &shared.server_run).await?;
        Ok(Link::new(part, shared))
    }

    /// This thread's own connection where the thread goes on as long as the process does, and the
    /// shared one elsewhere.
    pub(crate) async fn near_link(&self, part: Part) -> Result<Link> {
        match local::is_kept_here() {
            true => self.local_link(part).await,
            false => self.link(part).await,
        }
    }

    /// Asks `question`, and repeats it over a new connection if the old one has ended, maybe long
    /// ago while idle. Only for questions that may be repeated.
    pub(crate) async fn ask<T, F>(
        &self,
        over: Over,
        part: Part,
        question: impl Fn(Link) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let link = self.link_over(over, part).await?;
        let connection = link.connection_state();
        match question(link).await {
            Err(_) if connection.ended() => {
                let again = async { question(self.link_over(over, part).await?).await };
                Box::pin(again).await
            }
            answer => answer,
        }
    }

    async fn link_over(&self, over: Over, part: Part) -> Result<Link> {
        match over {
            Over::Shared => self.link(part).await,
            Over::Local => self.local_link(part).await,
            Over::Nearest => self.near_link(part).await,
        }
    }

    async fn open_local(&self, part: Part) -> Result<Shared> {
        let open = async {
            let shared = self.opener.open(part).await?;
            local::hold(self.number, &shared);
            Ok(shared)
        };
        let opening = local::opening(self.number);
        opening.unless_done(|| local::held(self.number), open).await
    }

    async fn open_shared(&self, part: Part) -> Result<Shared> {
        // A connection's driver runs where it is opened, so that is the main
        // runtime and not that of whichever HTTP worker asked.
        let opener = self.opener.clone();
        let opened = self.runtime.spawn(async move { opener.open(part).await });
        let opened = opened.await;
        let shared = opened.map_err(|_| Error::Panicked)??;
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = Some(shared.clone());
        Ok(shared)
    }
}

/// A duration as Redis takes it, at least 1.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    (duration.as_millis() as u64).max(1)
}
