//! Which journal a folder holds: a new one, one with a manifest, or one that a
//! version without manifests has made.

use std::fs::File;
use std::path::Path;

use crate::error::Result;
use crate::journal::file::forms::Forms;
use crate::journal::file::frame::ChainLink;
use crate::journal::file::header::{SegmentHeader, begins_with_magic};
use crate::journal::file::manifest::{self, Contents, Manifest};
use crate::journal::file::segment::{self, Position, corrupt, frame_at};
use crate::journal::file::synced::{self, End, SyncedNote};
use crate::journal::file::{failed, head, letters};
use crate::model::version::Version;

/// What a folder holds.
#[derive(Debug)]
pub(super) enum Layout {
    /// There is no journal yet.
    New,
    /// A manifest, and what there has to be by it.
    Listed(Manifest, Contents),
    /// Segments without headers and no manifest.
    Adopted(Contents),
}

/// Tells what `folder` holds.
///
/// # Errors
/// [`crate::error::Error::Corrupt`] when the manifest is missing or damaged.
pub(super) fn recognise(folder: &Path) -> Result<Layout> {
    let segments = segment::list(folder)?;
    if let Some(manifest) = Manifest::read(folder)? {
        let mut listed = manifest.contents();
        if manifest.is_unchained() {
            listed.forms.chained = u64::MAX;
        }
        // A copy that was made while the journal was in use may have a segment
        // that its manifest does not list. One without a batch is what a crash
        // left before it was listed.
        for number in segments {
            if number > listed.last && has_batch(folder, number, listed.forms)? {
                listed.last = number;
            }
        }
        if manifest.is_unchained() {
            listed.forms.chained = listed.last + 1;
        }
        return Ok(Layout::Listed(manifest, listed));
    }
    let letters = letters::count(folder)?;
    let unused = match segments[..] {
        [] => true,
        [0] => !has_any_batch(folder)?,
        _ => false,
    };
    let is_noted = synced::read(folder)?.is_some_and(|noted| noted.end.newest > Version::ZERO);
    if unused && letters == 0 && !head::has_note(folder) && !is_noted {
        return Ok(Layout::New);
    }
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        let what = "the manifest is missing, and all segments";
        return Err(corrupt(&manifest::path(folder), 0, what));
    };
    for number in &segments {
        let path = segment::path(folder, *number);
        let file = File::open(&path).map_err(|error| failed(&path, error))?;
        if begins_with_magic(&file).map_err(|error| failed(&path, error))? {
            let what = "the manifest is missing, which says what there has to be";
            return Err(corrupt(&manifest::path(folder), 0, what));
        }
    }
    Ok(Layout::Adopted(Contents {
        first: *first,
        last: *last,
        forms: Forms {
            headed: *last + 1,
            chained: *last + 1,
        },
        letters,
    }))
}

/// Makes the first segment of a new journal and its manifest.
pub(super) fn create(folder: &Path) -> Result<Manifest> {
    let header = SegmentHeader {
        number: 0,
        previous_end: 0,
        newest_before: Version::ZERO,
        link: Some(ChainLink::default()),
    };
    let path = segment::path(folder, 0);
    header
        .create(folder)
        .map_err(|error| failed(&path, error))?;
    let position = Position::start_of(0, Forms::default());
    let end = End {
        position,
        ..End::default()
    };
    // IMPORTANT: before the manifest, which lists it.
    SyncedNote::open(folder, None, end, true)?;
    Manifest::create(folder, Contents::default())
}

/// Whether a segment holds a batch.
fn has_batch(folder: &Path, number: u64, forms: Forms) -> Result<bool> {
    let path = segment::path(folder, number);
    let file = File::open(&path).map_err(|error| failed(&path, error))?;
    let start = Position::start_of(number, forms).offset;
    let found = frame_at(&file, start).map_err(|error| failed(&path, error))?;
    Ok(found.is_some())
}

/// Whether segment 0 holds a batch, whichever form it has.
fn has_any_batch(folder: &Path) -> Result<bool> {
    for (headed, chained) in [(0, 0), (0, 1), (1, 1)] {
        if has_batch(folder, 0, Forms { headed, chained })? {
            return Ok(true);
        }
    }
    Ok(false)
}
