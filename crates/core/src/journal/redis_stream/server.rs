//! What the server must be set up for, and what an acknowledged write survives
//! on it.

use deadpool_redis::redis::{Cmd, Value, cmd, from_redis_value};

use crate::error::{Error, Part, Result};
use crate::redis::{Link, Redis, info};

/// What an append waits for besides the server's own answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitFor {
    /// So many replicas of the server must have the write.
    pub replicas: u32,
    /// It must be on the disk of the server, and of those replicas.
    pub fsync: bool,
    /// How long to wait, in milliseconds; then the write is not acknowledged.
    pub timeout_ms: u64,
}

impl WaitFor {
    pub(super) fn command(self) -> Option<Cmd> {
        if self.fsync {
            let mut wait = cmd("WAITAOF");
            wait.arg(1).arg(self.replicas).arg(self.timeout_ms);
            Some(wait)
        } else if self.replicas > 0 {
            let mut wait = cmd("WAIT");
            wait.arg(self.replicas).arg(self.timeout_ms);
            Some(wait)
        } else {
            None
        }
    }

    /// Whether what the server answered is enough.
    pub(super) fn is_met(self, waited: Result<Value>) -> Result<()> {
        let waited = waited?;
        let (local, replicas) = if self.fsync {
            from_redis_value::<(u32, u32)>(waited).unwrap_or_default()
        } else {
            (1, from_redis_value::<u32>(waited).unwrap_or_default())
        };
        if local >= 1 && replicas >= self.replicas {
            return Ok(());
        }
        let wanted = self.replicas;
        Err(Error::unavailable(
            Part::Journal,
            format!(
                "redis: the write is on {local} disk and {replicas} of {wanted} replicas in time"
            ),
        ))
    }
}

/// Whether the server keeps what is in the journal and can wait for what is
/// asked.
pub(super) async fn check(redis: &Redis, wait_for: WaitFor) -> Result<()> {
    let mut link = redis.link(Part::Journal).await?;
    let memory: String = link.command(cmd("INFO").arg("memory")).await?;
    let policy = info(&memory, "maxmemory_policy").unwrap_or("noeviction");
    if policy.starts_with("allkeys") {
        return Err(Error::BadSetting {
            key: "CACHE_URL",
            reason: format!(
                "this Redis has maxmemory-policy {policy}, which may evict acknowledged writes that \
                 the database does not have yet; set it to noeviction, or to one of volatile-*"
            )
            .into(),
        });
    }
    if wait_for.fsync {
        let persistence: String = link.command(cmd("INFO").arg("persistence")).await?;
        if info(&persistence, "aof_enabled") != Some("1") {
            return Err(Error::BadSetting {
                key: "REDIS_WAIT_FSYNC",
                reason: "this Redis has appendonly no, so nothing reaches its disk to wait for; set it to yes".into(),
            });
        }
        let known: Vec<Value> = link
            .command(cmd("COMMAND").arg("INFO").arg("WAITAOF"))
            .await?;
        if known.iter().all(|known| *known == Value::Nil) {
            return Err(Error::BadSetting {
                key: "REDIS_WAIT_FSYNC",
                reason: "this Redis has no WAITAOF, which came with 7.2".into(),
            });
        }
        // IMPORTANT: with `no` the server leaves it to its system, so it never knows of
        // a write that it is on the disk, and each one would wait in vain.
        if appendfsync(&mut link).await == "no" {
            return Err(Error::BadSetting {
                key: "REDIS_WAIT_FSYNC",
                reason: "this Redis has appendfsync no, with which it never knows what is on its disk; set it to everysec or always".into(),
            });
        }
    }
    Ok(())
}

/// When the server brings what it writes to its disk. Managed servers often forbid
/// CONFIG; then nothing is known, and the text is empty.
async fn appendfsync(link: &mut Link) -> String {
    let pair: Result<Vec<String>> = link
        .command(cmd("CONFIG").arg("GET").arg("appendfsync"))
        .await;
    let value = pair.ok().and_then(|pair| pair.into_iter().nth(1));
    value.unwrap_or_default()
}

/// What an acknowledged write survives, as the server is set up.
pub(super) async fn durability(redis: &Redis, wait_for: WaitFor) -> Result<String> {
    let mut link = redis.link(Part::Journal).await?;
    let persistence: String = link.command(cmd("INFO").arg("persistence")).await?;
    let replication: String = link.command(cmd("INFO").arg("replication")).await?;
    let fsync = appendfsync(&mut link).await;
    let replicas = info(&replication, "connected_slaves").unwrap_or("0");
    let survives = match (info(&persistence, "aof_enabled"), fsync.as_str()) {
        (Some("1"), _) if wait_for.fsync => {
            "appendonly yes, and every answer waits for the disk: survives a crash of Redis and a power loss"
        }
        (Some("1"), "always") => {
            "appendonly yes, appendfsync always: survives a crash of Redis and a power loss"
        }
        (Some("1"), "everysec") => {
            "appendonly yes, appendfsync everysec: survives a crash of Redis, unless its disk is slow, which takes up to 2 seconds; a power loss takes up to about the last second"
        }
        (Some("1"), "no") => {
            "appendonly yes, appendfsync no: survives a crash of Redis; a power loss takes what its system has not written"
        }
        (Some("1"), _) => "appendonly yes, appendfsync unknown: survives a crash of Redis",
        _ => "appendonly no: survives a crash of this service, not one of Redis",
    };
    let waited = match wait_for.replicas {
        0 => String::new(),
        waited => format!(", {waited} waited for"),
    };
    Ok(format!("{survives}; {replicas} replicas{waited}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_replicas_than_asked_for_are_not_enough() {
        let two = WaitFor {
            replicas: 2,
            ..WaitFor::default()
        };
        assert!(two.is_met(Ok(Value::Int(2))).is_ok());
        assert!(two.is_met(Ok(Value::Int(1))).is_err());
        assert!(two.is_met(Ok(Value::Nil)).is_err());
        let on_disk = WaitFor { fsync: true, ..two };
        let answer = |local, replicas| {
            on_disk.is_met(Ok(Value::Array(vec![
                Value::Int(local),
                Value::Int(replicas),
            ])))
        };
        assert!(answer(1, 2).is_ok());
        assert!(answer(0, 2).is_err() && answer(1, 1).is_err());
        assert_eq!(WaitFor::default().command().map(drop), None);
    }
}
