//! The segments as one log: appended to at one end, read and acknowledged at
//! the other.

use std::sync::Mutex;

use crate::error::{Error, Part, Result};
use crate::journal::file::head::Head;
use crate::journal::file::segment::Position;
use crate::journal::file::surroundings::Surroundings;
use crate::journal::file::writer::Writer;
use crate::journal::file::{ENTRY_MEMORY_BYTES, lock};
use crate::model::record::{Record, Write};
use crate::model::version::{Clock, Version};

/// Locked in this order: writer, head, tail. The tail is never held over a call to the disk, since tasks that must
/// not block lock it.
#[derive(Debug)]
pub(super) struct Log {
    writer: Mutex<Writer>,
    head: Mutex<Head>,
    tail: Mutex<Tail>,
    surroundings: Surroundings,
}

/// What is known of the written part without touching the disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    /// Where the next frame goes; all before it may be read.
    pub(super) end: Position,
    /// Entries that are not acknowledged.
    pub(super) depth: u64,
    /// Bytes of the frames that hold them.
    pub(super) bytes: u64,
    pub(super) newest: Option<Version>,
    /// Entries acknowledged since the journal was opened.
    pub(super) drained: u64,
    /// Whether the last append or probe failed.
    pub(super) failing: bool,
}

impl Tail {
    /// The bytes of what waits, on the disk and in this process's memory.
    pub(super) fn used_bytes(&self) -> u64 {
        self.bytes + self.depth * ENTRY_MEMORY_BYTES
    }
}

impl Log {
    pub(super) fn new(writer: Writer, head: Head, tail: Tail, surroundings: Surroundings) -> Log {
        Log {
            writer: Mutex::new(writer),
            head: Mutex::new(head),
            tail: Mutex::new(tail),
            surroundings,
        }
    }

    pub(super) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Waits until the append that is under way, if there is one, has ended.
    pub(super) fn wait_for_append(&self) {
        drop(lock(&self.writer));
    }

    pub(super) fn tail(&self) -> Tail {
        *lock(&self.tail)
    }

    /// Issues a version to each write and appends them as one frame.
    pub(super) fn append(&self, clock: &Clock, writes: &[Write]) -> Result<Vec<Version>> {
        // IMPORTANT: versions are issued under the writer's lock, so that they
        // grow along the file.
        let mut writer = lock(&self.writer);
        self.surroundings.check()?;
        let mut records: Vec<Record> = Vec::with_capacity(writes.len());
        for write in writes {
            let version = clock.issue().ok_or(Error::Unseeded(Part::Journal))?;
            records.push(write.at(version));
        }
        let written = self.with_room(&mut writer, |writer| writer.append(&records));
        let mut tail = lock(&self.tail);
        tail.failing = written.is_err();
        // Also after a failure, which may have begun a segment.
        tail.end = writer.position();
        tail.bytes += written?;
        tail.depth += records.len() as u64;
        tail.newest = records.last().map(|record| record.version);
        Ok(records.iter().map(|record| record.version).collect())
    }

    /// Records after `after` that are not acknowledged, at most `max`.
    pub(super) fn read(&self, after: Version, max: usize) -> Result<Vec<Record>> {
        let mut head = lock(&self.head);
        self.surroundings.check_for_drain()?;
        let end = self.tail().end;
        head.read(after, max, end)
    }

    /// The oldest record that waits, and the tail at that moment.
    pub(super) fn oldest(&self) -> Result<(Option<Record>, Tail)> {
        let mut head = lock(&self.head);
        self.surroundings.check_for_drain()?;
        let tail = self.tail();
        let oldest = head.read(Version::ZERO, 1, tail.end)?.pop();
        Ok((oldest, tail))
    }

    pub(super) fn acknowledge(&self, through: Version) -> Result<()> {
        // The head stays locked until the tail agrees with it.
        let mut head = lock(&self.head);
        let end = self.tail().end;
        let passed = head.acknowledge(through, end)?;
        let mut tail = lock(&self.tail);
        tail.depth = tail.depth.saturating_sub(passed.entries);
        tail.bytes = tail.bytes.saturating_sub(passed.bytes);
        tail.drained += passed.entries;
        Ok(())
    }

    /// After a failed append, tries whether the next one would succeed. Returns
    /// whether it would.
    pub(super) fn probe(&self) -> bool {
        let mut writer = lock(&self.writer);
        if self.tail().failing {
            let probed = self.surroundings.check();
            let probed = probed.and_then(|()| self.with_room(&mut writer, Writer::probe));
            let mut tail = lock(&self.tail);
            tail.end = writer.position();
            match probed {
                Ok(()) => {
                    tail.failing = false;
                    tracing::info!("the journal takes writes again");
                }
                Err(error) => tracing::debug!(%error, "the journal takes no writes yet"),
            }
        }
        !self.tail().failing
    }

    /// Looks whether all files are at their paths.
    pub(super) fn look(&self) {
        let writer = lock(&self.writer);
        if self.surroundings.check().is_err() {
            return;
        }
        let at_its_path = writer.is_at_its_path();
        let mut tail = lock(&self.tail);
        if !tail.failing
            && let Err(error) = at_its_path
        {
            tail.failing = true;
            tracing::error!(%error, "the journal takes no writes");
        }
    }

    /// Does `work`; if it fails without having written anything and all of the
    /// last segment is drained, once more with the room that this takes.
    fn with_room<T>(
        &self,
        writer: &mut Writer,
        mut work: impl FnMut(&mut Writer) -> Result<T>,
    ) -> Result<T> {
        match work(writer) {
            Err(Error::NotWritten { .. }) if self.empty_drained(writer) => work(writer),
            done => done,
        }
    }

    fn empty_drained(&self, writer: &mut Writer) -> bool {
        let mut head = lock(&self.head);
        if head.position() != writer.position() || !writer.empty_segment() {
            return false;
        }
        let end = writer.position();
        lock(&self.tail).end = end;
        head.emptied(end);
        true
    }
}
