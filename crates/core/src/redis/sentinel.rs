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
    /// Before they were asked; `None` until they have named a primary.
    asked_at: Option<Instant>,
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
                replicas: Replicas::none(),
                asked_at: None,
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

    /// The primary, as the Sentinels name it now, and how often another one was named until now.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when none answers, or none knows a primary by the name. [`Error::BadSetting`] when a
    /// majority knows none and none has ever been named.
    pub(super) async fn find(self: &Arc<Self>, part: Part) -> Result<(Endpoint, u64)> {
        let came_at = Instant::now();
        // One at a time, so that no answer takes effect after a later one.
        let asking = tokio::time::timeout(self.timeout, self.asking.lock());
        let late = |_| Error::unavailable(part, "no Sentinel answers in time");
        let _asking = asking.await.map_err(late)?;
        let asked_at = Instant::now();
        {
            let known = self.known();
            // Those that waited for an answer share the one that follows.
            if known.asked_at.is_some_and(|asked_at| asked_at >= came_at) {
                return Ok((known.primary.clone(), self.moved.load(Ordering::Acquire)));
            }
        }
        let asks = self.clone();
        let found = self.runtime.spawn(async move { asks.ask(part).await });
        let (named, votes) = found.await.map_err(|_| Error::Panicked)??;
        let endpoint = Endpoint::new(Address {
            url: self.url.server(&named.host, named.port),
            tls: self.tls.clone(),
        })?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.primary.address() != endpoint.address() {
            tracing::info!(primary = %endpoint.address(), "Sentinels name the Redis to use");
            known.primary = endpoint.clone();
            known.replicas = Replicas::none();
            // IMPORTANT: with the address. Connections that were opened before it are not used any more, and no
            // registration at the former primary counts by what is said of the replicas of this one.
            self.moved.fetch_add(1, Ordering::AcqRel);
        }
        known.replicas = votes.decided(&named.address(), &known.replicas);
        known.asked_at = Some(asked_at);
        Ok((endpoint, self.moved.load(Ordering::Acquire)))
    }

    /// Asks all Sentinels at once.
    async fn ask(&self, part: Part) -> Result<(Named, Votes)> {
        let mut votes = Votes::of(self.asked.len());
        let mut answers: FuturesUnordered<_> = self
            .asked
            .iter()
            .map(|sentinel| sentinel.names(&self.url.primary, self.timeout))
            .collect();
        let majority = self.asked.len() / 2 + 1;
        let mut deadline = Instant::now() + self.timeout;
        let (mut said, mut unknown, mut failure) = (Vec::new(), 0, None);
        while let Ok(Some(answer)) = tokio::time::timeout_at(deadline, answers.next()).await {
            match answer {
                Ok(Some(answer)) => said.push(answer),
                Ok(None) => unknown += 1,
                Err((sentinel, error)) => {
                    let failed = sentinel.failed(part, &error);
                    let is_lasting = matches!(failed, Error::Unavailable { lasting: true, .. });
                    if failure.is_none() || is_lasting {
                        failure = Some(failed);
                    }
                }
            }
            if said.len() + unknown == majority {
                deadline = deadline.min(Instant::now() + timing::SENTINEL_MINORITY_TIMEOUT);
            }
        }
        if let Some(newest) = said.iter().map(|said| said.named.clone()).max() {
            // What the others say is of the replicas of another primary.
            let agreeing = |said: &Said| said.named.address() == newest.address();
            for said in said.into_iter().filter(agreeing) {
                votes.count(said.replicas, said.sentinels);
            }
            return Ok((newest, votes));
        }
        let reason = format!(
            "no Sentinel knows a primary by the name {}",
            self.url.primary
        );
        match failure {
            _ if unknown >= majority && self.known().asked_at.is_none() => Err(Error::BadSetting {
                key: "CACHE_URL",
                reason: reason.into(),
            }),
            _ if unknown > 0 => Err(Error::unavailable(part, reason)),
            Some(failure) => Err(failure),
            None => Err(Error::unavailable(part, "no Sentinel answers in time")),
        }
    }
}

impl Named {
    fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Asks regularly, so that connections to a former primary are given up.
async fn watch(sentinels: Weak<Sentinels>) {
    loop {
        tokio::time::sleep(timing::SENTINEL_WATCH_INTERVAL).await;
        let Some(sentinels) = sentinels.upgrade() else {
            return;
        };
        // Calls that need a connection report what is wrong.
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
            // IMPORTANT: put back only after it has answered. One that is silent is not asked again.
            let mut connection = match held.take() {
                Some(connection) => connection,
                None => self.connect(timeout).await?,
            };
            let answer = ask_one(&mut connection, primary).await?;
            *held = Some(connection);
            Ok(answer)
        };
        asked.await.map_err(|error| (self, error))
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
    // IMPORTANT: the epoch first. An address of before must not come with an epoch of after.
    let mut known = cmd("SENTINEL");
    let known = known.arg("MASTER").arg(primary);
    let known: HashMap<String, String> = match known.query_async(connection).await {
        Ok(known) => known,
        // It knows none by the name. Other failures fail again below.
        Err(error) if error.code() == Some("ERR") => HashMap::new(),
        Err(error) => return Err(error),
    };
    let address = cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(primary)
        .query_async::<Option<(String, u16)>>(connection)
        .await?;
    let Some((host, port)) = address else {
        return Ok(None);
    };
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
