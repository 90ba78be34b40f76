//! The cache beside the journal of a server.

use async_trait::async_trait;
use cache_core::cache::{Begun, Cache, FillStart, FillTicket, Lookup, Refill, Withdrawn};
use cache_core::error::{Error, Part, Result};
use cache_core::model::record::{Key, Record};
use cache_core::model::stored_versions::StoredVersions;
use cache_core::model::version::Version;
use cache_core::outage::health::PartHealth;

use crate::door::Door;
use crate::server::Entry;
use crate::server_journal::raise;
use crate::store::healthy;

/// How one process sees it.
#[derive(Debug)]
pub(crate) struct ServerCache(pub(crate) Door);

fn lookup(entry: Option<&Entry>) -> Lookup {
    match entry {
        Some(Entry::Clean(record) | Entry::Dirty(record)) => Lookup::Hit(record.clone()),
        Some(Entry::Filling(_)) | None => Lookup::Miss,
    }
}

impl ServerCache {
    async fn call<T: Send>(
        &self,
        what: &str,
        effect: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        let fails = self.0.world.plan.journal_fails;
        self.0.pass(what, fails, effect).await
    }
}

#[async_trait]
impl Cache for ServerCache {
    async fn get(&self, key: &Key) -> Result<Lookup> {
        let world = &self.0.world;
        self.call(&format!("get {}", key.as_str()), || {
            Ok(lookup(world.lock().server.cache.get(key)))
        })
        .await
    }

    async fn begin_fill(&self, key: &Key) -> Result<FillStart> {
        let world = &self.0.world;
        let begin = || {
            let server = &mut world.lock().server;
            let shard = server.shard_of(key);
            if server.clock(shard).is_none() {
                return Err(Error::Unseeded(Part::Cache));
            }
            match server.cache.get(key) {
                Some(Entry::Filling(_)) => Ok(FillStart::Busy),
                Some(found) => Ok(FillStart::Found(lookup(Some(found)))),
                None => {
                    server.next_ticket += 1;
                    let ticket = server.next_ticket;
                    server.cache.insert(key.clone(), Entry::Filling(ticket));
                    Ok(FillStart::Granted(FillTicket(ticket)))
                }
            }
        };
        self.call(&format!("begin {}", key.as_str()), begin).await
    }

    async fn fill(&self, ticket: FillTicket, record: &Record) -> Result<bool> {
        let world = &self.0.world;
        let fill = || {
            let server = &mut world.lock().server;
            let shard = server.shard_of(&record.key);
            let is_valid = matches!(
                server.cache.get(&record.key),
                Some(Entry::Filling(held)) if *held == ticket.0
            );
            if !is_valid || server.clock(shard).is_none() {
                return Ok(false);
            }
            server.raise(shard, record.version);
            let entry = Entry::Clean(record.clone());
            server.cache.insert(record.key.clone(), entry);
            Ok(true)
        };
        self.call(&format!("fill {}", record.key.as_str()), fill)
            .await
    }

    async fn abandon_fill(&self, key: &Key, ticket: FillTicket) -> Result<()> {
        let world = &self.0.world;
        let abandon = || {
            let cache = &mut world.lock().server.cache;
            if matches!(cache.get(key), Some(Entry::Filling(held)) if *held == ticket.0) {
                cache.remove(key);
            }
            Ok(())
        };
        self.call("abandon", abandon).await
    }

    async fn refill(&self, _: &Record, _: &Record) -> Result<Refill> {
        Err(self.0.fails("no other program writes here"))
    }

    async fn forget(&self, key: &Key) -> Result<()> {
        let world = &self.0.world;
        let forget = || {
            let cache = &mut world.lock().server.cache;
            if !matches!(cache.get(key), Some(Entry::Dirty(_))) {
                cache.remove(key);
            }
            Ok(())
        };
        self.call("forget", forget).await
    }

    async fn forget_all(&self) -> Result<()> {
        Err(self.0.fails("no other program writes here"))
    }

    async fn put_dirty(&self, records: &[Record]) -> Result<()> {
        let world = &self.0.world;
        let put = || {
            let server = &mut world.lock().server;
            records.iter().for_each(|record| server.put_dirty(record));
            Ok(())
        };
        self.call("put", put).await
    }

    async fn mark_clean(&self, flushed: &[(Key, Version)]) -> Result<()> {
        let world = &self.0.world;
        let mark = || {
            world.lock().server.mark_clean(flushed);
            Ok(())
        };
        self.call("mark", mark).await
    }

    async fn begin_write(&self, _: &[Key]) -> Result<Vec<Begun>> {
        Err(self.0.fails("nothing is written through here"))
    }

    async fn withdraw(&self, _: &[Withdrawn]) -> Result<()> {
        Err(self.0.fails("nothing is written through here"))
    }

    async fn settle(&self, _: &[Record]) -> Result<()> {
        Err(self.0.fails("nothing is written through here"))
    }

    async fn discard(&self, key: &Key, version: Version) -> Result<()> {
        let world = &self.0.world;
        let discard = || {
            let cache = &mut world.lock().server.cache;
            if matches!(cache.get(key), Some(Entry::Dirty(held)) if held.version == version) {
                cache.remove(key);
            }
            Ok(())
        };
        self.call("discard", discard).await
    }

    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()> {
        raise(&self.0, stored).await
    }

    async fn health(&self) -> PartHealth {
        healthy()
    }
}
