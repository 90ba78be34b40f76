//! A process that takes part in draining, as the leases see it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_core::journal::redis_stream::{RedisStreamJournal, WaitFor};
use cache_core::lease::redis::RedisLeases;
use cache_core::lease::{LeaseCall, Leases};
use cache_core::model::shard::Shard;
use testkit::servers::redis_url;

use crate::redis_process::LONG;
use crate::suite::{connect_to, new_identity_with};

pub(crate) const SHARDS: u16 = 15;
/// Longer than any test takes.
pub(crate) const LASTING: Duration = Duration::from_secs(600);
/// How long to wait for what was said.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Drainer {
    pub(crate) name: String,
    pub(crate) leases: Arc<RedisLeases>,
    pub(crate) journal: RedisStreamJournal,
}

impl Drainer {
    pub(crate) async fn start(identity: &str, name: &str, lifetime: Duration) -> Drainer {
        Drainer::start_at(&redis_url(), identity, name, lifetime).await
    }

    pub(crate) async fn start_at(
        url: &str,
        identity: &str,
        name: &str,
        lifetime: Duration,
    ) -> Drainer {
        let redis = connect_to(url, identity).await;
        let leases = RedisLeases::new(redis.clone(), name.to_owned(), lifetime);
        let journal = RedisStreamJournal::open(
            redis.clone(),
            redis,
            WaitFor::default(),
            LONG,
            leases.share_held(),
        );
        Drainer {
            name: name.to_owned(),
            journal: journal.await.unwrap(),
            leases: Arc::new(leases),
        }
    }

    pub(crate) async fn renew(&self) {
        self.leases.renew().await.unwrap();
    }

    pub(crate) fn held(&self) -> Vec<u16> {
        let holds = |shard: &u16| self.leases.held().holds(Shard(*shard));
        (0..SHARDS).filter(holds).collect()
    }

    /// The shards that the server says are its own.
    pub(crate) async fn held_by_the_server(&self) -> Vec<u16> {
        let holders = self.leases.holders().await.unwrap();
        assert_eq!(holders.len(), usize::from(SHARDS));
        let is_its_own = |shard: &u16| holders[usize::from(*shard)].as_ref() == Some(&self.name);
        (0..SHARDS).filter(is_its_own).collect()
    }

    pub(crate) async fn called(&self) -> LeaseCall {
        let heard = tokio::time::timeout(HEARD_WITHIN, self.leases.called()).await;
        heard.expect("something is said")
    }

    /// Receives notifications from here on.
    pub(crate) async fn listen(&self) {
        assert_eq!(self.called().await, LeaseCall::Everything);
    }

    /// Waits until `call` is said; whatever else is said before is let pass.
    pub(crate) async fn hears(&self, call: LeaseCall) {
        let deadline = Instant::now() + HEARD_WITHIN;
        while self.called().await != call {
            assert!(Instant::now() < deadline, "never: {call:?}");
        }
    }

    /// Whether no notification is left unread: one that is sent now is the next to
    /// arrive.
    pub(crate) async fn has_heard_everything(&self, url: &str, identity: &str) {
        let channel = format!("wc:{{{identity}}}:wake");
        // No shard of theirs.
        let words = ["PUBLISH", &channel, "999"];
        let listeners: u32 = crate::redis_process::command(url, &words).await;
        assert!(listeners >= 1);
        assert_eq!(self.called().await, LeaseCall::Entries(Shard(999)));
    }
}

/// The identity of data with that many shards.
pub(crate) fn new_identity() -> String {
    new_identity_with(SHARDS)
}

pub(crate) fn every_shard() -> Vec<u16> {
    (0..SHARDS).collect()
}

/// Each shard is held once by these together, as they and the server believe.
pub(crate) async fn assert_they_share(drainers: &[&Drainer]) {
    let mut all = Vec::new();
    for drainer in drainers {
        assert_eq!(drainer.held(), drainer.held_by_the_server().await);
        all.extend(drainer.held());
    }
    all.sort_unstable();
    assert_eq!(all, every_shard());
}
