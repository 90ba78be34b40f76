//! One connection to the server: opening it, and detecting that it is dead before a
//! command is sent over it.
//!
//! A connection ends in three ways. The server closes it (a restart, `timeout`,
//! `CLIENT KILL`): the driver reports that at once, by a push of RESP3. It is dropped
//! silently (a firewall): the system's keepalive finds that, and so does a `PING`
//! before the first command after a pause. It does not answer in time: the command
//! that waited finds that. In each case the next caller opens another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, PushInfo, PushKind, RedisError, cmd};
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime};
use tokio::sync::Semaphore;

use crate::error::{Error, Part, Result};
use crate::redis::denied;
use crate::redis::endpoint::Endpoint;
use crate::redis::finder::Finder;
use crate::redis::server::{REPLICA, Server};
use crate::redis::{Keyspace, OUT_OF_MEMORY, Place, READ_ONLY, RunKeys, UNSEEDED};
use crate::telemetry;
use crate::timing;

/// Connections that may be opened at the same time.
const OPENING_MAX: usize = 4;

/// Opens connections to one server.
#[derive(Clone)]
pub(super) struct Opener {
    pub(super) finder: Finder,
    pub(super) keyspace: Keyspace,
    pub(super) place: Arc<Place>,
    timeout: Duration,
    opening: Arc<Semaphore>,
}

/// A connection, and the names of the keys that live as long as the run of the
/// server that it goes to.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) connection: MultiplexedConnection,
    pub(super) keys: Arc<RunKeys>,
    pub(super) server_run: Arc<str>,
    state: Arc<State>,
    place: Arc<Place>,
    moved_before: u64,
    _counted: Arc<Counted>,
}

/// An open connection, in the metrics.
struct Counted;

impl Counted {
    fn new() -> Arc<Counted> {
        telemetry::redis_connection(true);
        Arc::new(Counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        telemetry::redis_connection(false);
    }
}

/// What all that use one connection know of it.
#[derive(Debug, Default)]
pub(super) struct State {
    /// It is of no use any more.
    broken: AtomicBool,
    /// It has ended, and not only failed to answer in time.
    ended: AtomicBool,
    /// When it was last asked for, in milliseconds of the process's clock.
    asked_for_ms: AtomicU64,
}

impl State {
    /// Whether it has ended: the server was restarted, or has closed it, or the
    /// network was cut. Another connection may work at once.
    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.broken.store(true, Ordering::Release);
    }
}

impl Opener {
    pub(super) fn new(
        finder: Finder,
        keyspace: Keyspace,
        place: Arc<Place>,
        timeout: Duration,
    ) -> Opener {
        Opener {
            finder,
            keyspace,
            place,
            timeout,
            opening: Arc::new(Semaphore::new(OPENING_MAX)),
        }
    }

    pub(super) async fn open(&self, part: Part) -> Result<Shared> {
        let place = self.place.clone();
        // IMPORTANT: found before anything else is read. Finding another server than before is a move.
        let (endpoint, moved_before) = self.finder.find(part).await?;
        let used = place.used();
        let state = Arc::new(State::default());
        let connection = self.connect(&endpoint, part, state.clone()).await?;
        let counted = Counted::new();
        // That it wants a client certificate a server may only say after the handshake.
        let server = Server::ask(&connection, self.finder.may_change())
            .await
            .map_err(|error| {
                let distrusted = endpoint.not_opened(part, &error);
                distrusted.unwrap_or_else(|| unavailable(part, &error))
            })?;
        place.is_replica.store(server.is_replica, Ordering::Release);
        if server.is_replica {
            // A replica would answer readers with older values.
            return Err(Error::unavailable(part, REPLICA));
        }
        let run = server.run;
        if used.run.is_some_and(|used| used != run) {
            return Err(Error::unavailable(part, "redis: it was restarted"));
        }
        state.asked_for_ms.store(now_ms(), Ordering::Relaxed);
        Ok(Shared {
            connection,
            keys: Arc::new(self.keyspace.in_epoch(&run, used.epoch)),
            server_run: run.into(),
            state,
            place,
            moved_before,
            _counted: counted,
        })
    }

    /// By a pool of its own, since each connection tells its own state that it ended.
    async fn connect(
        &self,
        endpoint: &Endpoint,
        part: Part,
        state: Arc<State>,
    ) -> Result<MultiplexedConnection> {
        let timed_out = |_| Error::unavailable(part, "redis: too many connections are opened");
        let opening = tokio::time::timeout(self.timeout, self.opening.acquire());
        let _opening = opening.await.map_err(timed_out)?;
        let hear = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                state.end();
            }
            Ok::<(), ()>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_push_sender(hear);
        let manager = Manager::new_with_config(endpoint.info_for_pushes(), config)
            .map_err(|error| unavailable(part, &error))?;
        let pool = Pool::builder(manager)
            .max_size(1)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(self.timeout))
            .build()
            .map_err(|error| Error::unavailable(part, error))?;
        let opened = pool.get().await.map_err(|error| {
            match &error {
                PoolError::Backend(cause) => {
                    let distrusted = endpoint.not_opened(part, cause);
                    distrusted.or_else(|| denied::error(part, cause))
                }
                _ => None,
            }
            .unwrap_or_else(|| Error::unavailable(part, error))
        })?;
        Ok(Connection::take(opened))
    }
}

impl Shared {
    pub(super) fn is_broken(&self) -> bool {
        // A connection that only reads would never find out that its server is a
        // replica now.
        self.state.broken.load(Ordering::Acquire) || self.place.moved() != self.moved_before
    }

    pub(super) fn state(&self) -> Arc<State> {
        self.state.clone()
    }

    /// Whether it may be used: after a pause the server is asked first.
    pub(super) async fn is_usable(&self) -> bool {
        let asked_for = self.state.asked_for_ms.swap(now_ms(), Ordering::Relaxed);
        if now_ms().saturating_sub(asked_for)
            >= timing::REDIS_TRUSTED_IDLE_LIFETIME.as_millis() as u64
        {
            // Boxed, so that the futures of most callers are small.
            Box::pin(self.ping(asked_for)).await;
        }
        !self.is_broken()
    }

    async fn ping(&self, asked_for: u64) {
        // For all callers that come meanwhile: it may be of no use to them either.
        self.state.asked_for_ms.store(asked_for, Ordering::Relaxed);
        let mut connection = self.connection.clone();
        let ping = cmd("PING");
        let ping = ping.query_async::<String>(&mut connection);
        if matches!(
            tokio::time::timeout(timing::REDIS_PING_TIMEOUT, ping).await,
            Ok(Ok(_))
        ) {
            self.state.asked_for_ms.store(now_ms(), Ordering::Relaxed);
        } else {
            self.state.end();
        }
    }

    /// What `error` means. When it says that the connection is of no use, the
    /// next command opens another.
    pub(super) fn failed(&self, part: Part, error: &RedisError) -> Error {
        if error.code() == Some(READ_ONLY) {
            self.place.moves();
        }
        if error.is_timeout() {
            self.state.broken.store(true, Ordering::Release);
        } else if error.is_io_error()
            || error.is_unrecoverable_error()
            || error.code() == Some(READ_ONLY)
        {
            self.state.end();
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

/// An error's text may have data in it, so only the kind and the code are taken.
pub(super) fn unavailable(part: Part, error: &RedisError) -> Error {
    use deadpool_redis::redis::ErrorKind;
    if let Some(denied) = denied::error(part, error) {
        return denied;
    }
    let code = error.code().unwrap_or_default();
    let detail = match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => code.to_owned(),
        kind => format!("{kind:?}"),
    };
    Error::unavailable(part, format!("redis: {detail}"))
}

fn now_ms() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64
}
