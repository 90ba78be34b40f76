//! Verifying a journal when it is opened, before anything in it is changed.

use std::path::Path;

use crate::error::Result;
use crate::journal::file::layout::{self, Layout};
use crate::journal::file::manifest::{Contents, Manifest};
use crate::journal::file::scan::{Scanned, scan};
use crate::journal::file::segment::{self, corrupt};
use crate::journal::file::synced::{self, End, Noted, SyncedNote};
use crate::journal::file::{head, tail};
use crate::model::version::Version;

/// A journal that has been verified.
#[derive(Debug)]
pub(super) struct Opening {
    /// `None` where there is none yet.
    manifest: Option<Manifest>,
    pub(super) listed: Contents,
    pub(super) scanned: Scanned,
    pub(super) noted: Option<Noted>,
    /// The version up to which the database has everything.
    pub(super) acknowledged: Version,
    /// Every version that is issued from now on is newer than this.
    pub(super) newest: Version,
    /// The version in a note of what is acknowledged that is not of this journal.
    foreign: Option<Version>,
}

/// Verifies the journal in `folder`, and makes one where there is none.
///
/// # Errors
/// [`crate::error::Error::Corrupt`] when it is damaged.
pub(super) fn verify(folder: &Path, layout: Layout) -> Result<Opening> {
    let (manifest, listed) = match layout {
        Layout::New => {
            let manifest = layout::create(folder)?;
            let listed = manifest.contents();
            (Some(manifest), listed)
        }
        Layout::Listed(manifest, listed) => (Some(manifest), listed),
        Layout::Adopted(listed) => (None, listed),
    };
    // A version without the note may have used the folder since one was made.
    let noted = match &manifest {
        Some(manifest) if !manifest.is_unchained() => Some(read_note(folder)?),
        _ => None,
    };
    verify_listed(folder, manifest, listed, noted)
}

fn read_note(folder: &Path) -> Result<Noted> {
    let what = "the note of what was acknowledged last is missing";
    synced::read(folder)?.ok_or_else(|| corrupt(&synced::path(folder), 0, what))
}

fn verify_listed(
    folder: &Path,
    manifest: Option<Manifest>,
    mut listed: Contents,
    noted: Option<Noted>,
) -> Result<Opening> {
    let mut acknowledged = head::read_acknowledged(folder);
    let issued = acknowledged.max(noted.map_or(Version::ZERO, |noted| noted.end.newest));
    let mut scanned = scan(folder, &listed, acknowledged, noted.as_ref())?;
    let known = noted.map_or(Version::ZERO, |noted| noted.end.newest);
    let known = known.max(scanned.end.newest);
    let mut foreign = None;
    if acknowledged > known && scanned.newest.is_some() {
        // It goes beyond everything that the journal ever had, so it does not count.
        foreign = Some(acknowledged);
        acknowledged = Version::ZERO;
        scanned = scan(folder, &listed, acknowledged, noted.as_ref())?;
    }
    if let Some(noted) = &noted
        && scanned.newest_in_last.is_none()
        && noted.is_binding()
    {
        // The last segment was emptied; its header does not know what it held.
        scanned.end.newest = known;
    }
    listed.last = listed.last.max(scanned.end.position.segment);
    Ok(Opening {
        manifest,
        listed,
        newest: issued.max(scanned.end.newest),
        scanned,
        noted,
        acknowledged,
        foreign,
    })
}

impl Opening {
    /// The manifest, in which all that was verified is listed.
    pub(super) fn list(&mut self, folder: &Path) -> Result<Manifest> {
        let listed = self.listed;
        if self.manifest.as_ref().is_none_or(Manifest::is_unchained) {
            // IMPORTANT: before the manifest lists it.
            SyncedNote::open(folder, None, End::default(), true)?;
        }
        // IMPORTANT: only what was verified is listed.
        let mut manifest = match self.manifest.take() {
            Some(manifest) => manifest,
            None => Manifest::create(folder, listed)?,
        };
        if !manifest.is_present() {
            // Once for each slot: the older one is one that an older version would read.
            manifest.change(|contents| *contents = listed)?;
        }
        manifest.change(|contents| *contents = listed)?;
        Ok(manifest)
    }

    /// Logs what is not read.
    pub(super) fn warn(&self, folder: &Path) {
        for sentence in self.sentences(folder) {
            tracing::warn!("{sentence}");
        }
    }

    /// What is not read and what is ignored, in sentences.
    pub(super) fn sentences(&self, folder: &Path) -> Vec<String> {
        let lost = self.lost();
        let torn = (self.scanned.torn_bytes > 0).then(|| self.torn(folder));
        let foreign = self.foreign.map(|version| {
            format!(
                "the note of what the database has goes up to version {version}, and the journal never \
                 did: it is ignored, and all entries are drained again"
            )
        });
        lost.into_iter().chain(torn).chain(foreign).collect()
    }

    fn torn(&self, folder: &Path) -> String {
        let end = self.scanned.end.position;
        let is_exact = self.noted.is_some_and(|noted| noted.is_of_this_boot());
        let what = match is_exact {
            true => "a crash cut a batch short, which was never acknowledged",
            false => {
                "a crash cut a batch short, which may have been acknowledged: the machine was booted \
                 since, and what was acknowledged in the last moments before is not known"
            }
        };
        format!(
            "{}: {what}. Its {} bytes are not read and stay in the file; when that is drained they are kept \
             in {} unless they are zeros",
            segment::at(folder, end),
            self.scanned.torn_bytes,
            tail::path(folder, end.segment, end.offset).display(),
        )
    }

    /// Where a power loss took what was not synced.
    fn lost(&self) -> Option<String> {
        let noted = self.noted.filter(|noted| !noted.is_binding())?.end;
        let found = self.scanned.end;
        (noted.position > found.position).then(|| {
            format!(
                "a power loss with JOURNAL_SYNC=os took acknowledged entries: those after version {} up to \
                 version {}, {} in number",
                found.newest,
                noted.newest,
                noted.link.entries.saturating_sub(found.link.entries),
            )
        })
    }
}
