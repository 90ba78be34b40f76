//! Reading: from the cache, else from the database, filling the cache.

use std::sync::Arc;

use crate::cache::{Cache, FillStart, Lookup};
use crate::engine::{Read, Source};
use crate::error::{Error, Result};
use crate::fault;
use crate::record::{Key, Record};
use crate::seeder::Seeder;
use crate::store::Store;
use crate::telemetry;

/// The read path, which both patterns share.
#[derive(Clone, Debug)]
pub struct ReadThrough {
    cache: Arc<dyn Cache>,
    store: Arc<dyn Store>,
    seeder: Arc<Seeder>,
}

impl ReadThrough {
    /// Reads from `cache` and, where that holds nothing, from `store`.
    pub fn new(cache: Arc<dyn Cache>, store: Arc<dyn Store>, seeder: Arc<Seeder>) -> ReadThrough {
        ReadThrough {
            cache,
            store,
            seeder,
        }
    }

    /// The current record of `key`.
    pub async fn read(&self, key: &Key) -> Result<Read> {
        let seed = self.seeder.generation();
        let read = match self.look(key).await {
            // What is not held may be waiting in the journal of a server that
            // has come back.
            Err(Error::Unseeded(_)) => {
                self.seeder.seed(seed).await?;
                self.look(key).await?
            }
            read => read?,
        };
        telemetry::read(read.source);
        Ok(read)
    }

    async fn look(&self, key: &Key) -> Result<Read> {
        match self.cache.get(key).await? {
            Lookup::Miss => self.fill(key).await,
            found => self.found(key, found).await,
        }
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
        let start = match self.cache.begin_fill(key).await {
            // No room for a ticket, nor for what it is for.
            Err(Error::Full { .. }) => FillStart::Busy,
            start => start?,
        };
        match start {
            FillStart::Granted(ticket) => {
                let record = match self.load(key).await {
                    Ok(record) => record,
                    Err(error) => {
                        // Else nobody could fill the key until the ticket expires.
                        let _ = self.cache.abandon_fill(key, ticket).await;
                        return Err(error);
                    }
                };
                fault::point("fill.loaded").await;
                let stored = match self.cache.fill(ticket, &record).await {
                    Err(Error::Full { .. }) => false,
                    stored => stored?,
                };
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
