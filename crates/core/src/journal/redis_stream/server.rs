//! What the server must be set up for, and what an acknowledged write survives
//! on it.

use deadpool_redis::redis::{Cmd, Value, cmd, from_redis_value};

use crate::error::{Error, Part, Result};
use crate::redis::{Configuration, Redis};

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

/// What is wrong with a server for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unsuited {
    /// A sentence for clients.
    pub(super) problem: String,
    /// For the start of a service: the setting that the server contradicts, and what to do.
    /// None where it may pass by itself.
    refused: Option<(&'static str, String)>,
}

impl Unsuited {
    pub(super) fn judge(configuration: &Configuration, wait_for: WaitFor) -> Option<Unsuited> {
        let policy = &configuration.eviction;
        if configuration.may_evict_anything() {
            return Some(Unsuited {
                problem: format!(
                    "Redis has maxmemory-policy {policy}, with which it may evict writes that the database does not have yet"
                ),
                refused: Some((
                    "CACHE_URL",
                    format!(
                        "this Redis has maxmemory-policy {policy}, which may evict acknowledged writes that \
                         the database does not have yet; set it to noeviction, or to one of volatile-*"
                    ),
                )),
            });
        }
        if configuration.is_replica {
            return Some(Unsuited {
                problem: "Redis is a replica now, which takes no writes".to_owned(),
                refused: None,
            });
        }
        let disk = |problem: &str, advice: &str| Unsuited {
            problem: format!("Redis has {problem}, so no write can wait for its disk"),
            refused: Some((
                "REDIS_WAIT_FSYNC",
                format!("this Redis has {problem}, {advice}"),
            )),
        };
        if wait_for.fsync && !configuration.append_only {
            return Some(disk(
                "appendonly no",
                "so nothing reaches its disk to wait for; set it to yes",
            ));
        }
        // IMPORTANT: with `no` the server leaves syncing to its system. It never knows that
        // a write is on the disk, and each one would time out.
        if wait_for.fsync && configuration.append_fsync == "no" {
            return Some(disk(
                "appendfsync no",
                "with which it never knows what is on its disk; set it to everysec or always",
            ));
        }
        None
    }
}

/// Whether the server keeps what is in the journal and can wait for what is
/// asked, when a service starts.
///
/// # Errors
/// [`Error::BadSetting`] when it does not.
pub(super) async fn check(redis: &Redis, wait_for: WaitFor) -> Result<()> {
    let mut link = redis.link(Part::Journal).await?;
    let configuration = Configuration::ask(&mut link).await?;
    let unsuited = Unsuited::judge(&configuration, wait_for);
    let bad = |key, reason: String| Error::BadSetting {
        key,
        reason: reason.into(),
    };
    if wait_for.fsync && configuration.append_only {
        let known: Vec<Value> = link
            .command(cmd("COMMAND").arg("INFO").arg("WAITAOF"))
            .await?;
        if known.iter().all(|known| *known == Value::Nil) {
            let reason = "this Redis has no WAITAOF, which came with 7.2";
            return Err(bad("REDIS_WAIT_FSYNC", reason.to_owned()));
        }
    }
    if let Some((key, reason)) = unsuited.and_then(|unsuited| unsuited.refused) {
        return Err(bad(key, reason));
    }
    Ok(())
}

/// The number of connected replicas in words, and whether a failover to one may lose writes.
fn replicas(connected: u64, waited_for: u32) -> String {
    let waited = match waited_for {
        0 => String::new(),
        waited => format!(", {waited} waited for"),
    };
    let risk = match (connected, waited_for) {
        (0, _) => "",
        (_, 0) => {
            ": a failover may lose acknowledged writes, since none waits for a replica \
             (REDIS_WAIT_REPLICAS)"
        }
        (connected, waited) if u64::from(waited) < connected => {
            ": a failover to one of the others may lose acknowledged writes \
             (REDIS_WAIT_REPLICAS)"
        }
        _ => "",
    };
    format!("{connected} replicas{waited}{risk}")
}

/// What an acknowledged write survives, as a server is set up.
pub(super) trait Durable {
    /// In words.
    fn durability(&self, wait_for: WaitFor) -> String;

    /// The more the larger.
    fn rank(&self) -> u8;
}

impl Durable for Configuration {
    fn durability(&self, wait_for: WaitFor) -> String {
        let survives = match (self.append_only, self.append_fsync.as_str()) {
            (true, _) if wait_for.fsync => {
                "appendonly yes, and every answer waits for the disk: survives a crash of Redis and a power loss"
            }
            (true, "always") => {
                "appendonly yes, appendfsync always: survives a crash of Redis and a power loss"
            }
            (true, "everysec") => {
                "appendonly yes, appendfsync everysec: survives a crash of Redis, unless its disk is slow, which takes up to 2 seconds; a power loss takes up to about the last second"
            }
            (true, "no") => {
                "appendonly yes, appendfsync no: survives a crash of Redis; a power loss takes what its system has not written"
            }
            (true, _) => "appendonly yes, appendfsync unknown: survives a crash of Redis",
            (false, _) => "appendonly no: survives a crash of this service, not one of Redis",
        };
        format!("{survives}; {}", replicas(self.replicas, wait_for.replicas))
    }

    fn rank(&self) -> u8 {
        match (self.append_only, self.append_fsync.as_str()) {
            (false, _) => 0,
            (true, "always") => 3,
            (true, "everysec") => 2,
            (true, _) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_replicas_waited_for_than_connected_are_told() {
        for (connected, waited_for, told) in [
            (0, 0, "0 replicas"),
            (0, 2, "0 replicas, 2 waited for"),
            (2, 2, "2 replicas, 2 waited for"),
        ] {
            assert_eq!(replicas(connected, waited_for), told);
        }
        for (connected, waited_for) in [(1, 0), (3, 2)] {
            let told = replicas(connected, waited_for);
            assert!(told.contains("a failover"), "{told}");
        }
    }

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
