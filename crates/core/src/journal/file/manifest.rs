//! The manifest: which segments there have to be, and how many dead letters.
//!
//! `manifest` has two slots of [`SLOT_BYTES`], each a line with a checksum; the
//! valid one with the larger number of changes counts. A change overwrites the
//! other slot and is synced, so it is atomic, and it needs no room on a full
//! disk: that drained segments can be deleted depends on it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::journal::file::forms::Forms;
use crate::journal::file::{failed, segment};
use crate::process::fault_point;

const NAME: &str = "manifest";
const PRESENT: &str = "write-behind-journal=3";
/// The format of versions whose bodies were JSON. They refuse the newer format, and so
/// never take packed bodies for records that the database refuses.
const UNPACKED: &str = "write-behind-journal=2";
/// The format of versions whose frames were not chained, either. They refuse the newer
/// formats, and so never take chained frames for a torn tail.
const UNCHAINED: &str = "write-behind-journal=1";
/// A page and a sector each: writing one slot leaves the other whole.
const SLOT_BYTES: usize = 4_096;

/// What there has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// The oldest segment. Whatever is left of older ones is drained.
    pub(super) first: u64,
    /// The newest segment.
    pub(super) last: u64,
    pub(super) forms: Forms,
    /// Dead letters, at least.
    pub(super) letters: u64,
}

/// Which version has written a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Unchained,
    Unpacked,
    Present,
}

impl Format {
    fn parse(name: &str) -> Option<Format> {
        match name {
            PRESENT => Some(Format::Present),
            UNPACKED => Some(Format::Unpacked),
            UNCHAINED => Some(Format::Unchained),
            _ => None,
        }
    }
}

/// The manifest of an open journal.
#[derive(Debug)]
pub(super) struct Manifest {
    folder: PathBuf,
    changes: u64,
    contents: Contents,
    format: Format,
}

/// The contents of a slot.
struct Slot {
    changes: u64,
    contents: Contents,
    format: Format,
}

pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

impl Manifest {
    /// The manifest in `folder`; `None` when there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Manifest>> {
        let path = path(folder);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| failed(&path, error))?,
        };
        let slots = bytes.chunks(SLOT_BYTES).filter_map(parse);
        let Some(slot) = slots.max_by_key(|slot| slot.changes) else {
            return Err(segment::corrupt(&path, 0, "the manifest does not verify"));
        };
        Ok(Some(Manifest {
            folder: folder.to_owned(),
            changes: slot.changes,
            contents: slot.contents,
            format: slot.format,
        }))
    }

    /// Creates the manifest of `folder`, durably.
    pub(super) fn create(folder: &Path, contents: Contents) -> Result<Manifest> {
        let path = path(folder);
        let slot = slot(0, &contents);
        let unnamed = folder.join(format!("{NAME}.new"));
        let created = fault_point::disk("journal.manifest", folder)
            .and_then(|()| File::create(&unnamed))
            .and_then(|mut file| {
                file.write_all(&slot)?;
                file.write_all(&slot)?;
                file.sync_all()?;
                std::fs::rename(&unnamed, &path)?;
                File::open(folder)?.sync_all()
            });
        created.map_err(|error| failed(&path, error))?;
        Ok(Manifest {
            folder: folder.to_owned(),
            changes: 0,
            contents,
            format: Format::Present,
        })
    }

    /// Whether a version without chained frames has made it.
    pub(super) fn is_unchained(&self) -> bool {
        self.format == Format::Unchained
    }

    /// Whether it is in the present format.
    pub(super) fn is_present(&self) -> bool {
        self.format == Format::Present
    }

    pub(super) fn contents(&self) -> Contents {
        self.contents
    }

    /// Changes the contents, durably. After an error either may be on the disk;
    /// here they are as they were.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Contents)) -> Result<()> {
        let mut contents = self.contents;
        change(&mut contents);
        let changes = self.changes + 1;
        let place = (changes % 2) * SLOT_BYTES as u64;
        let path = path(&self.folder);
        // Opened each time, so that one that has been removed is noticed. A failed
        // sync does no harm, as the slot is written again before the next one.
        let written = fault_point::disk("journal.manifest", &self.folder)
            .and_then(|()| OpenOptions::new().write(true).open(&path))
            .and_then(|file| {
                file.write_all_at(&slot(changes, &contents), place)?;
                file.sync_data()
            });
        written.map_err(|error| failed(&path, error))?;
        (self.changes, self.contents, self.format) = (changes, contents, Format::Present);
        Ok(())
    }
}

fn slot(changes: u64, contents: &Contents) -> Vec<u8> {
    let Contents {
        first,
        last,
        forms: Forms { headed, chained },
        letters,
    } = contents;
    let mut line = format!(
        "{PRESENT} changes={changes} first={first} last={last} headed={headed} chained={chained} \
         dead-letters={letters}"
    );
    let checksum = crc32fast::hash(line.as_bytes());
    line.push_str(&format!(" checksum={checksum:08x}"));
    let mut bytes = line.into_bytes();
    bytes.resize(SLOT_BYTES - 1, b' ');
    bytes.push(b'\n');
    bytes
}

fn parse(slot: &[u8]) -> Option<Slot> {
    let line = std::str::from_utf8(slot).ok()?.trim_ascii_end();
    let (line, checksum) = line.rsplit_once(" checksum=")?;
    if u32::from_str_radix(checksum, 16).ok()? != crc32fast::hash(line.as_bytes()) {
        return None;
    }
    let mut fields = line.split(' ');
    let format = Format::parse(fields.next()?)?;
    let fields: Vec<(&str, &str)> = fields.filter_map(|field| field.split_once('=')).collect();
    let number = |name: &str| {
        let field = fields.iter().find(|(field, _)| *field == name);
        field.and_then(|(_, number)| number.parse::<u64>().ok())
    };
    let last = number("last")?;
    let chained = match format {
        Format::Present | Format::Unpacked => number("chained")?,
        Format::Unchained => last.checked_add(1)?,
    };
    let headed = number("headed")?;
    Some(Slot {
        changes: number("changes")?,
        contents: Contents {
            first: number("first")?,
            last,
            forms: Forms { headed, chained },
            letters: number("dead-letters")?,
        },
        format,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENTS: Contents = Contents {
        first: 3,
        last: 5,
        forms: Forms {
            headed: 4,
            chained: 5,
        },
        letters: 2,
    };

    #[test]
    fn a_change_that_was_cut_short_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = path(folder.path());
        let mut manifest = Manifest::create(folder.path(), CONTENTS).unwrap();
        for last in 6..9 {
            let before = std::fs::read(&file).unwrap();
            manifest.change(|contents| contents.last = last).unwrap();
            let after = std::fs::read(&file).unwrap();
            let read = || Manifest::read(folder.path()).unwrap().unwrap().contents();
            assert_eq!(read(), Contents { last, ..CONTENTS });
            let place = (0..after.len()).find(|place| after[*place] != before[*place]);
            let place = place.unwrap();
            let mut torn = before.clone();
            for cut in place + 1..place + 20 {
                torn[place..cut].copy_from_slice(&after[place..cut]);
                std::fs::write(&file, &torn).unwrap();
                let last = if torn == after { last } else { last - 1 };
                assert_eq!(read(), Contents { last, ..CONTENTS }, "cut at {cut}");
            }
            std::fs::write(&file, &after).unwrap();
        }
    }

    #[test]
    fn a_manifest_without_a_valid_slot_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Manifest::read(folder.path()).unwrap().is_none());
        Manifest::create(folder.path(), CONTENTS).unwrap();
        let file = path(folder.path());
        let whole = std::fs::read(&file).unwrap();
        let newer = String::from_utf8(whole.clone()).unwrap();
        let newer = newer.replace("journal=3", "journal=4");
        for bad in [&[][..], &whole[..20], &[0; 8_192], newer.as_bytes()] {
            std::fs::write(&file, bad).unwrap();
            let refused = Manifest::read(folder.path()).unwrap_err().to_string();
            assert!(refused.contains(file.to_str().unwrap()), "{refused}");
        }
    }

    #[test]
    fn a_change_that_fails_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::create(folder.path(), CONTENTS).unwrap();
        let broken = fault_point::arm(folder.path(), "journal.manifest=fail:28");
        manifest.change(|contents| contents.last = 6).unwrap_err();
        assert_eq!(manifest.contents(), CONTENTS);
        drop(broken);
        manifest.change(|contents| contents.last = 6).unwrap();
        let read = Manifest::read(folder.path()).unwrap().unwrap();
        assert_eq!(read.contents().last, 6);
    }
}
