//! The disk under a journal of one process.

use cache_core::model::record::Record;
use cache_core::model::shard::Shard;
use cache_core::model::version::Version;

use crate::world::{State, World};

/// One appended batch.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) records: Vec<Record>,
    /// Whether all of it was written.
    pub(crate) is_whole: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) frames: Vec<Frame>,
    pub(crate) acknowledged: Version,
    /// What a note on the disk says of it, which may be behind.
    pub(crate) noted: Version,
    pub(crate) drained: u64,
}

impl World {
    /// Opens the journal: drops a last batch that was cut short, and finds what
    /// waits. Returns the newest version that it ever had.
    pub(crate) fn open_disk(&self) -> Version {
        let outcome = self.lock().open_disk();
        let durable = self.lock().all_is_durable();
        self.expect(durable);
        match outcome {
            Ok(newest) => newest,
            Err(what) => {
                self.fail(what);
                Version::ZERO
            }
        }
    }
}

impl State {
    fn open_disk(&mut self) -> Result<Version, String> {
        let disk = &mut self.disk;
        if disk.frames.last().is_some_and(|frame| !frame.is_whole) {
            disk.frames.pop();
        }
        if disk.frames.iter().any(|frame| !frame.is_whole) {
            return Err("the journal is damaged: a batch follows one that was cut short".into());
        }
        disk.acknowledged = disk.noted;
        self.unknown.clear();
        let records = disk.frames.iter().flat_map(|frame| &frame.records);
        let newest = records.clone().map(|record| record.version).max();
        self.log.entries = records
            .filter(|record| record.version > disk.acknowledged)
            .map(|record| ((Shard(0), record.version), record.clone()))
            .collect();
        Ok(newest.unwrap_or_default().max(disk.acknowledged))
    }
}
