//! The embedded cache: this process's own memory.
//!
//! Clean records live in a bounded cache that may evict any of them at any
//! time. What must not be evicted, dirty records and marks of writes in flight,
//! is pinned in maps beside it. Both change only under the key's stripe lock,
//! so a key's state is always consistent; no lock is held across an await.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use quick_cache::Weighter;

use crate::cache::{Begun, Cache, FillStart, FillTicket, Lifetimes, Lookup, Refill, Withdrawn};
use crate::error::{Error, Part, Result};
use crate::model::record::{Key, Record};
use crate::model::stored_versions::StoredVersions;
use crate::model::version::{Clock, Version};
use crate::outage::health::PartHealth;

/// Locks over which the keys are spread.
const STRIPES: usize = 64;
/// What an entry costs beside its key and body, in bytes, roughly.
const ENTRY_OVERHEAD_BYTES: usize = 200;
/// What an entry usually costs.
const ENTRY_BYTES_USUAL: usize = 300;

/// An in-process cache, for one process only.
#[derive(Debug)]
pub struct MemoryCache {
    stripes: Vec<Mutex<HashMap<Key, Pinned>>>,
    hasher: RandomState,
    clean: quick_cache::sync::Cache<Key, Evictable, ByBytes>,
    clock: Clock,
    lifetimes: Lifetimes,
    next_ticket: AtomicU64,
    capacity_bytes: u64,
    next_sweep: Mutex<Instant>,
}

/// What is held of a key and must not be evicted; never both `None`.
#[derive(Debug, Default)]
struct Pinned {
    dirty: Option<Record>,
    doubt: Option<Doubt>,
}

#[derive(Clone, Copy, Debug)]
struct Doubt {
    version: Version,
    until: Instant,
    /// Older writes that were in flight have settled, up to this one.
    settled: Version,
}

#[derive(Clone, Debug)]
enum Evictable {
    /// With the time until which it may be served.
    Clean(Record, Option<Instant>),
    /// With the time until which its reader may fill.
    Filling(FillTicket, Option<Instant>),
}

impl Evictable {
    fn until(&self) -> Option<Instant> {
        match self {
            Evictable::Clean(_, until) | Evictable::Filling(_, until) => *until,
        }
    }
}

/// The end of a lifetime that begins now; `None` where it is beyond what a clock can tell.
fn end_of(lifetime: Duration) -> Option<Instant> {
    Instant::now().checked_add(lifetime)
}

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<Key, Evictable> for ByBytes {
    fn weight(&self, key: &Key, entry: &Evictable) -> u64 {
        let body = match entry {
            Evictable::Clean(record, _) => record.size_bytes(),
            Evictable::Filling(..) => 0,
        };
        (key.as_str().len() + body + ENTRY_OVERHEAD_BYTES) as u64
    }
}

impl MemoryCache {
    /// A cache whose clean entries take about `capacity_bytes` at most. Dirty
    /// entries come on top of that: the journal's bound is theirs.
    pub fn new(capacity_bytes: u64, lifetimes: Lifetimes) -> MemoryCache {
        let entries = capacity_bytes as usize / ENTRY_BYTES_USUAL;
        MemoryCache {
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            clean: quick_cache::sync::Cache::with_weighter(entries, capacity_bytes, ByBytes),
            clock: Clock::default(),
            lifetimes,
            next_ticket: AtomicU64::new(0),
            capacity_bytes,
            next_sweep: Mutex::new(Instant::now() + lifetimes.in_doubt),
        }
    }

    /// Removes expired marks of doubt. Marks of failed writes would stay for ever when their
    /// names are never read again. It runs once a lifetime, so it costs a single write next
    /// to nothing.
    fn sweep(&self, now: Instant) {
        {
            let mut next_sweep = self
                .next_sweep
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if now < *next_sweep {
                return;
            }
            *next_sweep = now + self.lifetimes.in_doubt;
        }
        for stripe in &self.stripes {
            let mut pinned = stripe.lock().unwrap_or_else(PoisonError::into_inner);
            pinned.retain(|_, held| {
                held.doubt = held.doubt.filter(|doubt| doubt.until > now);
                held.dirty.is_some() || held.doubt.is_some()
            });
        }
    }

    /// The key's state, locked.
    fn lock(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Pinned>> {
        let stripe = self.hasher.hash_one(key) as usize % STRIPES;
        #[expect(
            clippy::indexing_slicing,
            reason = "the index is taken modulo the length"
        )]
        // No code panics while it holds the lock, so a poisoned one is whole.
        self.stripes[stripe]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lookup(&self, pinned: &mut HashMap<Key, Pinned>, key: &Key) -> Lookup {
        if let Some(held) = pinned.get_mut(key) {
            debug_assert!(
                held.dirty.is_some() || held.doubt.is_some(),
                "what holds nothing is removed"
            );
            if held.doubt.is_some_and(|doubt| doubt.until > Instant::now()) {
                return Lookup::InDoubt(held.dirty.clone());
            }
            held.doubt = None;
            match &held.dirty {
                Some(record) => return Lookup::Hit(record.clone()),
                None => pinned.remove(key),
            };
        }
        // It counts as a use, unlike `peek`.
        match self.unexpired(key, self.clean.get(key)) {
            Some(Evictable::Clean(record, _)) => Lookup::Hit(record),
            Some(Evictable::Filling(..)) | None => Lookup::Miss,
        }
    }

    /// What is held of the key besides what is pinned, unless its time is over.
    fn evictable(&self, key: &Key) -> Option<Evictable> {
        self.unexpired(key, self.clean.peek(key))
    }

    /// What was found of the key, unless its time is over.
    fn unexpired(&self, key: &Key, found: Option<Evictable>) -> Option<Evictable> {
        let entry = found?;
        if entry.until().is_none_or(|until| until > Instant::now()) {
            return Some(entry);
        }
        self.clean.remove(key);
        None
    }

    fn hold_clean(&self, record: Record) {
        let until = end_of(self.lifetimes.of(&record));
        self.clean
            .insert(record.key.clone(), Evictable::Clean(record, until));
    }

    /// The same in place of the key's ticket, which is no use of the key: names that are read once do not push out
    /// those that are read often. Returns whether there was room.
    fn hold_in_place(&self, record: &Record) -> bool {
        let until = end_of(self.lifetimes.of(record));
        let entry = Evictable::Clean(record.clone(), until);
        self.clean.replace(record.key.clone(), entry, true).is_ok()
    }

    fn clean_version(&self, key: &Key) -> Option<Version> {
        match self.evictable(key) {
            Some(Evictable::Clean(record, _)) => Some(record.version),
            Some(Evictable::Filling(..)) | None => None,
        }
    }

    /// Whether `record` is newer than what is clean, which then is removed, as a ticket is.
    fn replaces_clean(&self, record: &Record) -> bool {
        match self.evictable(&record.key) {
            Some(Evictable::Clean(clean, _)) if clean.version >= record.version => return false,
            Some(_) => drop(self.clean.remove(&record.key)),
            None => {}
        }
        true
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &Key) -> Result<Lookup> {
        Ok(self.lookup(&mut self.lock(key), key))
    }

    async fn begin_fill(&self, key: &Key) -> Result<FillStart> {
        let mut pinned = self.lock(key);
        match self.lookup(&mut pinned, key) {
            Lookup::Miss if self.evictable(key).is_some() => Ok(FillStart::Busy),
            Lookup::Miss => {
                let ticket = FillTicket(self.next_ticket.fetch_add(1, Ordering::Relaxed));
                let until = end_of(self.lifetimes.fill);
                self.clean
                    .insert(key.clone(), Evictable::Filling(ticket, until));
                Ok(FillStart::Granted(ticket))
            }
            found => Ok(FillStart::Found(found)),
        }
    }

    async fn fill(&self, ticket: FillTicket, record: &Record) -> Result<bool> {
        let pinned = self.lock(&record.key);
        // A write of the key removed or replaced the ticket. So did an eviction, after which
        // it is unknown whether there was a write.
        let valid = !pinned.contains_key(&record.key)
            && matches!(self.evictable(&record.key), Some(Evictable::Filling(held, _)) if held == ticket);
        if valid {
            self.clock.raise(record.version);
            return Ok(self.hold_in_place(record));
        }
        Ok(false)
    }

    async fn abandon_fill(&self, key: &Key, ticket: FillTicket) -> Result<()> {
        let _pinned = self.lock(key);
        if matches!(self.evictable(key), Some(Evictable::Filling(held, _)) if held == ticket) {
            self.clean.remove(key);
        }
        Ok(())
    }

    async fn refill(&self, held: &Record, record: &Record) -> Result<Refill> {
        let mut pinned = self.lock(&record.key);
        let is_held = !pinned.contains_key(&record.key)
            && matches!(self.evictable(&record.key), Some(Evictable::Clean(clean, _)) if clean == *held);
        if !is_held {
            return Ok(Refill::Kept(self.lookup(&mut pinned, &record.key)));
        }
        self.clock.raise(record.version);
        self.hold_clean(record.clone());
        Ok(Refill::Stored)
    }

    async fn forget(&self, key: &Key) -> Result<()> {
        let _pinned = self.lock(key);
        self.clean.remove(key);
        Ok(())
    }

    async fn forget_all(&self) -> Result<()> {
        // IMPORTANT: under all locks. A reader that found its ticket valid must not put what
        // it has read after this. No other code holds two of these locks.
        let _pinned: Vec<_> = self
            .stripes
            .iter()
            .map(|stripe| stripe.lock().unwrap_or_else(PoisonError::into_inner))
            .collect();
        self.clean.clear();
        Ok(())
    }

    async fn put_dirty(&self, records: &[Record]) -> Result<()> {
        for record in records {
            debug_assert!(
                record.version > Version::ZERO,
                "what was appended has a version"
            );
            let mut pinned = self.lock(&record.key);
            let held = pinned.entry(record.key.clone()).or_default();
            let is_newest = match &held.dirty {
                // No clean record is held beside it, and no ticket.
                Some(dirty) => record.version > dirty.version,
                None => self.replaces_clean(record),
            };
            if is_newest {
                held.dirty = Some(record.clone());
            }
            if held
                .doubt
                .is_some_and(|doubt| doubt.version < record.version)
            {
                held.doubt = None;
            }
            if held.dirty.is_none() && held.doubt.is_none() {
                pinned.remove(&record.key);
            }
        }
        Ok(())
    }

    async fn mark_clean(&self, flushed: &[(Key, Version)]) -> Result<()> {
        for (key, version) in flushed {
            let mut pinned = self.lock(key);
            let Some(held) = pinned.get_mut(key) else {
                continue;
            };
            let Some(record) = held.dirty.take_if(|dirty| dirty.version == *version) else {
                continue;
            };
            if held.doubt.is_none() {
                pinned.remove(key);
                self.hold_clean(record);
            }
        }
        Ok(())
    }

    async fn begin_write(&self, keys: &[Key]) -> Result<Vec<Begun>> {
        let now = Instant::now();
        self.sweep(now);
        let until = now + self.lifetimes.in_doubt;
        keys.iter()
            .map(|key| {
                // IMPORTANT: the version is issued under the lock. A mark that
                // came after those of newer writes, and after these settled,
                // would have its own write settle over theirs.
                let mut pinned = self.lock(key);
                let version = self.clock.issue().ok_or(Error::Unseeded(Part::Cache))?;
                let held = pinned.entry(key.clone()).or_default();
                let before = held.doubt;
                held.doubt = Some(Doubt {
                    version,
                    until,
                    settled: before.map_or(Version::ZERO, |doubt| doubt.settled),
                });
                self.clean.remove(key);
                Ok(Begun {
                    version,
                    dirty: held.dirty.clone(),
                    doubt: before
                        .filter(|doubt| doubt.until > now)
                        .map(|doubt| doubt.version),
                })
            })
            .collect()
    }

    async fn withdraw(&self, writes: &[Withdrawn]) -> Result<()> {
        let until = Instant::now() + self.lifetimes.in_doubt;
        for write in writes {
            let mut pinned = self.lock(&write.key);
            let Some(held) = pinned.get_mut(&write.key) else {
                continue;
            };
            let Some(doubt) = held.doubt.filter(|doubt| doubt.version == write.version) else {
                continue;
            };
            // One that has settled meanwhile is in doubt no more.
            let before = write.doubt.filter(|before| *before > doubt.settled);
            held.doubt = before.map(|version| Doubt {
                version,
                until,
                ..doubt
            });
            if held.doubt.is_none() && held.dirty.is_none() {
                pinned.remove(&write.key);
            }
        }
        Ok(())
    }

    async fn settle(&self, records: &[Record]) -> Result<()> {
        for record in records {
            let mut pinned = self.lock(&record.key);
            let Some(held) = pinned.get_mut(&record.key) else {
                match self.clean_version(&record.key) {
                    // The mark is lost. A newer write may have come and gone since,
                    // even a deletion whose tombstone was purged. A reader's ticket
                    // is void.
                    None | Some(Version::ZERO) => drop(self.clean.remove(&record.key)),
                    Some(clean) if clean < record.version => self.hold_clean(record.clone()),
                    Some(_) => {}
                }
                continue;
            };
            if let Some(doubt) = &mut held.doubt
                && doubt.version > record.version
            {
                doubt.settled = doubt.settled.max(record.version);
                continue;
            }
            held.doubt = None;
            if held
                .dirty
                .as_ref()
                .is_some_and(|dirty| dirty.version > record.version)
            {
                continue;
            }
            pinned.remove(&record.key);
            self.hold_clean(record.clone());
        }
        Ok(())
    }

    async fn discard(&self, key: &Key, version: Version) -> Result<()> {
        let mut pinned = self.lock(key);
        if let Some(held) = pinned.get_mut(key)
            && held
                .dirty
                .take_if(|dirty| dirty.version == version)
                .is_some()
            && held.doubt.is_none()
        {
            pinned.remove(key);
        }
        Ok(())
    }

    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()> {
        self.clock.raise(stored.newest().await?);
        Ok(())
    }

    async fn health(&self) -> PartHealth {
        PartHealth {
            kind: "memory",
            at: format!("this process, {} MiB", self.capacity_bytes >> 20),
            up: true,
            problem: None,
            durability: Some("none: it is filled again from the other parts".to_owned()),
            ..PartHealth::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn marks_of_failed_writes_do_not_pile_up() {
        let lifetime = Duration::from_millis(20);
        let lifetimes = Lifetimes {
            clean: lifetime,
            absent: lifetime,
            in_doubt: lifetime,
            fill: lifetime,
        };
        let cache = MemoryCache::new(1 << 20, lifetimes);
        cache.raise(&Version::ZERO).await.unwrap();
        let keys: Vec<Key> = (0..1_000)
            .map(|number| Key::from(format!("failed {number}")))
            .collect();
        cache.begin_write(&keys).await.unwrap();
        let dirty = Record {
            key: Key::from("dirty"),
            version: Version::MAX,
            body: None,
        };
        cache.put_dirty(std::slice::from_ref(&dirty)).await.unwrap();
        std::thread::sleep(lifetime);
        cache.begin_write(&[Key::from("next")]).await.unwrap();
        let pinned: usize = cache
            .stripes
            .iter()
            .map(|stripe| stripe.lock().unwrap().len())
            .sum();
        assert_eq!(pinned, 2, "the dirty record and the mark just made");
    }
}
