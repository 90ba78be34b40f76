//! How the server is set up now, as it reports.

use deadpool_redis::redis::cmd;

use crate::error::Result;
use crate::redis::server::is_replica;
use crate::redis::{Link, info};

/// How the server is set up, and what it has evicted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Configuration {
    /// `maxmemory-policy`.
    pub(crate) eviction: String,
    /// Keys that it has evicted since it was started.
    pub(crate) evicted_keys: u64,
    /// Whether it is a replica of another server.
    pub(crate) is_replica: bool,
    /// Replicas that are connected to it.
    pub(crate) replicas: u64,
    /// `appendonly`.
    pub(crate) append_only: bool,
    /// `appendfsync`; empty where the server forbids CONFIG, as managed ones often do.
    pub(crate) append_fsync: String,
}

impl Configuration {
    /// Asks the server.
    pub(crate) async fn ask(link: &mut Link) -> Result<Configuration> {
        let said: String = link.command(&cmd("INFO")).await?;
        let fsync: Result<Vec<(String, String)>> = link
            .command(cmd("CONFIG").arg("GET").arg("appendfsync"))
            .await;
        let fsync = fsync.ok().and_then(|pairs| pairs.into_iter().next());
        Ok(Configuration {
            append_fsync: fsync.map(|(_, value)| value).unwrap_or_default(),
            ..Configuration::parse(&said)
        })
    }

    fn parse(said: &str) -> Configuration {
        let number = |field| info(said, field).and_then(|value| value.parse().ok());
        Configuration {
            eviction: info(said, "maxmemory_policy")
                .unwrap_or("noeviction")
                .to_owned(),
            evicted_keys: number("evicted_keys").unwrap_or_default(),
            is_replica: is_replica(said),
            replicas: number("connected_slaves").unwrap_or_default(),
            append_only: info(said, "aof_enabled") == Some("1"),
            append_fsync: String::new(),
        }
    }

    /// Whether it may evict what has no expiry, such as what only the journal has.
    pub(crate) fn may_evict_anything(&self) -> bool {
        self.eviction.starts_with("allkeys")
    }

    /// Whether it evicts nothing at all.
    pub(crate) fn evicts_nothing(&self) -> bool {
        self.eviction == "noeviction"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_off_what_info_answers() {
        let said = "# Memory\r\nmaxmemory_policy:allkeys-lru\r\n# Stats\r\nevicted_keys:7\r\n\
                    # Replication\r\nrole:slave\r\nconnected_slaves:2\r\n# Persistence\r\naof_enabled:1\r\n";
        let configuration = Configuration::parse(said);
        assert!(configuration.may_evict_anything() && configuration.is_replica);
        assert_eq!((configuration.evicted_keys, configuration.replicas), (7, 2));
        assert!(configuration.append_only && !configuration.evicts_nothing());
        let silent = Configuration::parse("");
        assert!(silent.evicts_nothing() && !silent.is_replica && !silent.append_only);
    }
}
