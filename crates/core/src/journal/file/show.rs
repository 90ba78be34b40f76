//! Listing what a journal's files hold, as text. Only reads, and takes no lock.

use std::fmt::Write as _;
use std::path::Path;

use crate::error::{Error, Result};
use crate::journal::file::layout::{self, Layout};
use crate::journal::file::manifest::Manifest;
use crate::journal::file::pieces::{Piece, SegmentFile};
use crate::journal::file::{head, letters, opening, segment, synced, tail};
use crate::model::version::Version;

/// How often to look again if a service has changed the files meanwhile.
const LOOKS_MAX: usize = 5;

/// What the frames of a segment hold.
#[derive(Default)]
struct Sum {
    frames: u64,
    entries: u64,
    oldest: Option<Version>,
    newest: Version,
}

/// Lists the files of the journal in `folder`, what is in them and what is
/// damaged; with `each_frame` each frame.
///
/// # Errors
/// [`Error::Unavailable`] when the folder cannot be read.
pub fn show(folder: &Path, each_frame: bool) -> Result<String> {
    if !folder.exists() {
        return Ok(format!("there is no journal in {}\n", folder.display()));
    }
    let mut text = format!("journal {}\n", folder.display());
    let mut say = |line: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    };
    say(manifest_line(folder));
    say(note_line(folder));
    let acknowledged = head::read_acknowledged(folder);
    say(format!(
        "acknowledged: the database has all up to version {acknowledged}"
    ));
    for number in segment::list(folder)? {
        for line in segment_lines(folder, number, each_frame) {
            say(line);
        }
    }
    for path in tail::list(folder) {
        let bytes = path.metadata().map_or(0, |metadata| metadata.len());
        say(format!("kept, not read: {}, {bytes} bytes", path.display()));
    }
    for path in letters::paths(folder)? {
        say(match letters::read(&path) {
            Ok(letter) => format!("{}: version {}", path.display(), letter.record.version),
            Err(error) => format!("DAMAGED {error}"),
        });
    }
    say(verdict(folder));
    say(
        "While a service runs, the batch that it writes may look as if a crash had cut it short."
            .into(),
    );
    Ok(text)
}

fn manifest_line(folder: &Path) -> String {
    match Manifest::read(folder) {
        Ok(None) => "manifest: none".to_owned(),
        Ok(Some(manifest)) => {
            let listed = manifest.contents();
            format!(
                "manifest: segments {} to {}, {} dead letters",
                listed.first, listed.last, listed.letters
            )
        }
        Err(error) => format!("manifest: DAMAGED {error}"),
    }
}

fn note_line(folder: &Path) -> String {
    match synced::read(folder) {
        Ok(None) => "synced: none".to_owned(),
        Ok(Some(noted)) => format!(
            "synced: what was acknowledged ends at {}, with version {}, {} entries since the journal was made",
            segment::at(folder, noted.end.position),
            noted.end.newest,
            noted.end.link.entries,
        ),
        Err(error) => format!("synced: DAMAGED {error}"),
    }
}

/// One line for the segment, and one for each frame if asked for, and damage.
fn segment_lines(folder: &Path, number: u64, each_frame: bool) -> Vec<String> {
    let path = segment::path(folder, number);
    let (mut sum, mut lines) = (Sum::default(), Vec::new());
    let walked = SegmentFile::open(folder, number).and_then(|file| {
        let next = SegmentFile::open(folder, number + 1).ok();
        let end = next.and_then(|next| Some(next.header?.previous_end));
        file.walk(&path, |offset, piece| {
            let is_behind = end.is_some_and(|end| offset >= end);
            lines.extend(piece_line(offset, &piece, is_behind, each_frame));
            if !is_behind {
                sum.add(&piece);
            }
            Ok(())
        })?;
        Ok(file)
    });
    let first = match walked {
        Ok(file) => sum.line(&path, &file),
        Err(error) => format!("DAMAGED {error}"),
    };
    [vec![first], lines].concat()
}

fn piece_line(offset: u64, piece: &Piece, is_behind: bool, each_frame: bool) -> Option<String> {
    let behind = match is_behind {
        true => ", behind the end of the segment, not read",
        false => "",
    };
    match piece {
        Piece::Damage(bytes) if is_behind => {
            Some(format!("  at byte {offset}: {bytes} bytes{behind}"))
        }
        Piece::Damage(bytes) => Some(format!(
            "  at byte {offset}: DAMAGED {bytes} bytes do not verify"
        )),
        Piece::Frame(header, records) => (each_frame || is_behind).then(|| {
            let oldest = records
                .first()
                .map_or(Version::ZERO, |record| record.version);
            format!(
                "  at byte {offset}: {} bytes, {} entries, versions {oldest} to {}{behind}",
                header.frame_bytes(),
                header.entries,
                header.last_version,
            )
        }),
    }
}

impl Sum {
    fn add(&mut self, piece: &Piece) {
        if let Piece::Frame(header, records) = piece {
            self.frames += 1;
            self.entries += u64::from(header.entries);
            let first = records.first().map(|record| record.version);
            self.oldest = self.oldest.or(first);
            self.newest = self.newest.max(header.last_version);
        }
    }

    fn line(&self, path: &Path, file: &SegmentFile) -> String {
        let path = path.display();
        let header = match &file.header {
            Some(_) => "",
            None => ", NO HEADER THAT VERIFIES (none in a journal of the oldest form)",
        };
        let versions = self.oldest.map_or(String::new(), |oldest| {
            format!(", versions {oldest} to {}", self.newest)
        });
        format!(
            "{path}: {} bytes, {} frames, {} entries{versions}{header}",
            file.length, self.frames, self.entries
        )
    }
}

/// What a start would do, in one line.
fn verdict(folder: &Path) -> String {
    let mut said = look(folder);
    for _ in 1..LOOKS_MAX {
        let Err((error, before)) = &said else { break };
        // A running service may have drained a segment since the manifest was read.
        if manifest_line(folder) == *before {
            return format!("a start refuses it: {error}");
        }
        said = look(folder);
    }
    said.unwrap_or_else(|(error, _)| format!("a start refuses it: {error}"))
}

/// What a start would find. An error comes with the manifest that was read.
fn look(folder: &Path) -> std::result::Result<String, (Error, String)> {
    let manifest = manifest_line(folder);
    let layout = match layout::recognise(folder) {
        Ok(Layout::New) => return Ok("a start makes a new journal".to_owned()),
        Ok(layout) => layout,
        Err(error) => return Err((error, manifest)),
    };
    let opening = opening::verify(folder, layout)
        .and_then(|opening| {
            letters::verify(folder, opening.listed.letters)?;
            Ok(opening)
        })
        .map_err(|error| (error, manifest))?;
    let waiting = format!("a start takes it: {} entries wait", opening.scanned.depth);
    Ok([vec![waiting], opening.sentences(folder)]
        .concat()
        .join("\n"))
}
