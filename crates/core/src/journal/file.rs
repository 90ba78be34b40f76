//! The journal on this machine's disk, for one process.
//!
//! A folder of segments, each a header and a run of frames; a frame is one
//! appended batch with a checksum, written with one `write` and, at
//! [`JournalSync::Fsync`], one `fdatasync`. All of it is one shard. A manifest
//! says which segments there have to be. docs/design/file-journal.md has the
//! reasons.
//!
//! * A batch that a crash cut short at the very end was never acknowledged and
//!   is dropped when the journal is opened.
//! * A frame that does not verify and has a whole one after it was damaged
//!   later, and a file that the manifest lists and that is not there was lost:
//!   opening is refused with the file and the offset.
//! * A failed write is cut off again; a segment whose sync failed takes nothing
//!   more, and the journal goes on in a new one. Nothing needs a restart.

mod dead_letters;
mod frame;
mod head;
mod header;
mod layout;
mod log;
mod manifest;
mod owner;
mod scan;
mod segment;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::binding::Bound;
use crate::dead_letter::DeadLetter;
use crate::error::{Error, Part, Result};
use crate::health::PartHealth;
use crate::journal::{Appended, Journal, ShardStats};
use crate::record::{Key, Record, Write};
use crate::seed::StoredVersions;
use crate::settings::JournalSync;
use crate::shard::Shard;
use crate::version::{Clock, Version};

use dead_letters::DeadLetters;
use head::Head;
use layout::Layout;
use log::{Log, Tail};
use manifest::Manifest;
use writer::Writer;

const SHARD: Shard = Shard(0);

/// The file journal.
#[derive(Debug)]
pub struct FileJournal {
    folder: PathBuf,
    sync: JournalSync,
    clock: Clock,
    log: Arc<Log>,
    dead: Arc<Mutex<DeadLetters>>,
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
        let lock_file = lock_folder(folder)?;
        FileJournal::open_locked(folder, lock_file, sync, segment_bytes).map_err(|error| {
            match error {
                Error::Corrupt { part, reason } => Error::corrupt(
                    part,
                    format!(
                        "{reason}. Put the folder back as it was, from a copy if need be; or move it away \
                         to start without the writes that are only in it"
                    ),
                ),
                error => error,
            }
        })
    }

    fn open_locked(
        folder: &Path,
        lock_file: File,
        sync: JournalSync,
        segment_bytes: u64,
    ) -> Result<FileJournal> {
        let acknowledged = head::read_acknowledged(folder);
        let (manifest, listed) = match layout::recognise(folder)? {
            Layout::New => {
                let manifest = layout::create(folder)?;
                let listed = manifest.contents();
                (Some(manifest), listed)
            }
            Layout::Listed(manifest, listed) => (Some(manifest), listed),
            Layout::Adopted(listed) => (None, listed),
        };
        let scanned = scan::scan(folder, &listed, acknowledged)?;
        if let Some(torn) = scanned.torn_bytes {
            tracing::warn!(
                bytes = torn,
                "the journal ended in a batch that a crash cut short; it was never acknowledged and is dropped"
            );
        }
        // IMPORTANT: only what was verified is listed.
        let mut manifest = match manifest {
            Some(manifest) => manifest,
            None => Manifest::create(folder, listed)?,
        };
        // What was read may not be on the disk, if the last sync of it failed.
        manifest.change(|contents| *contents = listed)?;
        let manifest = Arc::new(Mutex::new(manifest));
        let dead = DeadLetters::open(folder, manifest.clone())?;
        let newest = scanned.newest.unwrap_or_default().max(acknowledged);
        let mut writer = Writer::open(
            folder,
            sync,
            segment_bytes,
            manifest.clone(),
            scanned.end,
            newest,
        )?;
        if !writer.has_header() {
            writer.begin_segment()?;
        }
        let tail = Tail {
            end: writer.position(),
            depth: scanned.depth,
            bytes: scanned.bytes,
            // IMPORTANT: versions go on above what was acknowledged as well: an
            // entry below it would count as drained.
            newest: (newest > Version::ZERO).then_some(newest),
            ..Tail::default()
        };
        let first = scanned.head.unwrap_or(tail.end);
        let head = Head::new(folder, manifest, first, tail.end, acknowledged)?;
        Ok(FileJournal {
            folder: folder.to_owned(),
            sync,
            clock: Clock::default(),
            log: Arc::new(Log::new(writer, head, tail, lock_file)),
            dead: Arc::new(Mutex::new(dead)),
        })
    }

    /// Makes sure that what waits here is for this database; writes nothing. `program` has the
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

    /// Does something with the dead letters.
    async fn with_dead<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut DeadLetters) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let dead = self.dead.clone();
        Self::blocking(move || work(&mut lock(&dead))).await
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

/// Keeps other processes out of the folder.
fn lock_folder(folder: &Path) -> Result<File> {
    let path = folder.join("LOCK");
    let file = File::create(&path).map_err(|error| failed(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(failed(folder, "another process has the journal open"))
        }
        Err(TryLockError::Error(error)) => Err(failed(&path, error)),
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

    async fn append(&self, writes: &[Write]) -> Vec<Result<Appended>> {
        if writes.is_empty() {
            return Vec::new();
        }
        match self.log.append(&self.clock, writes) {
            Ok(versions) => versions
                .into_iter()
                .map(|version| Ok(Appended::At(version)))
                .collect(),
            Err(error) => {
                self.log.probe_while_failing();
                vec![Err(error); writes.len()]
            }
        }
    }

    fn depth(&self) -> u64 {
        self.log.tail().depth
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
        // None at all, nearly always.
        let superseded = match lock(&dead).count() {
            0 => Vec::new(),
            _ => flushed.to_vec(),
        };
        Self::blocking(move || {
            for (key, flushed) in &superseded {
                lock(&dead).forget(key, |version| version <= *flushed)?;
            }
            log.acknowledge(through)
        })
        .await
    }

    async fn set_aside(&self, _: Shard, letter: &DeadLetter) -> Result<()> {
        let letter = letter.clone();
        self.with_dead(move |dead| dead.keep(&letter)).await
    }

    /// A frame that does not verify is damage, and refused when the journal is
    /// opened; one that does was written here, and can be understood.
    async fn set_aside_undecodable(&self, _: Shard) -> Result<u64> {
        Ok(0)
    }

    async fn dead_letters(&self, max: usize) -> Result<Vec<DeadLetter>> {
        Ok(lock(&self.dead).list(max))
    }

    async fn dead_letter(&self, key: &Key) -> Result<Option<DeadLetter>> {
        Ok(lock(&self.dead).find(key).cloned())
    }

    async fn forget_dead_letter(&self, key: &Key, version: Version) -> Result<bool> {
        let key = key.clone();
        self.with_dead(move |dead| dead.forget(&key, |held| held == version))
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
        let log = self.log.clone();
        let (oldest, tail) = Self::blocking(move || log.oldest()).await?;
        let oldest = oldest.map(|record| record.version);
        Ok(vec![ShardStats {
            shard: SHARD,
            depth: tail.depth,
            bytes: tail.bytes,
            oldest,
            newest: tail.newest,
            oldest_age_us: oldest.map_or(0, |oldest| oldest.age_us(Version::now())),
            drained: tail.drained,
            dead: lock(&self.dead).count(),
        }])
    }

    async fn health(&self) -> PartHealth {
        let up = !self.log.tail().failing;
        let durability = match self.sync {
            JournalSync::Fsync => "survives a power loss: JOURNAL_SYNC=fsync",
            JournalSync::Os => {
                "survives a crash of this process, not a power loss: JOURNAL_SYNC=os"
            }
        };
        PartHealth {
            kind: "file",
            at: self.folder.display().to_string(),
            up,
            problem: (!up).then(|| "a write to it failed; it is tried again every second".into()),
            durability: Some(durability.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
