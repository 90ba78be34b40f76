//! Seeds the version clocks of a cache and a journal that do not know the newest
//! version in the database, because they are new or have restarted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cache::Cache;
use crate::concurrency::shared_attempt::Attempts;
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::store::Store;

/// Seeds the clocks; once for all callers that find them unseeded at the same time.
#[derive(Debug)]
pub struct Seeder {
    cache: Arc<dyn Cache>,
    journal: Option<Arc<dyn Journal>>,
    store: Arc<dyn Store>,
    generation: AtomicU64,
    seeding: Attempts,
}

impl Seeder {
    /// A seeder for these parts.
    pub fn new(
        cache: Arc<dyn Cache>,
        journal: Option<Arc<dyn Journal>>,
        store: Arc<dyn Store>,
    ) -> Seeder {
        Seeder {
            cache,
            journal,
            store,
            generation: AtomicU64::new(0),
            seeding: Attempts::default(),
        }
    }

    /// How often this has seeded. Ask before a call that may find the clocks unseeded,
    /// and give the answer to [`Seeder::seed`].
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Seeds the clocks, unless they were seeded after `found_at`.
    ///
    /// # Errors
    /// When a part is unavailable.
    pub async fn seed(&self, found_at: u64) -> Result<()> {
        let done = || (self.generation() != found_at).then_some(());
        let seed = async {
            self.raise().await?;
            self.generation.fetch_add(1, Ordering::AcqRel);
            Ok(())
        };
        self.seeding.unless_done(done, seed).await
    }

    /// Raises the clocks above all that the database has. Seeds only those that do not
    /// know the newest version.
    ///
    /// # Errors
    /// When a part is unavailable.
    pub async fn raise_clocks(&self) -> Result<()> {
        let generation = self.generation();
        if let Some(journal) = &self.journal {
            match journal.raise_clocks(&self.store).await {
                Err(Error::Unseeded(_)) => return self.seed(generation).await,
                raised => raised?,
            }
            if journal.holds_cache() {
                // Its clocks are the cache's.
                return Ok(());
            }
        }
        self.cache.raise(&self.store).await
    }

    async fn raise(&self) -> Result<()> {
        if let Some(journal) = &self.journal {
            journal.raise(&self.store).await?;
            if journal.holds_cache() {
                // Its clocks are the cache's.
                return Ok(());
            }
        }
        self.cache.raise(&self.store).await
    }
}
