//! Reading on request from the database although the cache holds the key, and filling the
//! cache with what it has: another program may have changed the row.

use super::ReadThrough;
use crate::cache::{FillStart, Lookup, Refill};
use crate::engine::Read;
use crate::error::{Error, Result};
use crate::model::record::{Key, Record};
use crate::model::source::Source;

/// Attempts of a reload: one is retried when the cache held something else after the database
/// was read. After the last, the cache holds what was put there since the reader came.
const TRIES_MAX: u32 = 3;

impl ReadThrough {
    /// The record of `key` as the database has it now, unless the cache holds one that the
    /// database does not have yet. The cache holds it afterwards.
    pub async fn reload(&self, key: &Key) -> Result<Read> {
        self.answer(key, super::Demand::Reload).await
    }

    /// Loads `key`, of which the cache holds `found`.
    ///
    /// What is clean stays held until it is replaced: while the database is unavailable,
    /// other readers go on to read it.
    pub(super) async fn reload_found(&self, key: &Key, mut found: Lookup) -> Result<Read> {
        for _ in 0..TRIES_MAX {
            let held = match found {
                Lookup::Hit(held) => held,
                Lookup::Miss => match self.fill_again(key).await? {
                    Filled::Done(read) => return Ok(read),
                    Filled::Found(lookup) => {
                        found = lookup;
                        continue;
                    }
                },
                Lookup::InDoubt(_) => break,
            };
            let mut loaded = self.load(key).await;
            if is_older(&loaded, &held) {
                // IMPORTANT: what is clean now may have been dirty when the database was
                // read. It was not if it is clean before that.
                match self.is_clean(&held).await? {
                    Refill::Stored => loaded = self.load(key).await,
                    Refill::Kept(Lookup::Hit(kept)) if kept == held => return Ok(hit(held)),
                    Refill::Kept(lookup) => {
                        found = lookup;
                        continue;
                    }
                }
            }
            let record = match loaded {
                Err(error @ Error::BrokenRow { .. }) => {
                    // It has replaced what is held, too.
                    self.cache.forget(key).await?;
                    return Err(error);
                }
                loaded => loaded?,
            };
            found = match self.cache.refill(&held, &record).await {
                Ok(Refill::Stored) => return Ok(requested(record, true)),
                // It is dirty, and the database has it already.
                Ok(Refill::Kept(Lookup::Hit(kept))) if kept == held => {
                    return Ok(match record.version < held.version {
                        true => hit(held),
                        false => requested(record, false),
                    });
                }
                Ok(Refill::Kept(lookup)) => lookup,
                // It was clean, and there is no room for the other.
                Err(Error::Full { .. }) => {
                    self.cache.forget(key).await?;
                    return Ok(requested(record, false));
                }
                Err(error) => return Err(error),
            };
        }
        self.found(key, found).await
    }

    /// Whether `held` is held and clean: if so, it is put again.
    async fn is_clean(&self, held: &Record) -> Result<Refill> {
        match self.cache.refill(held, held).await {
            // It was found to be, and there is no room.
            Err(Error::Full { .. }) => Ok(Refill::Stored),
            refilled => refilled,
        }
    }

    /// Fills a key that is not held.
    async fn fill_again(&self, key: &Key) -> Result<Filled> {
        let mut start = self.begin_fill(key).await?;
        if start == FillStart::Busy {
            // IMPORTANT: that reader may have read the row before it was changed.
            self.cache.forget(key).await?;
            start = self.begin_fill(key).await?;
        }
        let read = match start {
            FillStart::Granted(ticket) => {
                let loaded = self.load(key).await;
                self.put(key, ticket, loaded, None).await?
            }
            FillStart::Busy => self.found(key, Lookup::Miss).await?,
            FillStart::Found(lookup) => return Ok(Filled::Found(lookup)),
        };
        let stored = read.source == Source::Miss { stored: true };
        Ok(Filled::Done(requested(read.record, stored)))
    }
}

/// Whether the row is an older one than `held`, or may be.
fn is_older(loaded: &Result<Record>, held: &Record) -> bool {
    match loaded {
        Ok(record) => record.version < held.version,
        Err(error) => matches!(error, Error::BrokenRow { .. }),
    }
}

enum Filled {
    Done(Read),
    Found(Lookup),
}

fn hit(record: Record) -> Read {
    Read {
        record,
        source: Source::Hit,
    }
}

fn requested(record: Record, stored: bool) -> Read {
    Read {
        record,
        source: Source::Requested { stored },
    }
}
