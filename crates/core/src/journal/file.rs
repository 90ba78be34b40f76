//! The journal on this machine's disk, for one process.
//!
//! A folder of segments, each a header and a run of frames; a frame is one
//! appended batch with a checksum, written with one `write` and, at
//! [`JournalSync::Fsync`], one `fdatasync`. All of it is one shard. A manifest
//! says which segments there have to be. docs/design/file-journal.md has the
//! reasons.
//!
//! * Frames are chained, and the note `synced` has the end of the last
//!   acknowledged one. Anything damaged or missing before that end was
//!   acknowledged: opening is refused with the file, the offset and the entries.
//! * Bytes behind that end that do not verify are a batch that a crash cut short.
//!   They are not read and stay there; the next batch goes to a new segment.
//! * A failed write is cut off again; a segment whose sync failed takes nothing
//!   more, and the journal goes on in a new one. Nothing needs a restart.

mod dead_letters;
mod forms;
mod frame;
mod head;
mod header;
mod held_back;
pub mod inspect;
mod layout;
mod letters;
mod log;
mod manifest;
mod opening;
mod owner;
mod pieces;
mod salvage;
mod scan;
mod segment;
mod show;
mod surroundings;
mod synced;
mod tail;
mod watch;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::binding::Bound;
use crate::error::{Error, Part, Result};
use crate::journal::Journal;
use crate::model::decision::Decision;
use crate::model::record::{Key, Record, Write};
use crate::model::shard::{Shard, ShardStats};
use crate::model::stored_versions::StoredVersions;
use crate::model::version::{Clock, Version};
use crate::outage::health::PartHealth;
use crate::settings::JournalSync;

use head::Head;
use letters::Letters;
use log::{Log, Tail};
use opening::Opening;
use surroundings::{Locked, Surroundings};
use synced::SyncedNote;
use writer::Writer;

pub use salvage::salvage;
pub use show::show;

const SHARD: Shard = Shard(0);
/// How many bytes an entry takes in its segment besides its key and body, if it is alone in its frame.
const ENTRY_FRAME_BYTES: u64 = 40;
/// About how many bytes a waiting entry takes in this process's memory, where the cache is.
const ENTRY_MEMORY_BYTES: u64 = 400;
/// The reason in `/readyz` after a failed write.
const FAILING: &str = "a write to it failed; it is tried again every second";

/// The file journal.
#[derive(Debug)]
pub struct FileJournal {
    folder: PathBuf,
    sync: JournalSync,
    clock: Clock,
    log: Arc<Log>,
    /// Locked where it may block: it is held over calls to the disk.
    dead: Arc<Mutex<Letters>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics between the changes that belong together.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::unavailable(Part::Journal, format!("{}: {error}", path.display()))
}

impl FileJournal {
    /// Opens the journal in `folder`, creating it if it is missing, and
    /// verifies every frame.
    ///
    /// # Errors
    /// [`Error::Corrupt`] naming file and offset; [`Error::Unavailable`] when
    /// the folder cannot be used or another process has the journal open.
    pub fn open(folder: &Path, sync: JournalSync, segment_bytes: u64) -> Result<FileJournal> {
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        let locked = Locked::take(folder)?;
        FileJournal::open_locked(folder, locked, sync, segment_bytes).map_err(|error| {
            match error {
                Error::Corrupt { part, reason } => Error::corrupt(
                    part,
                    format!(
                        "{reason}. `journal show` lists what is there. Put the folder back as it was, from a \
                         copy if need be, or copy what is whole with `journal salvage`; or move it away to \
                         start without the writes that are only in it"
                    ),
                ),
                error => error,
            }
        })
    }

    fn open_locked(
        folder: &Path,
        locked: Locked,
        sync: JournalSync,
        segment_bytes: u64,
    ) -> Result<FileJournal> {
        let layout = layout::recognise(folder)?;
        let mut opening = opening::verify(folder, layout)?;
        opening.warn(folder);
        // What was read may not be on the disk, if the last sync of it failed.
        let manifest = Arc::new(Mutex::new(opening.list(folder)?));
        let dead = Letters::open(folder, manifest.clone())?;
        let Opening {
            scanned,
            acknowledged,
            noted,
            newest,
            ..
        } = opening;
        let is_synced = sync == JournalSync::Fsync;
        let note = |end| SyncedNote::open(folder, noted, end, is_synced);
        let writer = Writer::open(
            folder,
            sync,
            segment_bytes,
            manifest.clone(),
            scanned.end,
            note,
        )?;
        let tail = Tail {
            end: writer.position(),
            depth: scanned.depth,
            bytes: scanned.bytes,
            newest: (newest > Version::ZERO).then_some(newest),
            ..Tail::default()
        };
        let first = scanned.head.unwrap_or(tail.end);
        let head = Head::new(folder, manifest, first, tail.end, acknowledged)?;
        let surroundings = Surroundings::new(folder, locked)?;
        Ok(FileJournal {
            folder: folder.to_owned(),
            sync,
            clock: Clock::default(),
            log: Arc::new(Log::new(writer, head, tail, surroundings)),
            dead: Arc::new(Mutex::new(dead)),
        })
    }

    /// Checks that what waits here is for this database; writes nothing. `program` has the
    /// subcommand that the refusal names.
    ///
    /// # Errors
    /// [`Error::BadSetting`] when it is for another one.
    pub fn belongs_to(&self, bound: &Bound, program: &str) -> Result<()> {
        owner::check(&self.folder, self.waiting(), bound, program)
    }

    /// Notes that the journal is this database's, after [`FileJournal::belongs_to`].
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn adopt(&self, bound: &Bound) -> Result<()> {
        owner::adopt(&self.folder, bound)
    }

    /// Hands what waits here to this database. Returns how much that is.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn hand_over(&self, bound: &Bound) -> Result<u64> {
        owner::hand_over(&self.folder, bound)?;
        Ok(self.waiting())
    }

    /// Entries and dead letters.
    pub fn waiting(&self) -> u64 {
        self.log.tail().depth + lock(&self.dead).count()
    }

    /// Starts looking for files that are gone, also while nothing is written. Ends with the
    /// journal.
    pub fn watch(&self) {
        watch::start(&self.log, &self.dead);
    }

    /// Does something with the dead letters.
    async fn with_dead<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Letters) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (log, dead) = (self.log.clone(), self.dead.clone());
        Self::blocking(move || {
            log.surroundings().check_for_drain()?;
            work(&mut lock(&dead))
        })
        .await
    }

    /// Runs what blocks on the disk where it may block.
    async fn blocking<T: Send + 'static>(
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or(Err(Error::Panicked))
    }
}

#[async_trait]
impl Journal for FileJournal {
    fn shards(&self) -> u16 {
        1
    }

    fn shard_of(&self, _: &Key) -> Shard {
        SHARD
    }

    fn holds_cache(&self) -> bool {
        false
    }

    fn append_blocks(&self) -> bool {
        true
    }

    async fn append(&self, writes: &[Write]) -> Vec<Result<Decision>> {
        if writes.is_empty() {
            return Vec::new();
        }
        match self.log.append(&self.clock, writes) {
            Ok(versions) => versions
                .into_iter()
                .map(|version| Ok(Decision::Written(version)))
                .collect(),
            Err(error) => vec![Err(error); writes.len()],
        }
    }

    fn depth(&self) -> u64 {
        self.log.tail().depth
    }

    fn bytes(&self) -> Option<u64> {
        Some(self.log.tail().used_bytes())
    }

    fn entry_overhead_bytes(&self) -> u64 {
        ENTRY_FRAME_BYTES + ENTRY_MEMORY_BYTES
    }

    async fn read(&self, _: Shard, after: Version, max: usize) -> Result<Vec<Record>> {
        let log = self.log.clone();
        Self::blocking(move || log.read(after, max)).await
    }

    async fn acknowledge(
        &self,
        _: Shard,
        through: Version,
        flushed: &[(Key, Version)],
    ) -> Result<()> {
        let (log, dead) = (self.log.clone(), self.dead.clone());
        let flushed = flushed.to_vec();
        Self::blocking(move || {
            // IMPORTANT: before anything in the folder at the path is changed.
            log.surroundings().check_for_drain()?;
            for (key, flushed) in &flushed {
                lock(&dead).forget(key, |version| version <= *flushed)?;
            }
            log.acknowledge(through)
        })
        .await
    }

    async fn raise(&self, stored: &dyn StoredVersions) -> Result<()> {
        let floor = stored.newest().await?;
        let newest = self.log.tail().newest.unwrap_or_default();
        self.clock.raise(floor.max(newest));
        // IMPORTANT: an append that was issued older versions than that ends first, so
        // that what waits is seen to wait.
        let log = self.log.clone();
        Self::blocking(move || {
            log.wait_for_append();
            Ok(())
        })
        .await
    }

    async fn stats(&self) -> Result<Vec<ShardStats>> {
        let (log, dead) = (self.log.clone(), self.dead.clone());
        let look = move || {
            let oldest = log.oldest()?;
            let dead = lock(&dead);
            Ok((oldest, dead.count(), dead.held_back()))
        };
        let ((oldest, tail), letters, held_back) = Self::blocking(look).await?;
        let oldest = oldest.map(|record| record.version);
        Ok(vec![ShardStats {
            shard: SHARD,
            depth: tail.depth,
            bytes: tail.used_bytes(),
            oldest,
            oldest_held: oldest,
            newest: tail.newest,
            oldest_age_us: oldest.map_or(0, |oldest| oldest.age_us(Version::now())),
            drained: tail.drained,
            dead: letters - held_back.letters,
            held_back: held_back.letters,
            held_back_bytes: held_back.bytes,
        }])
    }

    async fn health(&self) -> PartHealth {
        let problem = match self.log.surroundings().problem() {
            Some(problem) => Some(problem.into()),
            None => self.log.tail().failing.then(|| FAILING.into()),
        };
        let durability = match self.sync {
            JournalSync::Fsync => "survives a power loss: JOURNAL_SYNC=fsync",
            JournalSync::Os => {
                "survives a crash of this process, not a power loss: JOURNAL_SYNC=os"
            }
        };
        PartHealth {
            kind: "file",
            at: self.folder.display().to_string(),
            up: problem.is_none(),
            problem,
            durability: Some(durability.to_owned()),
            ..PartHealth::default()
        }
    }
}

#[cfg(test)]
mod tests;
