//! The link to a Redis server, which the Redis cache and journal share: one
//! connection that carries everybody's commands at once, the layout of the
//! keys, and the form of an entry.

mod clock;
mod entry;
mod keyspace;

pub(crate) use entry::{Entry, encode_version, parse_version};
pub(crate) use keyspace::Keyspace;

use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    self, AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult,
    Script, ServerErrorKind,
};
use deadpool_redis::{Connection, Manager, Pool, Runtime};
use tokio::runtime::Handle;

use crate::error::{Error, Part, Result};
use crate::settings::Secret;

/// Connections that may be opened while a broken one is being replaced.
const CONNECTIONS_MAX: usize = 4;
/// What a script answers when its clock has not been raised yet.
const UNSEEDED: &str = "UNSEEDED";

/// A Redis server and the keys that belong to one database's data.
pub struct Redis {
    pool: Pool,
    // The pool checks a connection each time it lends it; one shared clone
    // carries many commands at once without that.
    shared: RwLock<Option<MultiplexedConnection>>,
    runtime: Handle,
    pub(crate) keyspace: Keyspace,
    url: Secret,
}

impl Debug for Redis {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Redis({})", self.url)
    }
}

impl Redis {
    /// Connects to the server. `identity` is the database's: everything that is
    /// kept here is kept under it.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connect(url: Secret, timeout: Duration, identity: &str) -> Result<Arc<Redis>> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        let manager = Manager::new_with_config(url.expose(), config).map_err(|error| {
            let reason = error.detail().unwrap_or("is not one that the driver takes");
            Error::BadSetting {
                key: "CACHE_URL",
                reason: reason.into(),
            }
        })?;
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS_MAX)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(timeout))
            .create_timeout(Some(timeout))
            .recycle_timeout(Some(timeout))
            .build()
            .map_err(|error| Error::unavailable(Part::Cache, error))?;
        let redis = Redis {
            pool,
            shared: RwLock::default(),
            runtime: Handle::current(),
            keyspace: Keyspace::new(identity),
            url,
        };
        redis.connection(Part::Cache).await?;
        Ok(Arc::new(redis))
    }

    /// Where the server is, without credentials.
    pub(crate) fn at(&self) -> String {
        self.url.to_string()
    }

    async fn connection(&self, part: Part) -> Result<MultiplexedConnection> {
        if let Some(shared) = &*self.shared.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(shared.clone());
        }
        // A connection's driver runs where it is opened, so that is the main
        // runtime and not that of whichever HTTP worker asked.
        let pool = self.pool.clone();
        let opened = self.runtime.spawn(async move { pool.get().await }).await;
        let opened = opened
            .map_err(|_| Error::Panicked)?
            .map_err(|error| Error::unavailable(part, error))?;
        let opened = Connection::take(opened);
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = Some(opened.clone());
        Ok(opened)
    }

    /// Gives up the shared connection when `error` says that it is of no use,
    /// so that the next command opens another.
    fn failed(&self, part: Part, error: &RedisError) -> Error {
        if error.is_io_error() || error.is_unrecoverable_error() || error.is_timeout() {
            self.shared
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
        }
        if error.code() == Some(UNSEEDED) {
            return Error::Unseeded(part);
        }
        unavailable(part, error)
    }

    /// Runs one command for `part`.
    pub(crate) async fn command<T: FromRedisValue>(&self, part: Part, command: &Cmd) -> Result<T> {
        let mut connection = self.connection(part).await?;
        command
            .query_async(&mut connection)
            .await
            .map_err(|error| self.failed(part, &error))
    }

    /// Runs scripts in one round trip. Each runs whole, but another client's
    /// commands may come between two of them.
    ///
    /// # Errors
    /// [`Error::Unseeded`] if any script says so, else the first error.
    pub(crate) async fn scripts<T: FromRedisValue>(
        &self,
        part: Part,
        calls: &[Call<'_>],
    ) -> Result<Vec<T>> {
        if calls.is_empty() {
            // The driver refuses a pipeline that holds nothing.
            return Ok(Vec::new());
        }
        let mut connection = self.connection(part).await?;
        let mut pipeline = Pipeline::with_capacity(calls.len());
        for call in calls {
            pipeline.add_command(call.command());
        }
        pipeline.ignore_errors();
        let results: Vec<RedisResult<T>> = pipeline
            .query_async(&mut connection)
            .await
            .map_err(|error| self.failed(part, &error))?;
        let mut answers = Vec::with_capacity(calls.len());
        for (result, call) in results.into_iter().zip(calls) {
            let answer = match result {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    // It did not run, so it may run now.
                    call.load(&mut connection)
                        .await
                        .map_err(|error| self.failed(part, &error))?;
                    call.command().query_async(&mut connection).await
                }
                other => other,
            };
            answers.push(answer.map_err(|error| self.failed(part, &error)));
        }
        match answers
            .iter()
            .position(|answer| matches!(answer, Err(Error::Unseeded(_))))
        {
            Some(_) => Err(Error::Unseeded(part)),
            None => answers.into_iter().collect(),
        }
    }

    /// Runs one script.
    pub(crate) async fn script<T: FromRedisValue>(&self, part: Part, call: Call<'_>) -> Result<T> {
        let mut answers = self.scripts(part, &[call]).await?;
        answers
            .pop()
            .ok_or_else(|| Error::unavailable(part, "the server answered nothing"))
    }
}

/// A duration as Redis takes it, at least 1.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    (duration.as_millis() as u64).max(1)
}

/// A pipeline's error lists every failed command with its data, so only the
/// kind and the code are taken from it.
fn unavailable(part: Part, error: &RedisError) -> Error {
    let code = error.code().unwrap_or_default();
    let detail = match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => code.to_owned(),
        kind => format!("{kind:?}"),
    };
    Error::unavailable(part, format!("redis: {detail}"))
}

/// One call of a script.
pub(crate) struct Call<'a> {
    script: &'a Script,
    keys: usize,
    arguments: Cmd,
}

impl<'a> Call<'a> {
    /// `script` with `keys`, all of one shard.
    pub(crate) fn new(script: &'a Script, keys: Vec<String>) -> Call<'a> {
        let mut arguments = redis::cmd("EVALSHA");
        arguments.arg(script.get_hash()).arg(keys.len());
        for key in &keys {
            arguments.arg(key);
        }
        Call {
            script,
            keys: keys.len(),
            arguments,
        }
    }

    /// Adds an argument.
    pub(crate) fn arg(&mut self, argument: impl redis::ToRedisArgs) -> &mut Self {
        self.arguments.arg(argument);
        self
    }

    fn command(&self) -> Cmd {
        self.arguments.clone()
    }

    async fn load(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        self.script
            .prepare_invoke()
            .load_async(connection)
            .await
            .map(drop)
    }
}

impl Debug for Call<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Call({} keys)", self.keys)
    }
}
