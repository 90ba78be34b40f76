//! Redis.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, Client, RedisResult, cmd};

use crate::error::{Error, Result};
use crate::server_url::ServerUrl;

/// How long connecting, or one command, may take.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How many keys the server is asked to look at by one command.
const SCAN_COUNT: u32 = 1000;

/// Checks that the server answers.
///
/// # Errors
/// When it does not.
pub async fn ping(server: &ServerUrl) -> Result<()> {
    let ask = async {
        let mut connection = connect(server).await?;
        cmd("PING").query_async::<()>(&mut connection).await
    };
    ask.await
        .map_err(|why| Error::failed(format!("the Redis at {server} does not answer"), why))
}

/// Removes what services have kept there for the data of the database of that identity, and
/// nothing else. Returns how many keys there were.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn remove_keys_of(server: &ServerUrl, identity: &str) -> Result<u64> {
    let remove = async {
        let mut connection = connect(server).await?;
        let mut removed = 0;
        for pattern in cache_core::redis::patterns(identity) {
            removed += remove_matching(&mut connection, &pattern).await?;
        }
        RedisResult::Ok(removed)
    };
    remove
        .await
        .map_err(|why| Error::failed(format!("removing what was left in {server}"), why))
}

async fn remove_matching(
    connection: &mut MultiplexedConnection,
    pattern: &str,
) -> RedisResult<u64> {
    let mut removed = 0;
    let mut cursor = 0_u64;
    // As often as there are keys in the server: it ends when the cursor has come around.
    loop {
        let (next, keys): (u64, Vec<Vec<u8>>) = cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(pattern)
            .arg("COUNT")
            .arg(SCAN_COUNT)
            .query_async(connection)
            .await?;
        if !keys.is_empty() {
            removed += cmd("UNLINK")
                .arg(keys)
                .query_async::<u64>(connection)
                .await?;
        }
        cursor = next;
        if cursor == 0 {
            return Ok(removed);
        }
    }
}

/// A connection that asks what the server uses.
pub struct UseReader(MultiplexedConnection);

impl std::fmt::Debug for UseReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("UseReader")
    }
}

impl UseReader {
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connect(server: &ServerUrl) -> Result<UseReader> {
        let connected = connect(server).await;
        connected
            .map(UseReader)
            .map_err(|why| Error::failed(format!("asking {server}"), why))
    }

    /// Its processor time since its start, in seconds, and its resident memory, in bytes; `None`
    /// if it does not say.
    pub async fn used(&mut self) -> Option<(f64, u64)> {
        let asked = cmd("INFO").query_async(&mut self.0).await;
        used_in(&asked.unwrap_or(String::new()))
    }
}

fn used_in(info: &str) -> Option<(f64, u64)> {
    let value = |name: &str| {
        let named = |line: &str| {
            let (key, value) = line.split_once(':')?;
            (key == name).then(|| value.trim().to_owned())
        };
        info.lines().find_map(named)
    };
    let seconds = |name| value(name)?.parse::<f64>().ok();
    let cpu_s = seconds("used_cpu_sys")? + seconds("used_cpu_user")?;
    Some((cpu_s, value("used_memory_rss")?.parse().ok()?))
}

/// The cache of a plain handler: one hash, which is removed afterwards; or memory.
#[derive(Clone)]
pub(crate) enum PlainCache {
    Redis(MultiplexedConnection, String),
    Memory(Arc<Mutex<HashMap<String, String>>>),
}

impl std::fmt::Debug for PlainCache {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PlainCache")
    }
}

impl PlainCache {
    pub(crate) async fn connect(server: &ServerUrl, key: &str) -> RedisResult<PlainCache> {
        let connection = connect(server).await?;
        Ok(PlainCache::Redis(connection, key.to_owned()))
    }

    pub(crate) fn in_memory() -> PlainCache {
        PlainCache::Memory(Arc::default())
    }

    pub(crate) async fn set(&self, name: &str, text: String) -> RedisResult<()> {
        match self {
            PlainCache::Redis(connection, key) => {
                let set = cmd("HSET").arg(key).arg(name).arg(text).to_owned();
                set.query_async(&mut connection.clone()).await
            }
            PlainCache::Memory(entries) => {
                locked(entries).insert(name.to_owned(), text);
                Ok(())
            }
        }
    }

    pub(crate) async fn get(&self, name: &str) -> RedisResult<Option<String>> {
        match self {
            PlainCache::Redis(connection, key) => {
                let get = cmd("HGET").arg(key).arg(name).to_owned();
                get.query_async(&mut connection.clone()).await
            }
            PlainCache::Memory(entries) => Ok(locked(entries).get(name).cloned()),
        }
    }

    pub(crate) async fn remove(&self, name: &str) -> RedisResult<()> {
        match self {
            PlainCache::Redis(connection, key) => {
                let remove = cmd("HDEL").arg(key).arg(name).to_owned();
                remove.query_async(&mut connection.clone()).await
            }
            PlainCache::Memory(entries) => {
                locked(entries).remove(name);
                Ok(())
            }
        }
    }
}

fn locked(entries: &Mutex<HashMap<String, String>>) -> MutexGuard<'_, HashMap<String, String>> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes one key.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub(crate) async fn remove_key(server: &ServerUrl, key: &str) -> Result<()> {
    let remove = async {
        let mut connection = connect(server).await?;
        cmd("UNLINK")
            .arg(key)
            .query_async::<()>(&mut connection)
            .await
    };
    let removed = remove.await;
    removed.map_err(|why| Error::failed(format!("removing what was left in {server}"), why))
}

async fn connect(server: &ServerUrl) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(WAIT_TIMEOUT))
        .set_response_timeout(Some(WAIT_TIMEOUT));
    Client::open(server.expose())?
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_of_system_and_user_without_that_of_children() {
        let info = "# Memory\r\nused_memory:1\r\nused_memory_rss:4096\r\nused_memory_rss_human:4K\r\n\
                    # CPU\r\nused_cpu_sys:1.25\r\nused_cpu_user:2.5\r\nused_cpu_sys_children:9.0\r\n";
        assert_eq!(used_in(info), Some((3.75, 4096)));
        assert_eq!(used_in("# CPU\r\n"), None);
    }
}
