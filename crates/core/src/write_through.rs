//! Write-through: a write is answered when the database has committed it and
//! the cache holds it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;

use crate::apply::{Applied, apply};
use crate::cache::Cache;
use crate::engine::{Durability, Engine, Health, Outcome, Read};
use crate::error::{Error, Part, Result};
use crate::fault;
use crate::group_commit::{Commit, GroupCommit, GroupCommitBounds, Runs};
use crate::read_through::ReadThrough;
use crate::record::{Condition, Key, Record, Write};
use crate::seeder::Seeder;
use crate::store::Store;
use crate::telemetry;
use crate::version::Version;

/// The write-through engine.
#[derive(Debug)]
pub struct WriteThrough {
    reader: ReadThrough,
    cache: Arc<dyn Cache>,
    store: Arc<dyn Store>,
    writes: GroupCommit<Transactions>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl WriteThrough {
    /// Starts the engine on its parts.
    ///
    /// # Errors
    /// When the database cannot be asked for its newest version, or the cache
    /// cannot be told.
    pub async fn start(
        cache: Arc<dyn Cache>,
        store: Arc<dyn Store>,
        bounds: GroupCommitBounds,
    ) -> Result<Arc<WriteThrough>> {
        let seeder = Arc::new(Seeder::new(cache.clone(), None, store.clone()));
        seeder.seed(seeder.generation()).await?;
        let transactions = Arc::new(Transactions {
            cache: cache.clone(),
            store: store.clone(),
            seeder: seeder.clone(),
        });
        let (writes, writer) =
            GroupCommit::start("write-through", bounds, Runs::InTask, transactions);
        Ok(Arc::new(WriteThrough {
            reader: ReadThrough::new(cache.clone(), store.clone(), seeder),
            cache,
            store,
            writes,
            writer: Mutex::new(Some(writer)),
        }))
    }
}

#[async_trait]
impl Engine for WriteThrough {
    async fn read(&self, key: &Key) -> Result<Read> {
        self.reader.read(key).await
    }

    async fn write(&self, write: Write) -> Result<Outcome> {
        // Most conditions that fail do so here, before anything is in doubt.
        if write.condition != Condition::Always
            && !write
                .condition
                .holds(&self.reader.read(&write.key).await?.record)
        {
            return Ok(Outcome::ConditionFailed);
        }
        self.writes.submit(write).await
    }

    /// It was when it was answered.
    async fn persisted(&self, _: &Key, _: Version, _: Duration) -> Result<()> {
        Ok(())
    }

    async fn page(&self, after: Option<&Key>, limit: u32) -> Result<Vec<Record>> {
        self.store.page(after, limit).await
    }

    async fn health(&self) -> Health {
        let (cache, database) = tokio::join!(self.cache.health(), self.store.health());
        Health {
            cache,
            journal: None,
            database,
        }
    }

    async fn observe(&self) {}

    async fn stop(&self, deadline: Duration) {
        self.writes.close();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer
            && tokio::time::timeout(deadline, writer).await.is_err()
        {
            tracing::error!(
                "the writes in flight did not end before the deadline; they were not acknowledged"
            );
        }
    }
}

/// Takes each batch of writes through cache and database.
#[derive(Debug)]
struct Transactions {
    cache: Arc<dyn Cache>,
    store: Arc<dyn Store>,
    seeder: Arc<Seeder>,
}

#[async_trait]
impl Commit for Transactions {
    type Request = Write;
    type Answer = Outcome;

    async fn commit(&self, batch: Vec<Write>) -> Vec<Result<Outcome>> {
        let size = batch.len();
        match self.transact(batch).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                telemetry::failed("write-through", &error);
                tracing::warn!(%error, writes = size, "a batch of writes failed");
                vec![Err(error); size]
            }
        }
    }
}

impl Transactions {
    async fn transact(&self, batch: Vec<Write>) -> Result<Vec<Result<Outcome>>> {
        // Judged before anything is marked: nobody could tell when to end the
        // doubt of a name that is not written, since an older write of it may be
        // in flight through another replica.
        let accepted = judge(&batch, self.current(&batch).await?);
        let writes = || {
            let accepted = batch.iter().zip(&accepted);
            accepted
                .filter(|(_, accepted)| **accepted)
                .map(|(write, _)| write)
        };
        let keys: Vec<Key> = writes().map(|write| write.key.clone()).collect();
        // IMPORTANT: the names are in doubt before the database changes and
        // until the cache holds what it changed to, so that no reader takes the
        // value in between, which may be either, from the cache.
        let versions = self.begin(&keys).await?;
        let records: Vec<Record> = writes()
            .zip(&versions)
            .map(|(write, version)| write.at(*version))
            .collect();
        fault::point("write.begun").await;
        let Applied { rows, refused } = apply(&*self.store, &records).await?;
        fault::point("write.applied").await;
        // The doubt about a name of which all was refused ends by itself.
        self.cache.settle(&rows).await?;
        let refused: HashMap<(Key, Version), Arc<str>> = refused
            .into_iter()
            .map(|(record, reason)| ((record.key, record.version), reason))
            .collect();
        let mut versions = versions.into_iter();
        let outcomes = batch.iter().zip(accepted).map(|(write, accepted)| {
            let version = if accepted { versions.next() } else { None };
            let Some(version) = version else {
                return Ok(Outcome::ConditionFailed);
            };
            match refused.get(&(write.key.clone(), version)) {
                Some(reason) => Err(Error::refused(Part::Database, reason)),
                None => Ok(Outcome::Written {
                    version,
                    durability: Durability::Persisted,
                }),
            }
        });
        Ok(outcomes.collect())
    }

    async fn begin(&self, keys: &[Key]) -> Result<Vec<Version>> {
        let seed = self.seeder.generation();
        match self.cache.begin_write(keys).await {
            Err(Error::Unseeded(_)) => {
                self.seeder.seed(seed).await?;
                self.cache.begin_write(keys).await
            }
            begun => begun,
        }
    }

    /// The current record of every key that a condition asks about.
    async fn current(&self, batch: &[Write]) -> Result<HashMap<Key, Record>> {
        let conditional = batch
            .iter()
            .filter(|write| write.condition != Condition::Always);
        let mut current: HashMap<Key, Record> = conditional
            .map(|write| (write.key.clone(), Record::absent(write.key.clone())))
            .collect();
        if current.is_empty() {
            return Ok(current);
        }
        let keys: Vec<Key> = current.keys().cloned().collect();
        let stored = self.store.load_many(&keys).await?;
        current.extend(
            stored
                .into_iter()
                .map(|record| (record.key.clone(), record)),
        );
        Ok(current)
    }
}

/// Whether each write takes place, judged one after the other, each upon what
/// those before it left.
fn judge(batch: &[Write], mut current: HashMap<Key, Record>) -> Vec<bool> {
    let verdicts = batch.iter().map(|write| {
        let Some(current) = current.get_mut(&write.key) else {
            return true;
        };
        let holds = write.condition.holds(current);
        if holds {
            *current = write.at(Version::ZERO);
        }
        holds
    });
    verdicts.collect()
}
