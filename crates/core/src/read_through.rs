//! Reading: from the cache, else from the database, filling the cache.

use std::sync::Arc;

use crate::cache::{Cache, FillStart, Lookup};
use crate::engine::{Read, Source};
use crate::error::Result;
use crate::record::{Key, Record};
use crate::store::Store;
use crate::telemetry;

/// The read path, which both patterns share.
#[derive(Clone, Debug)]
pub struct ReadThrough {
    cache: Arc<dyn Cache>,
    store: Arc<dyn Store>,
}

impl ReadThrough {
    /// Reads from `cache` and, where that holds nothing, from `store`.
    pub fn new(cache: Arc<dyn Cache>, store: Arc<dyn Store>) -> ReadThrough {
        ReadThrough { cache, store }
    }

    /// The current record of `key`.
    pub async fn read(&self, key: &Key) -> Result<Read> {
        let read = match self.cache.get(key).await? {
            Lookup::Miss => self.fill(key).await?,
            found => self.found(key, found).await?,
        };
        telemetry::read(read.source);
        Ok(read)
    }

    async fn found(&self, key: &Key, lookup: Lookup) -> Result<Read> {
        match lookup {
            Lookup::Hit(record) => Ok(Read {
                record,
                source: Source::Hit,
            }),
            Lookup::InDoubt(held) => {
                let stored = self.load(key).await?;
                let record = match held {
                    Some(held) if held.version > stored.version => held,
                    _ => stored,
                };
                Ok(Read {
                    record,
                    source: Source::InDoubt,
                })
            }
            Lookup::Miss => Ok(Read {
                record: self.load(key).await?,
                source: Source::Miss { stored: false },
            }),
        }
    }

    async fn fill(&self, key: &Key) -> Result<Read> {
        // IMPORTANT: the ticket is taken before the database is read. A write
        // in between voids it, so an old value never overwrites a new one, even
        // one that was evicted meanwhile.
        match self.cache.begin_fill(key).await? {
            FillStart::Granted(ticket) => {
                let record = self.load(key).await?;
                let stored = self.cache.fill(ticket, &record).await?;
                Ok(Read {
                    record,
                    source: Source::Miss { stored },
                })
            }
            FillStart::Busy => self.found(key, Lookup::Miss).await,
            FillStart::Found(lookup) => self.found(key, lookup).await,
        }
    }

    async fn load(&self, key: &Key) -> Result<Record> {
        let record = self.store.load(key).await?;
        Ok(record.unwrap_or_else(|| Record::absent(key.clone())))
    }
}
