//! What only the file journal can get wrong: its files, between a crash and the next start.

use std::fs::File;
use std::ops::Range;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::journal::dead_letters::DeadLetters;
use crate::model::dead_letter::DeadLetter;
use crate::process::fault_point;

mod adopted;
mod damage;
mod failed_syncs;
mod failed_writes;
mod folder;
mod missing;
mod note;
mod operator;
mod segments;
mod synced_note;
mod torn;
mod variants;

const SYNCS: [JournalSync; 2] = [JournalSync::Fsync, JournalSync::Os];
/// More than any test writes.
const ONE_SEGMENT: u64 = 1 << 20;
/// Less than any frame takes.
const A_SEGMENT_A_FRAME: u64 = 1;

fn open(folder: &TempDir, segment_bytes: u64) -> FileJournal {
    open_with(folder, JournalSync::Os, segment_bytes)
}

fn open_with(folder: &TempDir, sync: JournalSync, segment_bytes: u64) -> FileJournal {
    let journal = FileJournal::open(folder.path(), sync, segment_bytes).unwrap();
    journal
        .clock
        .raise(journal.log.tail().newest.unwrap_or_default());
    journal
}

fn refusal(folder: &TempDir) -> Error {
    match FileJournal::open(folder.path(), JournalSync::Os, ONE_SEGMENT) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// Appends a batch of three: a value, a tombstone, and a value again.
async fn append(journal: &FileJournal, body: &str) -> Vec<Record> {
    try_append(journal, body).await.unwrap()
}

async fn try_append(journal: &FileJournal, body: &str) -> Result<Vec<Record>> {
    let put = |name| Write::put(Key::from(name), Bytes::copy_from_slice(body.as_bytes()));
    let writes = [put("Ann"), Write::delete(Key::from("Bob")), put("Zoë 👍🏽")];
    let appended: Vec<Decision> = journal
        .append(&writes)
        .await
        .into_iter()
        .collect::<Result<_>>()?;
    let records = writes
        .iter()
        .zip(appended)
        .map(|(write, appended)| match appended {
            Decision::Written(version) => write.at(version),
            other => panic!("{other:?}"),
        });
    Ok(records.collect())
}

async fn waiting(journal: &FileJournal) -> Vec<Record> {
    let waiting = journal.read(SHARD, Version::ZERO, 1_000).await.unwrap();
    let stats = journal.stats().await.unwrap()[0];
    assert_eq!(stats.depth, waiting.len() as u64);
    waiting
}

async fn acknowledge(journal: &FileJournal, last: &Record) {
    journal.acknowledge(SHARD, last.version, &[]).await.unwrap();
}

fn segment_path(folder: &TempDir, number: u64) -> PathBuf {
    segment::path(folder.path(), number)
}

fn segments(folder: &TempDir) -> Vec<u64> {
    segment::list(folder.path()).unwrap()
}

/// Where each frame of a whole segment is.
fn frames(path: &Path) -> Vec<Range<usize>> {
    let file = File::open(path).unwrap();
    let mut frames = Vec::new();
    let mut start = forms::HEADER_BYTES as usize;
    while let Some((header, _)) = segment::frame_at(&file, start as u64).unwrap() {
        let end = start + header.frame_bytes() as usize;
        frames.push(start..end);
        start = end;
    }
    assert_eq!(file.metadata().unwrap().len(), start as u64);
    frames
}

fn flip(bytes: &[u8], place: usize, bit: u32) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[place] ^= 1 << bit;
    flipped
}

/// That opening is refused as damage at `offset` of segment `number`, and
/// leaves the file as it is.
fn assert_corrupt(folder: &TempDir, number: u64, offset: usize, what: &str) {
    let path = segment_path(folder, number);
    let before = std::fs::read(&path).ok();
    let error = refusal(folder);
    assert!(
        matches!(
            error,
            Error::Corrupt {
                part: Part::Journal,
                ..
            }
        ),
        "{what}: {error}"
    );
    let place = format!("{} at byte {offset}:", path.display());
    assert!(error.to_string().contains(&place), "{what}: {error}");
    assert_eq!(std::fs::read(&path).ok(), before);
}
