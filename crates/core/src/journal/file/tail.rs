//! Keeping torn tails. A tail is what stands behind the end of a segment: a batch
//! that a crash cut short or whose sync failed. It is never read, and never cut
//! off while the segment is needed. When the segment goes, a copy is kept.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::journal::file::segment;

const SUFFIX: &str = ".tail";
/// The most bytes of a tail that are kept: more than a batch takes.
const BYTES_MAX: u64 = 16 << 20;
/// The most tails that are kept. Beyond that, the oldest is removed.
const KEPT_MAX: usize = 16;

/// Where the tail of segment `number` behind `end` is kept.
pub(super) fn path(folder: &Path, number: u64, end: u64) -> PathBuf {
    folder.join(format!("{}.{end}{SUFFIX}", segment::file_name(number)))
}

/// Runs `free`, which frees the room of segment `number`, and keeps what stands
/// behind `end`, unless that is only zeros.
///
/// IMPORTANT: on a full disk the copy has room only after the segment has gone,
/// and draining has to free room.
pub(super) fn keep_over<T>(
    folder: &Path,
    number: u64,
    end: u64,
    free: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let tail = read(&segment::path(folder, number), end)?;
    if tail.iter().all(|byte| *byte == 0) {
        return free();
    }
    let path = path(folder, number, end);
    let early = write(&path, &tail);
    let freed = free()?;
    match early.or_else(|_| write(&path, &tail)) {
        Ok(()) => {
            tracing::warn!(path = %path.display(), bytes = tail.len(), "what stood behind the end of a drained segment is kept");
        }
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "what stood behind the end of a drained segment cannot be kept");
        }
    }
    remove_oldest(folder);
    Ok(freed)
}

/// The bytes of a file behind `end`, at most [`BYTES_MAX`].
fn read(path: &Path, end: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len().saturating_sub(end).min(BYTES_MAX);
    let mut tail = vec![0; length as usize];
    file.read_exact_at(&mut tail, end)?;
    Ok(tail)
}

fn write(path: &Path, tail: &[u8]) -> io::Result<()> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(tail)?;
        file.sync_all()
    });
    if written.is_err() {
        // A part of it would take room on a full disk.
        let _ = fs::remove_file(path);
    }
    written
}

/// The kept tails in `folder`, oldest first.
pub(super) fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut kept: Vec<PathBuf> = paths
        .filter(|path| path.to_str().is_some_and(|path| path.ends_with(SUFFIX)))
        .collect();
    kept.sort();
    kept
}

fn remove_oldest(folder: &Path) {
    let kept = list(folder);
    let surplus = kept.len().saturating_sub(KEPT_MAX);
    for path in kept.iter().take(surplus) {
        tracing::warn!(path = %path.display(), "the oldest of the kept ends of segments is removed");
        let _ = fs::remove_file(path);
    }
}
