//! What the server says of itself.

use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{RedisResult, Script, cmd};

use crate::error::{Error, Part, Result};
use crate::redis::{Call, Redis};

/// Digits of the server's run id that tell its runs apart.
const RUN_DIGITS: usize = 12;
/// Digits of the replication id, which changes when the server is promoted.
const PROMOTION_DIGITS: usize = 8;

/// What identifies a server and its current run.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// The name of its run: the time since it was started, or since it was promoted where that may happen at any time.
    pub(super) run: String,
    /// Whether it is a replica of another server.
    pub(super) is_replica: bool,
}

impl Server {
    /// Asks the server, which may be promoted and demoted while it runs.
    pub(super) async fn ask(
        connection: &MultiplexedConnection,
        may_be_promoted: bool,
    ) -> RedisResult<Server> {
        // Both in one command needs Redis 7. A pipeline's error would not name a denied command.
        let (mut first, mut second) = (connection.clone(), connection.clone());
        let (mut server, mut replication) = (cmd("INFO"), cmd("INFO"));
        let (server, replication): (String, String) = tokio::try_join!(
            server.arg("server").query_async(&mut first),
            replication.arg("replication").query_async(&mut second),
        )?;
        // A server without a run id is taken to be always in the same run.
        let run = info(&server, "run_id").unwrap_or("0");
        let mut run = run.get(..RUN_DIGITS).unwrap_or(run).to_owned();
        if may_be_promoted {
            let promotion = info(&replication, "master_replid").unwrap_or("0");
            run += promotion.get(..PROMOTION_DIGITS).unwrap_or(promotion);
        }
        Ok(Server {
            run,
            is_replica: is_replica(&replication),
        })
    }
}

static PROBE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("probe.lua")));

impl Redis {
    /// A script that writes, and leaves nothing: all writes are scripts, which may be forbidden where
    /// commands are not.
    pub(crate) fn probe(&self) -> Call<'static> {
        Call::new(&PROBE, vec![self.keyspace.probe()])
    }

    /// Checks that the server answers and takes writes. If it has become a replica, which would
    /// answer readers with older values, all links open other connections.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn takes_writes(&self, part: Part) -> Result<()> {
        let mut link = self.link(part).await?;
        let said: String = link.command(cmd("INFO").arg("replication")).await?;
        let is_replica = is_replica(&said);
        self.place.is_replica.store(is_replica, Ordering::Release);
        if is_replica {
            self.reopen();
            return Err(Error::unavailable(part, REPLICA));
        }
        Ok(())
    }
}

/// Why a replica is not used.
pub(super) const REPLICA: &str = "redis: it is a replica of another server";

/// Whether an answer of INFO is of a replica.
pub(super) fn is_replica(said: &str) -> bool {
    matches!(info(said, "role"), Some("slave" | "replica"))
}

/// A field of what INFO answers.
pub(crate) fn info<'a>(answer: &'a str, field: &str) -> Option<&'a str> {
    answer
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_finds_a_whole_field() {
        let answer = "# Persistence\r\naof_enabled:1\r\naof_enabled_x:0\r\n";
        assert_eq!(info(answer, "aof_enabled"), Some("1"));
        assert_eq!(info(answer, "aof"), None);
    }
}
