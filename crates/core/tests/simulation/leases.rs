//! Leases that come and go as they like, and that two processes may hold.

use std::time::Duration;

use async_trait::async_trait;
use cache_core::error::Result;
use cache_core::lease::{Held, LeaseCall, Leases};
use cache_core::model::shard::Shard;
use tokio::time::Instant;

use crate::door::Door;

const LIFETIME: Duration = Duration::from_millis(600);

#[derive(Debug)]
pub(crate) struct SimLeases {
    door: Door,
    held: Held,
}

impl SimLeases {
    pub(crate) fn new(door: Door) -> SimLeases {
        let held = Held::none(door.world.plan.shards);
        SimLeases { door, held }
    }

    /// Takes or loses a lease at any moment.
    pub(crate) fn flip(&self) {
        let world = &self.door.world;
        let shard = Shard(world.draw(0..world.plan.shards.into()) as u16);
        let until = world.draw(0..2_000);
        let takes = until > 800;
        let until = takes.then(|| Instant::now() + Duration::from_millis(until));
        self.held.set(shard, until);
        world.note(|| {
            let what = if takes { "takes" } else { "loses" };
            format!("{} {what} the lease on {}", self.door.life.name, shard.0)
        });
        self.door.life.call(LeaseCall::Entries(shard));
    }

    fn take_turns(&self) {
        let world = &self.door.world;
        let is_calm = world.lock().is_calm;
        for shard in (0..world.plan.shards).map(Shard) {
            let choice = if is_calm || !world.plan.leases_are_wild {
                0
            } else {
                world.draw(0..5)
            };
            match choice {
                0..3 => self.held.set(shard, Some(Instant::now() + LIFETIME)),
                3 => self.held.set(shard, None),
                _ => {}
            }
        }
    }
}

#[async_trait]
impl Leases for SimLeases {
    fn held(&self) -> &Held {
        &self.held
    }

    fn lifetime(&self) -> Option<Duration> {
        Some(LIFETIME)
    }

    async fn renew(&self) -> Result<()> {
        let take_turns = || {
            self.take_turns();
            Ok(())
        };
        let fails = self.door.world.plan.journal_fails;
        self.door.pass("renew", fails, take_turns).await
    }

    async fn release(&self) -> Result<()> {
        for shard in (0..self.door.world.plan.shards).map(Shard) {
            self.held.set(shard, None);
        }
        Ok(())
    }

    async fn holders(&self) -> Result<Vec<Option<String>>> {
        Ok(vec![None; self.door.world.plan.shards.into()])
    }

    async fn called(&self) -> LeaseCall {
        self.door.life.called().await
    }
}
