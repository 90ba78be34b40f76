//! Write-through: a write is answered when the database has committed it and
//! the cache holds it.

mod batches;
mod flow;
mod locked_names;
mod many;
mod queue;
mod transact;
mod transactions;
mod waiting_writes;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::bypass::{Access, Mode};
use crate::cache::Cache;
use crate::concurrency::group_commit::GroupCommitBounds;
use crate::concurrency::own_thread::{self, OwnThread};
use crate::engine::read_through::{Holds, ReadThrough};
use crate::engine::seeder::Seeder;
use crate::engine::{Bypass, Durability, Engine, Health, Outcome, Read, observe_connections};
use crate::error::{Error, Part, Result};
use crate::model::record::{Condition, Key, Write};
use crate::model::version::Version;
use crate::store::{Page, Store};

use batches::Batches;
use locked_names::LockedNames;
use transactions::Transactions;
use waiting_writes::WaitingWrites;

/// How a write-through engine is set up.
#[derive(Clone, Copy, Debug)]
pub struct WriteThroughSettings {
    /// The bounds of the queue of writes.
    pub group_commit: GroupCommitBounds,
    /// How many batches may be in the database at the same time.
    pub lanes: usize,
    /// How long a write waits for a row that another transaction has locked.
    pub lock_timeout: Duration,
}

/// The write-through engine.
#[derive(Debug)]
pub struct WriteThrough {
    reader: ReadThrough,
    cache: Arc<dyn Cache>,
    store: Arc<dyn Store>,
    access: Arc<Access>,
    batches: Batches,
    locked: Arc<LockedNames>,
    // The writes of locked names.
    waiting: WaitingWrites,
    writer: Mutex<Option<OwnThread>>,
}

impl WriteThrough {
    /// Starts the engine. The cache may be unavailable.
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
                // The first write finds the unavailable cache again, and bypasses it.
                Err(error) if error.part() == Some(Part::Cache) && access.may_bypass().is_ok() => {}
                seeded => seeded?,
            }
        }
        let lanes = settings.lanes.max(1);
        let locked = Arc::new(LockedNames::default());
        let transactions = Arc::new(Transactions {
            cache: cache.clone(),
            store: store.clone(),
            seeder: seeder.clone(),
            access: access.clone(),
            locked: locked.clone(),
            turns: Semaphore::new(lanes),
        });
        let (batches, running) = Batches::new(settings.group_commit, lanes, transactions.clone());
        let (waiting, waiter) = WaitingWrites::new(transactions, settings);
        let writer = own_thread::start("write-through", async move {
            let waiter = tokio::spawn(waiter);
            running.await;
            let _ = waiter.await;
        })?;
        Ok(Arc::new(WriteThrough {
            reader: ReadThrough::new(cache.clone(), store.clone(), seeder, access.clone()),
            cache,
            store,
            access,
            batches,
            locked,
            waiting,
            writer: Mutex::new(Some(writer)),
        }))
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

    async fn read_many(&self, keys: &[Key]) -> Vec<Result<Read>> {
        self.reader.read_many(keys).await
    }

    async fn reload_many(&self, keys: &[Key]) -> Vec<Result<Read>> {
        self.reader.reload_many(keys).await
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
        self.store.admits_writes()?;
        if self.locked.contains(&write.key) {
            let decision = self.waiting.submit(write).await?;
            return Outcome::of(decision, Durability::Persisted);
        }
        let decision = match self.batches.submit(write.clone()).await {
            // The batch has not written anything of this write.
            Err(Error::Locked) => self.waiting.submit(write).await,
            decided => decided,
        };
        Outcome::of(decision?, Durability::Persisted)
    }

    async fn put_many(&self, values: Vec<(Key, Bytes)>) -> Vec<Result<Outcome>> {
        self.write_many(values).await
    }

    /// False, since writes of locked rows wait while later writes overtake them.
    fn keeps_order(&self) -> bool {
        false
    }

    async fn persisted_many(&self, written: &[(Key, Version)], _: Duration) -> Vec<Result<()>> {
        vec![Ok(()); written.len()]
    }

    /// A write is persisted when it is answered, so nothing waits here.
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
            bypass: match (self.access.mode(), self.access.may_bypass()) {
                (Mode::Bypasses(_), _) => Bypass::Now,
                (_, Ok(())) => Bypass::Possible,
                (_, Err(_)) => Bypass::Never,
            },
            needs_database: true,
        }
    }

    async fn observe(&self) {
        observe_connections(&*self.store);
    }

    async fn stop(&self, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        self.batches.close();
        self.waiting.close();
        let writer = self.writer.lock();
        let writer = writer.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && tokio::time::timeout_at(deadline, writer.ended())
                .await
                .is_err()
        {
            tracing::error!(
                "writes in flight did not end before the deadline; they were not acknowledged"
            );
        }
        let left = tokio::time::timeout_at(deadline, self.access.leave());
        if left.await.is_err() {
            tracing::warn!("cannot report to the database that this process stops");
        }
    }
}
