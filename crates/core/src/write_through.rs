//! Write-through: a write is answered when the database has committed it and
//! the cache holds it.

mod transactions;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::access::{Access, Standing};
use crate::cache::Cache;
use crate::engine::{Bypass, Engine, Health, Outcome, Read};
use crate::error::{Error, Part, Result};
use crate::group_commit::{GroupCommit, GroupCommitBounds, Runs};
use crate::read_through::{Holds, ReadThrough};
use crate::record::{Condition, Key, Write};
use crate::seeder::Seeder;
use crate::store::{Page, Store};
use crate::version::Version;

use transactions::Transactions;

/// How a write-through engine is set up.
#[derive(Clone, Copy, Debug)]
pub struct WriteThroughSettings {
    /// Of all queues of writes together.
    pub group_commit: GroupCommitBounds,
    /// How many batches may be under way at the same time.
    pub lanes: usize,
}

/// The write-through engine.
#[derive(Debug)]
pub struct WriteThrough {
    reader: ReadThrough,
    cache: Arc<dyn Cache>,
    store: Arc<dyn Store>,
    access: Arc<Access>,
    // The writes of one name are always in the same one.
    lanes: Vec<GroupCommit<Transactions>>,
    hasher: RandomState,
    writers: Mutex<Vec<JoinHandle<()>>>,
}

impl WriteThrough {
    /// Starts the engine on its parts. The cache need not be there.
    ///
    /// # Errors
    /// When the database cannot be asked for its newest version.
    pub async fn start(
        cache: Arc<dyn Cache>,
        store: Arc<dyn Store>,
        access: Arc<Access>,
        settings: WriteThroughSettings,
    ) -> Result<Arc<WriteThrough>> {
        let seeder = Arc::new(Seeder::new(cache.clone(), None, store.clone()));
        if access.permit().is_some() {
            match seeder.seed(seeder.generation()).await {
                // The first write finds that out again.
                Err(error) if error.part() == Some(Part::Cache) && access.past().is_ok() => {}
                seeded => seeded?,
            }
        }
        let lanes = settings.lanes.max(1);
        let bounds = GroupCommitBounds {
            waiting_max: settings.group_commit.waiting_max.div_ceil(lanes),
            ..settings.group_commit
        };
        let (lanes, writers) = (0..lanes)
            .map(|_| {
                let transactions = Arc::new(Transactions {
                    cache: cache.clone(),
                    store: store.clone(),
                    seeder: seeder.clone(),
                    access: access.clone(),
                });
                GroupCommit::start("write-through", bounds, Runs::InTask, transactions)
            })
            .unzip();
        Ok(Arc::new(WriteThrough {
            reader: ReadThrough::new(cache.clone(), store.clone(), seeder, access.clone()),
            cache,
            store,
            access,
            lanes,
            hasher: RandomState::new(),
            writers: Mutex::new(writers),
        }))
    }

    fn lane(&self, key: &Key) -> Result<&GroupCommit<Transactions>> {
        let lane = self.hasher.hash_one(key) as usize % self.lanes.len().max(1);
        self.lanes.get(lane).ok_or(Error::Stopping)
    }
}

#[async_trait]
impl Engine for WriteThrough {
    async fn read(&self, key: &Key) -> Result<Read> {
        self.reader.read(key).await
    }

    async fn reload(&self, key: &Key) -> Result<Read> {
        self.reader.reload(key).await
    }

    async fn forget(&self, key: &Key) -> Result<()> {
        self.reader.forget(key).await
    }

    async fn forget_all(&self) -> Result<()> {
        self.reader.forget_all().await
    }

    async fn write(&self, write: Write) -> Result<Outcome> {
        // Most conditions that fail do so here, before anything is in doubt.
        if write.condition != Condition::Always {
            let holds = self.reader.holds(&write.condition, &write.key).await?;
            if holds == Holds::No {
                return Ok(Outcome::ConditionFailed);
            }
        }
        self.lane(&write.key)?.submit(write).await
    }

    /// It was when it was answered.
    async fn persisted(&self, _: &Key, _: Version, _: Duration) -> Result<()> {
        Ok(())
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Page> {
        self.store.page(after, limit).await
    }

    async fn health(&self) -> Health {
        let (cache, database) = tokio::join!(self.cache.health(), self.store.health());
        Health {
            cache,
            journal: None,
            database,
            bypass: match (self.access.standing(), self.access.past()) {
                (Standing::Bypasses(_), _) => Bypass::Now,
                (_, Ok(())) => Bypass::Possible,
                (_, Err(_)) => Bypass::Never,
            },
            needs_database: true,
        }
    }

    async fn observe(&self) {}

    async fn stop(&self, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        for lane in &self.lanes {
            lane.close();
        }
        let writers =
            std::mem::take(&mut *self.writers.lock().unwrap_or_else(PoisonError::into_inner));
        for writer in writers {
            if tokio::time::timeout_at(deadline, writer).await.is_err() {
                tracing::error!(
                    "writes in flight did not end before the deadline; they were not acknowledged"
                );
            }
        }
        let left = tokio::time::timeout_at(deadline, self.access.leave());
        if left.await.is_err() {
            tracing::warn!("the database does not hear that this process stops");
        }
    }
}
