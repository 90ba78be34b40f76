//! All shards are drained as soon as a part works again, however long their back-offs are by then.

use tokio::time::Instant;

use super::*;
use crate::engine::seeder::Seeder;
use crate::engine::write_behind::drainer::{Drainer, DrainerSettings};
use crate::lease::{Held, LeaseCall, Leases};
use crate::outage::Consequences;
use crate::watched::{WatchedJournal, WatchedStore};

const SHARDS: u16 = 16;
const CONSEQUENCES: Consequences = Consequences {
    reads: "",
    writes: "",
};
/// The longest time after which a probe notices that a part works again, and the runtime's clock.
const NOTICED_AFTER: Duration = Duration::from_millis(251);

/// A drainer over many shards. One entry waits in each.
struct Site {
    journal: Arc<FakeJournal>,
    store: Arc<FakeStore>,
    drainer: Drainer,
}

impl Site {
    fn start(is_watched: bool, unavailable: Part, leases: Arc<dyn Leases>) -> Site {
        let waiting = FakeJournal::waiting_with(SHARDS - 1, SHARDS.into());
        let (journal, store) = (Arc::new(waiting), Arc::new(FakeStore::default()));
        let is_unavailable = |part| part == unavailable;
        journal
            .is_unavailable
            .store(is_unavailable(Part::Journal), Ordering::SeqCst);
        store
            .is_unavailable
            .store(is_unavailable(Part::Database), Ordering::SeqCst);
        let parts: (Arc<dyn Journal>, Arc<dyn Store>) = match is_watched {
            false => (journal.clone(), store.clone()),
            true => (
                Arc::new(WatchedJournal::new(journal.clone(), CONSEQUENCES)),
                Arc::new(WatchedStore::new(store.clone(), CONSEQUENCES)),
            ),
        };
        let seeder = Seeder::new(cache(), Some(parts.0.clone()), parts.1.clone());
        let settings = DrainerSettings {
            batch_max: 10,
            parallel_max: SHARDS.into(),
            dead_letters_max: u64::MAX,
            linger: Duration::ZERO,
        };
        let (journal_of_drainer, store_of_drainer) = parts;
        let drainer = Drainer::start(
            cache(),
            journal_of_drainer,
            store_of_drainer,
            leases,
            Arc::new(seeder),
            settings,
        );
        Site {
            journal,
            store,
            drainer,
        }
    }

    /// Ends an outage that has lasted for long.
    async fn recover(&self) {
        // Between two renewals of leases.
        tokio::time::sleep(MINUTE + Duration::from_secs(3)).await;
        assert_eq!(self.journal.versions().len(), usize::from(SHARDS));
        self.journal.is_unavailable.store(false, Ordering::SeqCst);
        self.store.is_unavailable.store(false, Ordering::SeqCst);
    }

    /// Waits until the first entry is drained, or all are. Returns when that was.
    async fn drained(&self, all: bool) -> Instant {
        let mut progress = self.drainer.progress();
        let left = |waiting: usize| match all {
            true => waiting == 0,
            false => waiting < usize::from(SHARDS),
        };
        while !left(self.journal.versions().len()) {
            let progressed = tokio::time::timeout(MINUTE, progress.changed());
            progressed.await.expect("it is drained").unwrap();
        }
        Instant::now()
    }
}

fn sole() -> Arc<dyn Leases> {
    Arc::new(Sole::new(SHARDS))
}

#[tokio::test(start_paused = true)]
async fn one_success_ends_the_back_offs_of_all_shards() {
    let site = Site::start(false, Part::Database, sole());
    site.recover().await;
    let first = site.drained(false).await;
    assert_eq!(site.drained(true).await, first);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_finds_the_database_ends_all_back_offs() {
    let site = Site::start(true, Part::Database, sole());
    site.recover().await;
    let recovered = Instant::now();
    assert!(site.drained(true).await - recovered <= NOTICED_AFTER);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_finds_the_journal_ends_all_back_offs() {
    let site = Site::start(true, Part::Journal, sole());
    site.recover().await;
    let recovered = Instant::now();
    assert!(site.drained(true).await - recovered <= NOTICED_AFTER);
}

/// Leases that end by themselves, and are renewed only while their server answers.
#[derive(Debug)]
struct FakeLeases {
    held: Held,
    answers: AtomicBool,
}

const LIFETIME: Duration = Duration::from_secs(30);

#[async_trait]
impl Leases for FakeLeases {
    fn held(&self) -> &Held {
        &self.held
    }

    fn lifetime(&self) -> Option<Duration> {
        Some(LIFETIME)
    }

    async fn renew(&self) -> Result<()> {
        if !self.answers.load(Ordering::SeqCst) {
            return Err(unavailable(Part::Journal));
        }
        let until = Instant::now() + LIFETIME;
        (0..SHARDS).for_each(|shard| self.held.set(Shard(shard), Some(until)));
        Ok(())
    }

    async fn stand_back(&self) -> Result<()> {
        (0..SHARDS).for_each(|shard| self.held.set(Shard(shard), None));
        Ok(())
    }

    async fn release(&self) -> Result<()> {
        Ok(())
    }

    async fn holders(&self) -> Result<Vec<Option<String>>> {
        Ok(Vec::new())
    }

    async fn called(&self) -> LeaseCall {
        std::future::pending().await
    }
}

/// Starts with leases, of which none is left when the outage ends.
async fn drains_with_leases_that_ended(unavailable: Part) {
    let leases = Arc::new(FakeLeases {
        held: Held::none(SHARDS),
        answers: AtomicBool::new(unavailable != Part::Journal),
    });
    let site = Site::start(true, unavailable, leases.clone());
    (0..SHARDS).for_each(|shard| {
        let until = Instant::now() + LIFETIME;
        leases.held.set(Shard(shard), Some(until));
    });
    site.drainer.wake().wake_all();
    site.recover().await;
    assert!(!leases.held.holds(SHARD));
    leases.answers.store(true, Ordering::SeqCst);
    let recovered = Instant::now();
    assert!(site.drained(true).await - recovered <= NOTICED_AFTER);
}

#[tokio::test(start_paused = true)]
async fn leases_are_renewed_as_soon_as_their_redis_answers() {
    drains_with_leases_that_ended(Part::Journal).await;
}

#[tokio::test(start_paused = true)]
async fn leases_are_taken_back_as_soon_as_the_database_answers() {
    drains_with_leases_that_ended(Part::Database).await;
}
