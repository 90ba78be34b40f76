//! Decides which process drains which shard of a journal that several processes share. A lease only
//! saves double work. Two processes may drain the same shard: the guard by version makes that
//! harmless.

pub mod redis;

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::error::Result;
use crate::model::shard::Shard;

/// A notification from another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseCall {
    /// There are entries in this shard.
    Entries(Shard),
    /// Shards have become free, or another process shares them.
    Leases,
    /// Notifications may have been missed.
    Everything,
}

/// The leases on the shards of one journal.
#[async_trait]
pub trait Leases: Debug + Send + Sync + 'static {
    /// Which shards this process may drain.
    fn held(&self) -> &Held;

    /// How long a lease holds without being renewed; `None` when no other process can take it.
    fn lifetime(&self) -> Option<Duration>;

    /// Renews the leases that this process holds and that belong to its share. Takes the free ones
    /// of its share, and gives back those beyond its share.
    async fn renew(&self) -> Result<()>;

    /// As [`Leases::renew`], for a process that cannot drain now. Such a process gives all leases
    /// back if another process can drain, and else keeps them.
    async fn stand_back(&self) -> Result<()> {
        self.renew().await
    }

    /// Gives all leases back, for good.
    async fn release(&self) -> Result<()>;

    /// The name of the process that holds each shard; `None` for a shard without a holder.
    async fn holders(&self) -> Result<Vec<Option<String>>>;

    /// Waits for a notification from another process.
    async fn called(&self) -> LeaseCall;
}

/// The shards that this process may drain now, each until a time of its own.
#[derive(Debug)]
pub struct Held {
    began: Instant,
    // Until when each shard is held, in milliseconds since `began`.
    until_ms: Box<[AtomicU64]>,
}

impl Held {
    /// Holds none of the shards.
    pub fn none(shards: u16) -> Held {
        Held {
            began: Instant::now(),
            until_ms: (0..shards).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Holds all shards for ever.
    pub fn all(shards: u16) -> Held {
        Held {
            began: Instant::now(),
            until_ms: (0..shards).map(|_| AtomicU64::new(u64::MAX)).collect(),
        }
    }

    /// Whether `shard` is held now.
    pub fn holds(&self, shard: Shard) -> bool {
        let now = self.began.elapsed().as_millis() as u64;
        let until = self.until_ms.get(usize::from(shard.0));
        until.is_some_and(|until| now < until.load(Ordering::Acquire))
    }

    /// Holds `shard` until the given time; with `None`, no longer.
    pub fn set(&self, shard: Shard, until: Option<Instant>) {
        if let Some(place) = self.until_ms.get(usize::from(shard.0)) {
            let until = until.map_or(0, |until| {
                until.saturating_duration_since(self.began).as_millis() as u64
            });
            place.store(until, Ordering::Release);
        }
    }
}

/// The leases of the only process that has the journal open, which holds all shards.
#[derive(Debug)]
pub struct Sole(Held);

impl Sole {
    /// The leases on a journal with this many shards.
    pub fn new(shards: u16) -> Sole {
        Sole(Held::all(shards))
    }
}

#[async_trait]
impl Leases for Sole {
    fn held(&self) -> &Held {
        &self.0
    }

    fn lifetime(&self) -> Option<Duration> {
        None
    }

    async fn renew(&self) -> Result<()> {
        Ok(())
    }

    async fn release(&self) -> Result<()> {
        Ok(())
    }

    async fn holders(&self) -> Result<Vec<Option<String>>> {
        let this = Some("this process".to_owned());
        Ok(vec![this; self.0.until_ms.len()])
    }

    async fn called(&self) -> LeaseCall {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_by_itself() {
        let held = Held::none(2);
        assert!(!held.holds(Shard(0)));
        held.set(Shard(0), Some(Instant::now() + Duration::from_secs(3)));
        assert!(held.holds(Shard(0)) && !held.holds(Shard(1)));
        tokio::time::advance(Duration::from_millis(2_999)).await;
        assert!(held.holds(Shard(0)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!held.holds(Shard(0)));
        held.set(Shard(1), Some(Instant::now() + Duration::from_secs(3)));
        held.set(Shard(1), None);
        assert!(!held.holds(Shard(1)) && !held.holds(Shard(2)));
        assert!(Held::all(1).holds(Shard(0)));
    }
}
