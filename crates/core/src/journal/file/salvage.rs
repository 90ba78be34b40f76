//! Copying what is whole in a damaged journal to a new one. The original is never
//! changed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::error::Result;
use crate::journal::file::forms::Forms;
use crate::journal::file::frame::Header;
use crate::journal::file::letters::{self, Letters};
use crate::journal::file::manifest::Manifest;
use crate::journal::file::pieces::{Piece, SegmentFile};
use crate::journal::file::segment::{self, Position, frame_at};
use crate::journal::file::surroundings::LOCK;
use crate::journal::file::synced::{self, End, SyncedNote};
use crate::journal::file::writer::Writer;
use crate::journal::file::{failed, head, layout, lock, owner};
use crate::model::version::Version;
use crate::process::locked_file::LockedFile;
use crate::settings::JournalSync;

/// How many lines about damage are printed.
const LINES_MAX: usize = 100;

/// A whole frame of the damaged journal.
struct Found {
    last: Version,
    position: Position,
}

/// What was copied and what was not.
#[derive(Default)]
struct Report {
    entries: u64,
    letters: u64,
    left_out: Vec<String>,
}

/// Copies every frame and dead letter of `folder` that verifies to a new journal
/// in `to`, which must not exist. Returns what was left out, in text.
///
/// # Errors
/// [`crate::error::Error::Unavailable`] when a process has the journal open, when `to` exists, or
/// when it cannot be written.
pub fn salvage(folder: &Path, to: &Path, segment_bytes: u64) -> Result<String> {
    let _lock = lock_if_there(folder)?;
    if to.exists() {
        return Err(failed(to, "it is there already: name a folder that is not"));
    }
    let unfinished = to.with_added_extension("unfinished");
    fs::create_dir_all(&unfinished).map_err(|error| failed(&unfinished, error))?;
    if segment::list(&unfinished)?.is_empty() {
        let mut report = Report::default();
        copy(folder, &unfinished, segment_bytes, &mut report)?;
        finish(&unfinished, to).map_err(|error| failed(to, error))?;
        return Ok(report.text(folder, to));
    }
    let what = "an earlier run was cut short and has left it: remove it";
    Err(failed(&unfinished, what))
}

/// Takes the journal's lock, if there is one, to keep services out. Makes none.
fn lock_if_there(folder: &Path) -> Result<Option<LockedFile>> {
    let path = folder.join(LOCK);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| failed(&path, error))?,
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(LockedFile::new(file))),
        Err(TryLockError::WouldBlock) => Err(failed(
            folder,
            "another process has the journal open: stop it first",
        )),
        Err(TryLockError::Error(error)) => Err(failed(&path, error)),
    }
}

fn copy(folder: &Path, to: &Path, segment_bytes: u64, report: &mut Report) -> Result<()> {
    let found = find(folder, report)?;
    let manifest = Arc::new(Mutex::new(layout::create(to)?));
    copy_frames(folder, to, segment_bytes, &manifest, found, report)?;
    copy_letters(folder, to, manifest, report)?;
    if let Err(error) = owner::copy(folder, to) {
        report.leave_out(error.to_string());
    }
    Ok(())
}

/// Every whole frame, by version.
fn find(folder: &Path, report: &mut Report) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for number in segment::list(folder)? {
        // A bad sector costs the rest of one segment.
        if let Err(error) = find_in(folder, number, &mut found, report) {
            report.leave_out(error.to_string());
        }
    }
    found.sort_by_key(|found| (found.last, found.position));
    Ok(found)
}

fn find_in(folder: &Path, number: u64, found: &mut Vec<Found>, report: &mut Report) -> Result<()> {
    let path = segment::path(folder, number);
    SegmentFile::open(folder, number)?.walk(&path, |offset, piece| {
        let position = Position {
            segment: number,
            offset,
        };
        match piece {
            Piece::Frame(header, _) => found.push(Found {
                last: header.last_version,
                position,
            }),
            Piece::Damage(bytes) => {
                let at = segment::at(folder, position);
                report.leave_out(format!("{at}: {bytes} bytes do not verify"));
            }
        }
        Ok(())
    })
}

fn copy_frames(
    folder: &Path,
    to: &Path,
    segment_bytes: u64,
    manifest: &Arc<Mutex<Manifest>>,
    found: Vec<Found>,
    report: &mut Report,
) -> Result<()> {
    let start = End {
        position: Position::start_of(0, Forms::default()),
        ..End::default()
    };
    let noted = synced::read(to)?;
    let note = |end| SyncedNote::open(to, noted, end, false);
    // All is synced at the end.
    let sync = JournalSync::Os;
    let mut writer = Writer::open(to, sync, segment_bytes, manifest.clone(), start, note)?;
    let mut before: Option<Header> = None;
    for Found { last, position } in found {
        // The same batch may stand in two segments, if the first could not be synced.
        if before.is_some_and(|before| before.last_version >= last) {
            continue;
        }
        let path = segment::path(folder, position.segment);
        let frame = File::open(&path).and_then(|file| frame_at(&file, position.offset));
        let Some((header, mut records)) = frame.map_err(|error| failed(&path, error))? else {
            return Err(failed(&path, "it was changed meanwhile"));
        };
        let newest = before.map_or(Version::ZERO, |before| before.last_version);
        records.retain(|record| record.version > newest);
        if let (Some(before), Some(follows)) = (before, header.follows) {
            let first = records.first().map(|record| record.version);
            let through = first.unwrap_or_default().just_before();
            report.miss(&before, through, follows.entries);
        }
        writer.append(&records)?;
        report.entries += records.len() as u64;
        before = Some(header);
    }
    if let (Some(before), Ok(Some(noted))) = (before, synced::read(folder)) {
        report.miss(&before, noted.end.newest, noted.end.link.entries);
    }
    Ok(())
}

fn copy_letters(
    folder: &Path,
    to: &Path,
    manifest: Arc<Mutex<Manifest>>,
    report: &mut Report,
) -> Result<()> {
    let mut letters = Letters::open(to, manifest.clone())?;
    for path in letters::paths(folder)? {
        match letters::read(&path) {
            Ok(letter) => letters.keep(&letter)?,
            Err(error) => report.leave_out(error.to_string()),
        }
    }
    report.letters = lock(&manifest).contents().letters;
    if let Ok(Some(listed)) = Manifest::read(folder) {
        let listed = listed.contents().letters;
        let missing = listed.saturating_sub(letters::count(folder)?);
        if missing > 0 {
            report.leave_out(format!("{missing} dead letters are missing"));
        }
    }
    Ok(())
}

/// Syncs what was written and gives it its name.
fn finish(unfinished: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(unfinished)? {
        File::open(entry?.path())?.sync_all()?;
    }
    File::open(unfinished)?.sync_all()?;
    fs::rename(unfinished, to)?;
    match to.parent() {
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

impl Report {
    fn leave_out(&mut self, line: String) {
        self.left_out.push(line);
    }

    /// Entries between a frame and what stands `entries` into the journal.
    fn miss(&mut self, before: &Header, through: Version, entries: u64) {
        if before.follows.is_none() {
            return;
        }
        let missing = entries.saturating_sub(before.link().entries);
        if missing > 0 && through > before.last_version {
            let after = before.last_version;
            self.leave_out(format!(
                "{missing} entries after version {after} up to version {through} are missing or damaged"
            ));
        }
    }

    fn text(self, folder: &Path, to: &Path) -> String {
        let Report {
            entries,
            letters,
            left_out,
        } = self;
        let more = left_out.len().saturating_sub(LINES_MAX);
        let mut lines = vec![format!(
            "{entries} entries and {letters} dead letters are in {}; start the service with \
             JOURNAL_URL=file:{} to drain them",
            to.display(),
            to.display(),
        )];
        match left_out.is_empty() {
            true => lines.push("nothing was left out".to_owned()),
            false => lines.push("left out:".to_owned()),
        }
        lines.extend(left_out.into_iter().take(LINES_MAX));
        if more > 0 {
            lines.push(format!("and {more} more places"));
        }
        let acknowledged = head::read_acknowledged(folder);
        lines.push(format!(
            "the database has all up to version {acknowledged} by the journal's note; the copy drains that \
             again as well, which changes nothing"
        ));
        lines.push(format!("{} is as it was", folder.display()));
        lines.join("\n") + "\n"
    }
}
