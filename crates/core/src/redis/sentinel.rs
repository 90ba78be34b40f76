//! Asking Sentinels for the primary, and following it.
//!
//! All Sentinels are asked at once. The answer with the highest configuration epoch counts, since a Sentinel that was
//! cut off may still name the primary of before. Once a majority has answered, the others have little time left.
//! The Sentinels are asked whenever a connection to Redis is opened, and every second: a former primary that still
//! answers would be noticed by nothing else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, Client, RedisError, cmd};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{Error, Part, Result};
use crate::redis::endpoint::Endpoint;
use crate::settings::{Address, RedisAddress, Secret, SentinelUrl};
use crate::tls::Tls;

/// How often the Sentinels are asked whether the primary is still the same.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// How long the other Sentinels may take once a majority has answered.
const MINORITY_TIMEOUT: Duration = Duration::from_millis(100);

/// The Sentinels of one primary.
pub(super) struct Sentinels {
    url: SentinelUrl,
    tls: Tls,
    asked: Vec<Sentinel>,
    timeout: Duration,
    // Their connections are driven there, whichever thread asks.
    runtime: Handle,
    asking: Mutex<()>,
    last: RwLock<Endpoint>,
    moved: Arc<AtomicU64>,
    /// How many replicas may be promoted.
    replicas: AtomicU32,
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
    /// How many replicas it does not count as down.
    replicas: u32,
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
        let scheme = match sentinels.tls.unwrap_or(url.is_tls) {
            true => "rediss",
            false => "redis",
        };
        let mut asked = Vec::with_capacity(url.sentinels.len());
        for (host, port) in url.hosts() {
            let url = Secret::new(format!("{scheme}://{host}:{port}"));
            let tls = tls.clone();
            let endpoint = Endpoint::new(Address { url, tls })?;
            asked.push(Sentinel {
                endpoint: endpoint.with_login(&sentinels),
                connection: Mutex::default(),
            });
        }
        // Its name is none that any resolver knows.
        let unknown = url.server("primary.invalid", 6379);
        let last = Endpoint::new(Address {
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
            last: RwLock::new(last),
            moved,
            replicas: AtomicU32::new(0),
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

    /// How many replicas may be promoted, as far as is known.
    pub(super) fn replicas(&self) -> u32 {
        self.replicas.load(Ordering::Acquire)
    }

    pub(super) fn last(&self) -> Endpoint {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        last.clone()
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
        let named = found.await.map_err(|_| Error::Panicked)??;
        let endpoint = Endpoint::new(Address {
            url: self.url.server(&named.host, named.port),
            tls: self.tls.clone(),
        })?;
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        if last.address() != endpoint.address() {
            tracing::info!(primary = %endpoint.address(), "Sentinels name the Redis to use");
            *last = endpoint.clone();
            // IMPORTANT: after the address. Connections that were opened before it are not used any more.
            self.moved.fetch_add(1, Ordering::AcqRel);
        }
        Ok(endpoint)
    }

    /// Asks all Sentinels at once.
    async fn ask(&self, part: Part) -> Result<Named> {
        let mut answers: FuturesUnordered<_> = self
            .asked
            .iter()
            .map(|sentinel| sentinel.names(&self.url.primary, self.timeout))
            .collect();
        let majority = self.asked.len() / 2 + 1;
        let mut deadline = Instant::now() + self.timeout;
        let (mut newest, mut answered, mut failure) = (None, 0, None);
        let mut replicas = Vec::new();
        while let Ok(Some(answer)) = tokio::time::timeout_at(deadline, answers.next()).await {
            match answer {
                Ok(said) => {
                    if let Some(said) = said {
                        newest = newest.max(Some(said.named));
                        replicas.push(said.replicas);
                    }
                    answered += 1;
                    if answered == majority {
                        deadline = deadline.min(Instant::now() + MINORITY_TIMEOUT);
                    }
                }
                Err((sentinel, error)) => failure = Some(sentinel.failed(part, &error)),
            }
        }
        let before = self.replicas.load(Ordering::Acquire);
        let now = agreed(replicas, before, self.asked.len());
        self.replicas.store(now, Ordering::Release);
        match (newest, failure) {
            (Some(named), _) => Ok(named),
            (None, _) if answered > 0 => Err(Error::BadSetting {
                key: "CACHE_URL",
                reason: format!("no Sentinel knows a primary by the name {}", self.url.primary)
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
        tokio::time::sleep(WATCH_INTERVAL).await;
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
        match error.code() {
            Some(code @ ("WRONGPASS" | "NOAUTH" | "NOPERM")) => Error::distrusted(
                part,
                format!(
                    "the Sentinel at {address} refuses this client ({code}): correct SENTINEL_USER, SENTINEL_PASSWORD \
                     and the rights of that user (docs/permissions.md)"
                ),
            ),
            _ => Error::unavailable(part, format!("the Sentinel at {address} does not answer")),
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
    let replicas: Vec<HashMap<String, String>> = cmd("SENTINEL")
        .arg("REPLICAS")
        .arg(primary)
        .query_async(connection)
        .await?;
    let replicas = replicas.iter().filter(|replica| !is_down(replica)).count();
    Ok(Some(Said {
        named,
        replicas: u32::try_from(replicas).unwrap_or(u32::MAX),
    }))
}

/// Whether a Sentinel counts a replica as down. It promotes none of those.
fn is_down(replica: &HashMap<String, String>) -> bool {
    let flags = replica.get("flags").map(String::as_str).unwrap_or_default();
    let down = ["s_down", "o_down", "disconnected"];
    flags.split(',').any(|flag| down.contains(&flag))
}

/// How many replicas may be promoted: the largest number of which a majority of `sentinels` says that there are no
/// more. Of those that did not answer, each may still say `before`, or anything more.
fn agreed(mut said: Vec<u32>, before: u32, sentinels: usize) -> u32 {
    let majority = sentinels / 2 + 1;
    said.sort_unstable();
    let largest = said.last().copied().unwrap_or_default();
    match said.get(majority - 1) {
        Some(agreed) => *agreed,
        None => before.max(largest),
    }
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

    #[test]
    fn replicas_count_until_a_majority_says_that_they_are_down() {
        for (said, before, expected) in [
            (vec![2, 2, 2], 0, 2),
            // One Sentinel is cut off from the replicas, or one of them alone reaches them.
            (vec![0, 2, 2], 2, 2),
            (vec![0, 0, 2], 2, 0),
            (vec![1, 1, 2], 2, 1),
            // No majority answers.
            (vec![0], 2, 2),
            (vec![3], 2, 3),
            (vec![], 2, 2),
        ] {
            assert_eq!(agreed(said.clone(), before, 3), expected, "{said:?}");
        }
        assert_eq!(agreed(vec![1], 5, 1), 1);
    }

    #[test]
    fn a_replica_is_down_by_its_flags() {
        for (flags, expected) in [
            ("slave", false),
            ("s_down,slave,disconnected", true),
            ("s_down,slave", true),
            ("slave,disconnected", true),
        ] {
            let replica = HashMap::from([("flags".to_owned(), flags.to_owned())]);
            assert_eq!(is_down(&replica), expected, "{flags}");
        }
    }
}
