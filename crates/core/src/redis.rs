//! The link to a Redis server, which the Redis cache, journal and leases share:
//! one connection that carries everybody's commands at once, the layout of the
//! keys, and the form of an entry.

mod clock;
pub(crate) mod dead_letter;
mod endpoint;
mod entry;
mod keyspace;
mod link;
mod local;
mod recovery;
mod returned;
mod server;
mod stream;

pub(crate) use entry::{Entry, encode_version, parse_version};
pub(crate) use keyspace::{Keyspace, RunKeys};
pub(crate) use link::{Call, Link};
pub(crate) use server::info;
pub(crate) use stream::{Walk, parse_entry, parse_id, range};

use std::fmt::Debug;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, Client, RedisError, RedisResult};
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime};
use tokio::runtime::Handle;

use crate::admission::Admission;
use crate::error::{Error, Part, Result};
use crate::membership::Epoch;
use crate::settings::Address;

use endpoint::Endpoint;

/// Connections that may be opened while a broken one is being replaced.
const CONNECTIONS_MAX: usize = 4;
/// What a script answers when its clock has not been raised yet.
const UNSEEDED: &str = "UNSEEDED";
/// What the server answers when it holds as much as it may.
const OUT_OF_MEMORY: &str = "OOM";
/// What a server answers that is a replica now.
const READ_ONLY: &str = "READONLY";

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// A Redis server and the keys that belong to one database's data.
pub struct Redis {
    pool: Pool,
    // The pool checks a connection each time it lends it; one shared clone
    // carries many commands at once without that.
    shared: RwLock<Option<Shared>>,
    runtime: Handle,
    pub(crate) keyspace: Keyspace,
    endpoint: Endpoint,
    // Tells the links of one process apart.
    number: u64,
    place: Arc<Place>,
}

/// What all links to one server have in common.
#[derive(Debug, Default)]
struct Place {
    // Grows when the names of the keys are others: when the server is found to
    // have become a replica, by any link to it, and when another epoch begins.
    moved: AtomicU64,
    used: RwLock<Used>,
    admission: Admission,
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
}

/// A connection, and the names of the keys that live as long as the run of the
/// server that it goes to.
#[derive(Clone)]
struct Shared {
    connection: MultiplexedConnection,
    keys: Arc<RunKeys>,
    server_run: Arc<str>,
    broken: Arc<AtomicBool>,
    /// Whether it broke at once, and not by a time that ran out.
    ended: Arc<AtomicBool>,
    place: Arc<Place>,
    moved_before: u64,
}

impl Shared {
    fn is_broken(&self) -> bool {
        // One that only reads would never hear that its server is a replica now.
        self.broken.load(Ordering::Acquire)
            || self.place.moved.load(Ordering::Acquire) != self.moved_before
    }
}

impl Debug for Redis {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Redis({})", self.endpoint.url())
    }
}

impl Redis {
    /// Connects to the server. `identity` is the database's: everything that is
    /// kept here is kept under it.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connect(
        address: impl Into<Address>,
        timeout: Duration,
        identity: &str,
    ) -> Result<Arc<Redis>> {
        let redis = Redis::unconnected(address, timeout, identity)?;
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
        let no_tls = match &error {
            Error::Unavailable { lasting: false, .. } => {
                self.endpoint.speaks_no_tls(Part::Cache).await
            }
            _ => None,
        };
        Err(no_tls.unwrap_or(error))
    }

    /// As [`Redis::connect`], but the first who asks something connects.
    ///
    /// # Errors
    /// When the driver does not take the URL.
    pub fn unconnected(
        address: impl Into<Address>,
        timeout: Duration,
        identity: &str,
    ) -> Result<Arc<Redis>> {
        let endpoint = Endpoint::new(address.into())?;
        Redis::with(endpoint, timeout, Keyspace::new(identity), Arc::default())
    }

    /// Another link to the same server for the same data, over connections of
    /// its own that are given another time to answer. The first who asks
    /// something connects.
    ///
    /// # Errors
    /// When the driver does not take the URL.
    pub fn again(&self, timeout: Duration) -> Result<Arc<Redis>> {
        let (keyspace, place) = (self.keyspace.clone(), self.place.clone());
        Redis::with(self.endpoint.clone(), timeout, keyspace, place)
    }

    /// Uses the names of this epoch from now on, in all links to this server, and
    /// no other run of the server than the given one.
    pub fn enter(&self, epoch: Epoch, run: Option<&str>) {
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
            self.place.moved.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn with(
        endpoint: Endpoint,
        timeout: Duration,
        keyspace: Keyspace,
        place: Arc<Place>,
    ) -> Result<Arc<Redis>> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        let manager = Manager::new_with_config(endpoint.info(), config)
            .map_err(|error| unavailable(Part::Cache, &error))?;
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS_MAX)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(timeout))
            .create_timeout(Some(timeout))
            .recycle_timeout(Some(timeout))
            .build()
            .map_err(|error| Error::unavailable(Part::Cache, error))?;
        Ok(Arc::new(Redis {
            pool,
            shared: RwLock::default(),
            runtime: Handle::current(),
            keyspace,
            endpoint,
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            place,
        }))
    }

    /// Whether writes that only this server keeps are accepted now, over any link.
    pub fn admission(&self) -> &Admission {
        &self.place.admission
    }

    /// Where the server is, without credentials.
    pub(crate) fn at(&self) -> String {
        self.endpoint.url().to_string()
    }

    /// What opens a connection that is not a link.
    ///
    /// # Errors
    /// When the driver does not take the URL.
    pub(crate) fn client(&self) -> RedisResult<Client> {
        Client::open(self.endpoint.info())
    }

    /// The connection that `part` may use now.
    pub(crate) async fn link(&self, part: Part) -> Result<Link> {
        let held = self
            .shared
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let shared = match held.filter(|shared| !shared.is_broken()) {
            Some(shared) => shared,
            None => self.open_shared(part).await?,
        };
        Ok(Link::new(part, shared))
    }

    /// One for this thread alone. It is driven where this is awaited, so only
    /// for what goes on there as long as the process does.
    pub(crate) async fn local_link(&self, part: Part) -> Result<Link> {
        let shared = match local::held(self.number) {
            Some(shared) => shared,
            None => {
                let open = async {
                    let place = self.place.clone();
                    let (pool, keyspace) = (&self.pool, &self.keyspace);
                    let shared = open(&self.endpoint, pool, keyspace, place, part).await?;
                    local::hold(self.number, &shared);
                    Ok(shared)
                };
                let opening = local::opening(self.number);
                opening
                    .unless_done(|| local::held(self.number), open)
                    .await?
            }
        };
        Ok(Link::new(part, shared))
    }

    /// Asks, and once more over a new connection when the one it was asked over
    /// turns out to have ended: nobody may have used it since. Only for what may
    /// be repeated.
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
        let ended = link.ended();
        match question(link).await {
            Err(_) if ended.load(Ordering::Acquire) => {
                question(self.link_over(over, part).await?).await
            }
            answer => answer,
        }
    }

    async fn link_over(&self, over: Over, part: Part) -> Result<Link> {
        match over {
            Over::Shared => self.link(part).await,
            Over::Local => self.local_link(part).await,
        }
    }

    async fn open_shared(&self, part: Part) -> Result<Shared> {
        // A connection's driver runs where it is opened, so that is the main
        // runtime and not that of whichever HTTP worker asked.
        let (pool, keyspace) = (self.pool.clone(), self.keyspace.clone());
        let (endpoint, place) = (self.endpoint.clone(), self.place.clone());
        let opened = self
            .runtime
            .spawn(async move { open(&endpoint, &pool, &keyspace, place, part).await })
            .await;
        let shared = opened.map_err(|_| Error::Panicked)??;
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = Some(shared.clone());
        Ok(shared)
    }
}

async fn open(
    endpoint: &Endpoint,
    pool: &Pool,
    keyspace: &Keyspace,
    place: Arc<Place>,
    part: Part,
) -> Result<Shared> {
    let moved_before = place.moved.load(Ordering::Acquire);
    let used = place
        .used
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let opened = pool.get().await.map_err(|error| {
        match &error {
            PoolError::Backend(cause) => endpoint.not_opened(part, cause),
            _ => None,
        }
        .unwrap_or_else(|| Error::unavailable(part, error))
    })?;
    let mut connection = Connection::take(opened);
    // That it wants a client certificate a server may only say after the handshake.
    let run = server::run(&mut connection).await.map_err(|error| {
        let distrusted = endpoint.not_opened(part, &error);
        distrusted.unwrap_or_else(|| unavailable(part, &error))
    })?;
    if used.run.is_some_and(|used| used != run) {
        return Err(Error::unavailable(part, "redis: it was started anew"));
    }
    Ok(Shared {
        connection,
        keys: Arc::new(keyspace.in_epoch(&run, used.epoch)),
        server_run: run.into(),
        broken: Arc::default(),
        ended: Arc::default(),
        place,
        moved_before,
    })
}

impl Shared {
    /// What `error` means. When it says that the connection is of no use, the
    /// next command opens another.
    fn failed(&self, part: Part, error: &RedisError) -> Error {
        if error.is_io_error()
            || error.is_unrecoverable_error()
            || error.is_timeout()
            || error.code() == Some(READ_ONLY)
        {
            if error.code() == Some(READ_ONLY) {
                self.place.moved.fetch_add(1, Ordering::AcqRel);
            }
            self.ended.store(!error.is_timeout(), Ordering::Release);
            self.broken.store(true, Ordering::Release);
        }
        match error.code() {
            Some(UNSEEDED) => Error::Unseeded(part),
            Some(OUT_OF_MEMORY) => Error::Full {
                what: "Redis is out of memory",
                retry_after: Duration::ZERO,
            },
            _ => unavailable(part, error),
        }
    }
}

/// A duration as Redis takes it, at least 1.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    (duration.as_millis() as u64).max(1)
}

/// A pipeline's error lists every failed command with its data, so only the
/// kind and the code are taken from it.
fn unavailable(part: Part, error: &RedisError) -> Error {
    use deadpool_redis::redis::ErrorKind;
    let code = error.code().unwrap_or_default();
    let detail = match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => code.to_owned(),
        kind => format!("{kind:?}"),
    };
    Error::unavailable(part, format!("redis: {detail}"))
}
