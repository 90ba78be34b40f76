//! Reads a record from the database on request, although the cache holds the key, and puts the
//! record into the cache. This is for rows that another program may have changed.

use super::ReadThrough;
use crate::cache::{FillStart, Lookup, Refill};
use crate::engine::Read;
use crate::error::{Error, Result};
use crate::model::record::{Key, Record};
use crate::model::source::Source;

/// How many attempts a reload has. An attempt fails when the cache holds another record after
/// the database was read. After the last one, the record that the cache holds was put there since
/// the reader came.
const TRIES_MAX: u32 = 3;

impl ReadThrough {
    /// The record of `key` as the database has it now, unless the cache holds a record that the
    /// database does not have yet. Afterwards the cache holds the record that is returned.
    pub async fn reload(&self, key: &Key) -> Result<Read> {
        self.answer(key, super::Demand::Reload).await
    }

    /// As [`ReadThrough::reload`] of each key, in the same order.
    pub async fn reload_many(&self, keys: &[Key]) -> Vec<Result<Read>> {
        self.answer_many(keys, super::Demand::Reload).await
    }

    /// Loads `key`, of which the cache holds `found`.
    ///
    /// A clean record stays in the cache until it is replaced. So other readers can still read it
    /// while the database is unavailable.
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
                // IMPORTANT: a record that is clean now may have been dirty when the database was
                // read. So the database is read once more, after the record was found clean.
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
                    // The broken row has replaced the record that the cache holds.
                    self.cache.forget(key).await?;
                    return Err(error);
                }
                loaded => loaded?,
            };
            found = match self.cache.refill(&held, &record).await {
                Ok(Refill::Stored) => return Ok(requested(record, true)),
                // The record is still held, so it is dirty. The database may have it already.
                Ok(Refill::Kept(Lookup::Hit(kept))) if kept == held => {
                    return Ok(match record.version < held.version {
                        true => hit(held),
                        false => requested(record, false),
                    });
                }
                Ok(Refill::Kept(lookup)) => lookup,
                // The held record was clean, and there is no room for the loaded one.
                Err(Error::Full { .. }) => {
                    self.cache.forget(key).await?;
                    return Ok(requested(record, false));
                }
                Err(error) => return Err(error),
            };
        }
        self.found(key, found).await
    }

    /// Whether the cache holds `held`, clean. If so, the same record is put again.
    async fn is_clean(&self, held: &Record) -> Result<Refill> {
        match self.cache.refill(held, held).await {
            // The record was found clean, and there is no room to put it again.
            Err(Error::Full { .. }) => Ok(Refill::Stored),
            refilled => refilled,
        }
    }

    /// Fills a key that the cache does not hold.
    async fn fill_again(&self, key: &Key) -> Result<Filled> {
        let mut start = self.begin_fill(key).await?;
        if start == FillStart::Busy {
            // IMPORTANT: the reader that has the ticket may have read the row before the change.
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

/// Whether the row is older than `held`, or may be.
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
