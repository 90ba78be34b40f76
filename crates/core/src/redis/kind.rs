//! Checking the kind of the server: the services need a standalone primary.

use deadpool_redis::redis::{AsyncConnectionConfig, Client, cmd};
use tokio::time::Instant;

use crate::error::{Error, Part, Result};
use crate::redis::connection::unavailable;
use crate::redis::{Redis, info};
use crate::timing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Primary,
    Replica,
    Sentinel,
    ClusterNode,
}

impl Kind {
    /// Reads the answer of `INFO`. Valkey has `server_mode` where Redis has `redis_mode`.
    fn parse(said: &str) -> Kind {
        let mode = info(said, "redis_mode").or_else(|| info(said, "server_mode"));
        match (mode, info(said, "cluster_enabled"), info(said, "role")) {
            (Some("sentinel"), _, _) | (_, _, Some("sentinel")) => Kind::Sentinel,
            (Some("cluster"), _, _) | (_, Some("1"), _) => Kind::ClusterNode,
            (_, _, Some("slave" | "replica")) => Kind::Replica,
            _ => Kind::Primary,
        }
    }
}

impl Redis {
    /// Returns when the server is a primary. The role of a replica is read again until `deadline`:
    /// it may be about to take over.
    ///
    /// # Errors
    /// [`Error::BadSetting`] when it is still a replica then; at once for a Sentinel or a node
    /// of a Cluster. [`Error::Unavailable`] when it does not answer.
    pub(crate) async fn is_primary(&self, deadline: Instant) -> Result<()> {
        let mut has_warned = false;
        loop {
            match self.kind().await? {
                Kind::Primary => return Ok(()),
                Kind::Replica if Instant::now() < deadline => {
                    if !std::mem::replace(&mut has_warned, true) {
                        tracing::warn!(
                            "Redis is a replica, which takes no writes; waiting for it to become a primary"
                        );
                    }
                    tokio::time::sleep(timing::REPLICA_ROLE_INTERVAL).await;
                }
                Kind::Replica => {
                    return Err(refused(
                        "this Redis is a replica, and did not become a primary within \
                         STARTUP_DEADLINE_S; name the primary",
                    ));
                }
                unsupported => return Err(refused(unsupported.in_words())),
            }
        }
    }

    /// The refusal, if the server's kind is the reason why no connection can be opened: neither
    /// a Sentinel nor a node of a Cluster has databases other than 0.
    pub(super) async fn is_unsupported(&self) -> Option<Error> {
        match self.kind().await {
            Ok(kind @ (Kind::Sentinel | Kind::ClusterNode)) => Some(refused(kind.in_words())),
            _ => None,
        }
    }

    async fn kind(&self) -> Result<Kind> {
        let (endpoint, _) = self.opener.finder.find(Part::Cache).await?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let asked = async {
            let client = Client::open(endpoint.info_without_database())?;
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            cmd("INFO").query_async::<String>(&mut connection).await
        };
        let said = asked
            .await
            .map_err(|error| unavailable(Part::Cache, &error))?;
        Ok(Kind::parse(&said))
    }
}

impl Kind {
    fn in_words(self) -> &'static str {
        match self {
            Kind::Sentinel => {
                "this is a Redis Sentinel, which holds no data; name it and the primary that it watches: \
                 redis+sentinel://HOST,HOST,HOST/PRIMARY"
            }
            _ => {
                "this Redis is a node of a Cluster (cluster_enabled 1), which is not supported yet; \
                 name a standalone Redis"
            }
        }
    }
}

fn refused(reason: &str) -> Error {
    Error::BadSetting {
        key: "CACHE_URL",
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_read_off_what_redis_and_valkey_say() {
        for (said, kind) in [
            (
                "redis_mode:standalone\r\nrole:master\r\ncluster_enabled:0\r\n",
                Kind::Primary,
            ),
            ("server_mode:standalone\r\nrole:master\r\n", Kind::Primary),
            ("role:slave\r\n", Kind::Replica),
            ("redis_mode:sentinel\r\n", Kind::Sentinel),
            ("server_mode:sentinel\r\n", Kind::Sentinel),
            ("server_mode:cluster\r\nrole:master\r\n", Kind::ClusterNode),
            ("role:slave\r\ncluster_enabled:1\r\n", Kind::ClusterNode),
            ("", Kind::Primary),
        ] {
            assert_eq!(Kind::parse(said), kind, "{said}");
        }
    }
}
