//! One step of draining.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::apply::{Applied, apply};
use crate::cache::Cache;
use crate::dead_letter::DeadLetter;
use crate::error::{Error, Part, Result};
use crate::fault;
use crate::journal::Journal;
use crate::record::{Key, Record};
use crate::shard::Shard;
use crate::store::{Origin, Store};
use crate::telemetry;
use crate::version::Version;

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Entries taken from the journal.
    pub entries: usize,
    /// Rows applied to the database: one a key.
    pub rows: usize,
}

/// The steps of draining, and what the loops share.
#[derive(Debug)]
pub struct Drain {
    cache: Arc<dyn Cache>,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    through: Box<[AtomicU64]>,
    progressed: watch::Sender<()>,
    appending: Arc<Mutex<()>>,
}

impl Drain {
    pub(super) fn new(
        cache: Arc<dyn Cache>,
        journal: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        progressed: watch::Sender<()>,
    ) -> Drain {
        let through = (0..journal.shards()).map(|_| AtomicU64::new(0)).collect();
        Drain {
            cache,
            journal,
            store,
            through,
            progressed,
            appending: Arc::default(),
        }
    }

    /// Held from before a batch is appended until the cache has it, where the
    /// journal does not hold the cache.
    pub(super) fn appending(&self) -> Arc<Mutex<()>> {
        self.appending.clone()
    }

    /// Up to which version this process has drained `shard`.
    pub(super) fn through(&self, shard: Shard) -> Version {
        let through = self.through.get(usize::from(shard.0));
        through
            .and_then(|through| Version::new(through.load(Ordering::Acquire)))
            .unwrap_or_default()
    }

    /// Takes the oldest entries of `shard`, at most `batch_max`, to the database.
    ///
    /// # Errors
    /// When a part is unavailable. The batch, or the rest of it, is in the
    /// journal still; doing it again is safe.
    pub async fn once(&self, shard: Shard, batch_max: usize) -> Result<Drained> {
        let records = self.read(shard, batch_max).await?;
        let Some(last) = records.last() else {
            return Ok(Drained::default());
        };
        let (entries, through) = (records.len(), last.version);
        if !self.journal.holds_cache() {
            // IMPORTANT: what was read may not be in the cache yet. A reader who
            // found it in the database would find something older in the cache
            // afterwards; and it would be dirty for ever if it came there only
            // after it was marked clean. What is appended from here on is newer.
            drop(self.appending.lock().await);
        }
        let started = Instant::now();
        let Applied {
            rows,
            refused,
            failed,
        } = apply(&*self.store, &records, Origin::Drained).await;
        if let Some(error) = failed {
            return Err(error);
        }
        let committed_at = Version::now();
        let flushed: Vec<(Key, Version)> =
            rows.into_iter().map(|row| (row.key, row.version)).collect();
        let dead: HashSet<Version> = refused.iter().map(|(record, _)| record.version).collect();
        for (record, reason) in refused {
            self.set_aside(shard, record, reason).await?;
        }
        fault::point("drain.applied").await;
        // IMPORTANT: only now, when the database has them, may the journal
        // forget the entries and the cache be allowed to drop the values.
        self.journal.acknowledge(shard, through, &flushed).await?;
        fault::point("drain.acknowledged").await;
        if !self.journal.holds_cache() {
            self.cache.mark_clean(&flushed).await?;
        }
        // Only now, as a batch that could not be acknowledged comes again; but before
        // anybody is told, so that who has waited finds the figures as well.
        let drained = Drained {
            entries,
            rows: flushed.len(),
        };
        telemetry::drained(drained, started.elapsed());
        let versions = records.iter().map(|record| record.version);
        let committed = versions.filter(|version| !dead.contains(version));
        telemetry::committed(committed, committed_at);
        if let Some(reached) = self.through.get(usize::from(shard.0)) {
            reached.fetch_max(through.get(), Ordering::AcqRel);
        }
        self.progressed.send_replace(());
        Ok(drained)
    }

    async fn read(&self, shard: Shard, max: usize) -> Result<Vec<Record>> {
        match self.journal.read(shard, Version::ZERO, max).await {
            Err(
                error @ Error::Corrupt {
                    part: Part::Journal,
                    ..
                },
            ) => {
                let set_aside = self.journal.set_aside_undecodable(shard).await?;
                if set_aside == 0 {
                    return Err(error);
                }
                telemetry::dead_letters(set_aside);
                tracing::error!(
                    shard = shard.0,
                    entries = set_aside,
                    "entries of the journal cannot be understood; they are dead letters now"
                );
                self.journal.read(shard, Version::ZERO, max).await
            }
            read => read,
        }
    }

    /// Its value stays in the cache, dirty: it was acknowledged, so readers are
    /// given it until a newer write or an operator ends it.
    async fn set_aside(&self, shard: Shard, record: Record, reason: Arc<str>) -> Result<()> {
        telemetry::dead_letters(1);
        tracing::error!(
            shard = shard.0,
            version = %record.version,
            %reason,
            "the database refuses a record; it is a dead letter now"
        );
        let letter = DeadLetter {
            record,
            reason,
            set_aside_at: Version::now(),
        };
        self.journal.set_aside(shard, &letter).await
    }
}
