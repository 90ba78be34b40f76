//! The journal on this machine's disk, for one process.
//!
//! A folder of segments, each a run of frames; a frame is one appended batch
//! with a checksum, written with one `write` and, at [`JournalSync::Fsync`],
//! one `fdatasync`. All of it is one shard.
//!
//! * A batch that a crash cut short at the very end was never acknowledged and
//!   is dropped when the journal is opened.
//! * A frame that does not verify and has a whole one after it was damaged
//!   later: opening is refused with the file and the offset.
//! * After a failed write or sync nobody knows what the disk holds, so the
//!   writer is poisoned: it takes nothing more until the journal is reopened.

mod dead_letters;
mod frame;
mod head;
mod segment;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

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
use writer::Writer;

const SHARD: Shard = Shard(0);

/// The file journal.
#[derive(Debug)]
pub struct FileJournal {
    folder: PathBuf,
    sync: JournalSync,
    clock: Arc<Clock>,
    writer: Arc<Mutex<Writer>>,
    head: Arc<Mutex<Head>>,
    tail: Arc<Mutex<Tail>>,
    dead: Arc<Mutex<DeadLetters>>,
    _lock: File,
}

/// What is known of the written part without touching the disk.
#[derive(Clone, Copy, Debug, Default)]
struct Tail {
    /// Where the next frame goes; all before it may be read.
    end: segment::Position,
    /// Entries that are not acknowledged.
    depth: u64,
    /// Bytes of the frames that hold them.
    bytes: u64,
    newest: Option<Version>,
    /// Entries acknowledged since the journal was opened.
    drained: u64,
    poisoned: bool,
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
        let lock_path = folder.join("LOCK");
        let lock_file = File::create(&lock_path).map_err(|error| failed(&lock_path, error))?;
        match lock_file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(failed(folder, "another process has the journal open"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&lock_path, error)),
        }
        let acknowledged = head::read_acknowledged(folder);
        let scanned = segment::scan(folder, acknowledged)?;
        if let Some(torn) = scanned.torn_bytes {
            tracing::warn!(
                bytes = torn,
                "the journal ended in a batch that a crash cut short; it was never acknowledged and is dropped"
            );
        }
        let writer = Writer::open(folder, sync, segment_bytes, scanned.end)?;
        let clock = Arc::new(Clock::default());
        let tail = Tail {
            end: writer.position(),
            depth: scanned.depth,
            bytes: scanned.bytes,
            // IMPORTANT: versions go on above what was acknowledged as well: an
            // entry below it would count as drained.
            newest: scanned
                .newest
                .max((acknowledged > Version::ZERO).then_some(acknowledged)),
            drained: 0,
            poisoned: false,
        };
        let head = Head::new(folder, scanned.head.unwrap_or(tail.end), acknowledged);
        head.delete_acknowledged_segments()?;
        Ok(FileJournal {
            folder: folder.to_owned(),
            sync,
            clock,
            writer: Arc::new(Mutex::new(writer)),
            head: Arc::new(Mutex::new(head)),
            tail: Arc::new(Mutex::new(tail)),
            dead: Arc::new(Mutex::new(DeadLetters::open(folder)?)),
            _lock: lock_file,
        })
    }

    fn append_all(&self, writes: &[Write]) -> Result<Vec<Appended>> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        // IMPORTANT: versions are issued under the writer's lock, so that they
        // grow along the file.
        let mut writer = lock(&self.writer);
        let records: Vec<Record> = writes
            .iter()
            .map(|write| {
                self.clock
                    .issue()
                    .map(|version| write.at(version))
                    .ok_or(Error::Unseeded(Part::Journal))
            })
            .collect::<Result<_>>()?;
        let written = writer.append(&records);
        let mut tail = lock(&self.tail);
        tail.poisoned = writer.poisoned();
        tail.bytes += written?;
        tail.end = writer.position();
        tail.depth += records.len() as u64;
        tail.newest = records.last().map(|record| record.version);
        Ok(records
            .iter()
            .map(|record| Appended::At(record.version))
            .collect())
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
        match self.append_all(writes) {
            Ok(appended) => appended.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); writes.len()],
        }
    }

    fn depth(&self) -> u64 {
        lock(&self.tail).depth
    }

    async fn read(&self, _: Shard, after: Version, max: usize) -> Result<Vec<Record>> {
        let (head, tail) = (self.head.clone(), self.tail.clone());
        Self::blocking(move || {
            let end = lock(&tail).end;
            lock(&head).read(after, max, end)
        })
        .await
    }

    async fn acknowledge(
        &self,
        _: Shard,
        through: Version,
        flushed: &[(Key, Version)],
    ) -> Result<()> {
        let (head, tail, dead) = (self.head.clone(), self.tail.clone(), self.dead.clone());
        // None at all, nearly always.
        let superseded = match lock(&dead).count() {
            0 => Vec::new(),
            _ => flushed.to_vec(),
        };
        Self::blocking(move || {
            for (key, flushed) in &superseded {
                lock(&dead).forget(key, |version| version <= *flushed)?;
            }
            // The head stays locked until the tail agrees with it.
            let mut head = lock(&head);
            let end = lock(&tail).end;
            let passed = head.acknowledge(through, end)?;
            let mut tail = lock(&tail);
            tail.depth = tail.depth.saturating_sub(passed.entries);
            tail.bytes = tail.bytes.saturating_sub(passed.bytes);
            tail.drained += passed.entries;
            Ok(())
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
        let newest = lock(&self.tail).newest.unwrap_or_default();
        self.clock.raise(floor.max(newest));
        // IMPORTANT: an append that was issued older versions than that ends first, so
        // that what waits is seen to wait.
        let writer = self.writer.clone();
        Self::blocking(move || {
            drop(lock(&writer));
            Ok(())
        })
        .await
    }

    async fn stats(&self) -> Result<Vec<ShardStats>> {
        let (head, tail) = (self.head.clone(), self.tail.clone());
        let (oldest, tail) = Self::blocking(move || {
            let mut head = lock(&head);
            let tail = *lock(&tail);
            Ok((head.read(Version::ZERO, 1, tail.end)?, tail))
        })
        .await?;
        let oldest = oldest.first().map(|record| record.version);
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
        let up = !lock(&self.tail).poisoned;
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
            problem: (!up).then_some(
                "a write to it failed; it takes no more until the service is restarted".into(),
            ),
            durability: Some(durability.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
