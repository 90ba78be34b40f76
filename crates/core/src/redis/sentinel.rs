//! Asking Sentinels for the primary, and following it.
//!
//! All Sentinels are asked at once. The answer with the highest configuration epoch counts, since a Sentinel that was
//! cut off may still name the primary of before. Once a majority has answered, the others have little time left.
//! The Sentinels are asked whenever a connection to Redis is opened, and every second: a former primary that still
//! answers would be noticed by nothing else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, cmd};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{Error, Part, Result};
use crate::redis::endpoint::Endpoint;
use crate::redis::promotable::{Replicas, SeenReplica, Votes};
use crate::settings::{Address, RedisAddress, SentinelUrl};
use crate::timing;
use crate::tls::Tls;

/// The Sentinels of one primary.
pub(super) struct Sentinels {
    url: SentinelUrl,
    tls: Tls,
    asked: Vec<Sentinel>,
    timeout: Duration,
    // Their connections are driven there, whichever thread asks.
    runtime: Handle,
    asking: Mutex<()>,
    moved: Arc<AtomicU64>,
    known: RwLock<Known>,
}

/// What the Sentinels said last.
struct Known {
    primary: Endpoint,
    replicas: Replicas,
}

/// One Sentinel, and the connection to it.
struct Sentinel {
    endpoint: Endpoint,
    connection: Mutex<Option<MultiplexedConnection>>,
}

/// What a Sentinel says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    named: Named,
    replicas: Vec<SeenReplica>,
    /// How many Sentinels there are, as far as it knows.
    sentinels: usize,
}

/// The primary that a Sentinel names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    // The order of the fields is that in which answers are preferred.
    epoch: u64,
    /// Whether the server was promoted by a failover that is not complete yet.
    is_promoted: bool,
    host: String,
    port: u16,
}

impl Sentinels {
    pub(super) fn new(
        url: SentinelUrl,
        address: RedisAddress,
        timeout: Duration,
        moved: Arc<AtomicU64>,
    ) -> Result<Arc<Sentinels>> {
        let RedisAddress { address, sentinels } = address;
        let tls = address.tls;
        let mut asked = Vec::with_capacity(url.sentinels.len());
        for url in url.sentinel_urls(&sentinels) {
            let tls = tls.clone();
            asked.push(Sentinel {
                endpoint: Endpoint::new(Address { url, tls })?,
                connection: Mutex::default(),
            });
        }
        // Its name is none that any resolver knows.
        let unknown = url.server("primary.invalid", 6379);
        let unnamed = Endpoint::new(Address {
            url: unknown,
            tls: tls.clone(),
        })?;
        let runtime = Handle::current();
        let sentinels = Arc::new(Sentinels {
            url,
            tls,
            asked,
            timeout,
            runtime: runtime.clone(),
            asking: Mutex::default(),
            moved,
            known: RwLock::new(Known {
                primary: unnamed,
                replicas: Replicas::default(),
            }),
        });
        runtime.spawn(watch(Arc::downgrade(&sentinels)));
        Ok(sentinels)
    }

    pub(super) fn url(&self) -> &SentinelUrl {
        &self.url
    }

    pub(super) fn address(&self) -> String {
        self.url.address()
    }

    /// `HOST:PORT` of each replica that may be promoted.
    pub(super) fn promotable(&self) -> Vec<String> {
        self.known().replicas.promotable()
    }

    pub(super) fn last(&self) -> Endpoint {
        self.known().primary.clone()
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The primary, as the Sentinels name it now.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when none answers. [`Error::BadSetting`] when all that answer know no primary by the
    /// name.
    pub(super) async fn find(self: &Arc<Self>, part: Part) -> Result<Endpoint> {
        // One at a time, so that no answer takes effect after a later one.
        let _asking = self.asking.lock().await;
        let asks = self.clone();
        let found = self.runtime.spawn(async move { asks.ask(part).await });
        let (named, replicas) = found.await.map_err(|_| Error::Panicked)??;
        let endpoint = Endpoint::new(Address {
            url: self.url.server(&named.host, named.port),
            tls: self.tls.clone(),
        })?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.primary.address() != endpoint.address() {
            tracing::info!(primary = %endpoint.address(), "Sentinels name the Redis to use");
            known.primary = endpoint.clone();
            // IMPORTANT: with the address. Connections that were opened before it are not used any more, and no
            // registration at the former primary counts by what is said of the replicas of this one.
            self.moved.fetch_add(1, Ordering::AcqRel);
        }
        known.replicas = replicas;
        Ok(endpoint)
    }

    /// Asks all Sentinels at once.
    async fn ask(&self, part: Part) -> Result<(Named, Replicas)> {
        let mut answers: FuturesUnordered<_> = self
            .asked
            .iter()
            .map(|sentinel| sentinel.names(&self.url.primary, self.timeout))
            .collect();
        let majority = self.asked.len() / 2 + 1;
        let mut deadline = Instant::now() + self.timeout;
        let (mut newest, mut answered, mut failure) = (None, 0, None);
        let mut replicas = Votes::of(self.asked.len());
        while let Ok(Some(answer)) = tokio::time::timeout_at(deadline, answers.next()).await {
            match answer {
                Ok(said) => {
                    if let Some(said) = said {
                        newest = newest.max(Some(said.named));
                        replicas.count(said.replicas, said.sentinels);
                    }
                    answered += 1;
                    if answered == majority {
                        deadline = deadline.min(Instant::now() + timing::SENTINEL_MINORITY_TIMEOUT);
                    }
                }
                Err((sentinel, error)) => failure = Some(sentinel.failed(part, &error)),
            }
        }
        match (newest, failure) {
            (Some(named), _) => Ok((named, replicas.decided(&self.known().replicas))),
            (None, _) if answered > 0 => Err(Error::BadSetting {
                key: "CACHE_URL",
                reason: format!(
                    "no Sentinel knows a primary by the name {}",
                    self.url.primary
                )
                .into(),
            }),
            (None, Some(failure)) => Err(failure),
            (None, None) => Err(Error::unavailable(part, "no Sentinel answers in time")),
        }
    }
}

/// Asks regularly, so that connections to a former primary are given up.
async fn watch(sentinels: Weak<Sentinels>) {
    loop {
        tokio::time::sleep(timing::SENTINEL_WATCH_INTERVAL).await;
        let Some(sentinels) = sentinels.upgrade() else {
            return;
        };
        // What is wrong is found and reported by those who need a connection.
        let _ = sentinels.find(Part::Cache).await;
    }
}

impl Sentinel {
    /// What this Sentinel says of `primary`; `None` when it knows none by that name.
    async fn names(
        &self,
        primary: &str,
        timeout: Duration,
    ) -> std::result::Result<Option<Said>, (&Sentinel, RedisError)> {
        let mut held = self.connection.lock().await;
        let asked = async {
            if held.is_none() {
                *held = Some(self.connect(timeout).await?);
            }
            let Some(connection) = held.as_mut() else {
                return Ok(None);
            };
            ask_one(connection, primary).await
        };
        let answer = asked.await;
        if answer.is_err() {
            *held = None;
        }
        answer.map_err(|error| (self, error))
    }

    async fn connect(
        &self,
        timeout: Duration,
    ) -> std::result::Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        Client::open(self.endpoint.info_without_database())?
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// What it means that it did not answer.
    fn failed(&self, part: Part, error: &RedisError) -> Error {
        if let Some(distrusted) = self.endpoint.not_opened(part, error) {
            return distrusted;
        }
        let address = self.endpoint.address();
        let is_refused = error.kind() == ErrorKind::AuthenticationFailed
            || matches!(error.code(), Some("NOAUTH" | "NOPERM"));
        match is_refused {
            true => Error::distrusted(
                part,
                format!(
                    "the Sentinel at {address} refuses this client: correct SENTINEL_USER, SENTINEL_PASSWORD \
                     and the rights of that user (docs/permissions.md)"
                ),
            ),
            false => Error::unavailable(part, format!("the Sentinel at {address} does not answer")),
        }
    }
}

/// Asks for the address by the command that clients use, for the epoch that it is of, and for the replicas.
async fn ask_one(
    connection: &mut MultiplexedConnection,
    primary: &str,
) -> std::result::Result<Option<Said>, RedisError> {
    let address = cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(primary)
        .query_async::<Option<(String, u16)>>(connection)
        .await?;
    let Some((host, port)) = address else {
        return Ok(None);
    };
    let known: HashMap<String, String> = cmd("SENTINEL")
        .arg("MASTER")
        .arg(primary)
        .query_async(connection)
        .await?;
    let field = |name: &str| known.get(name).map(String::as_str).unwrap_or_default();
    // While a failover is not complete, the first command has its new primary and the second one its old one.
    let is_promoted = field("ip") != host || field("port") != port.to_string();
    let named = Named {
        epoch: field("config-epoch").parse().unwrap_or_default(),
        is_promoted,
        host,
        port,
    };
    let others: usize = field("num-other-sentinels").parse().unwrap_or_default();
    let replicas: Vec<HashMap<String, String>> = cmd("SENTINEL")
        .arg("REPLICAS")
        .arg(primary)
        .query_async(connection)
        .await?;
    Ok(Some(Said {
        named,
        replicas: replicas.iter().filter_map(SeenReplica::read).collect(),
        sentinels: others + 1,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_epoch_and_then_a_promoted_server_are_preferred() {
        let named = |epoch, is_promoted, port| Named {
            epoch,
            is_promoted,
            host: "a".to_owned(),
            port,
        };
        assert!(named(2, false, 1) > named(1, true, 2));
        assert!(named(1, true, 1) > named(1, false, 2));
        assert!(Some(named(0, false, 1)) > None);
    }
}
