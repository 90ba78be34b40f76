//! Dead letters beside the segments, a file each.
//!
//! `dead-letters/<version>.letter` is one frame of two entries: the write, and
//! one whose key is the reason and whose version is when it was set aside. That one
//! has a body if the letter is held back. The manifest has their number, so that the
//! loss of one is noticed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::error::Result;
use crate::journal::file::held_back::HeldBack;
use crate::journal::file::manifest::Manifest;
use crate::journal::file::{failed, frame, lock, segment};
use crate::model::dead_letter::{DeadLetter, HeldBackPage, LetterQuery};
use crate::model::record::{Key, Record};
use crate::model::version::Version;
use crate::process::fault_point;

const FOLDER: &str = "dead-letters";
const SUFFIX: &str = ".letter";
const UNFINISHED: &str = "tmp";
/// What the entry of the reason has as its body if the letter is held back.
const HELD_BACK: &[u8] = b"held back";

/// How many files of dead letters a journal has.
pub(super) fn count(journal: &Path) -> Result<u64> {
    Ok(paths(journal)?.len() as u64)
}

/// The files of the dead letters of a journal.
pub(super) fn paths(journal: &Path) -> Result<Vec<PathBuf>> {
    files(&journal.join(FOLDER))
}

/// Reads and verifies the dead letters of a journal whose manifest lists `listed` of them.
///
/// # Errors
/// [`crate::error::Error::Corrupt`] when there are fewer, or one is damaged.
pub(super) fn verify(journal: &Path, listed: u64) -> Result<Vec<DeadLetter>> {
    let paths = paths(journal)?;
    if (paths.len() as u64) < listed {
        let what = format!("{} of {listed} dead letters are there", paths.len());
        return Err(segment::corrupt(&journal.join(FOLDER), 0, &what));
    }
    paths.iter().map(|path| read(path)).collect()
}

#[derive(Debug)]
pub(super) struct Letters {
    journal: PathBuf,
    folder: PathBuf,
    manifest: Arc<Mutex<Manifest>>,
    letters: BTreeMap<Key, DeadLetter>,
    held_back: HeldBack,
}

impl Letters {
    /// Reads what is there.
    ///
    /// # Errors
    /// [`crate::error::Error::Corrupt`] when there are fewer than there have to
    /// be, or one is damaged.
    pub(super) fn open(journal: &Path, manifest: Arc<Mutex<Manifest>>) -> Result<Letters> {
        let folder = journal.join(FOLDER);
        let letters = verify(journal, lock(&manifest).contents().letters)?;
        make_folder(journal, &folder)?;
        let mut dead = Letters {
            journal: journal.to_owned(),
            folder,
            manifest,
            letters: BTreeMap::new(),
            held_back: HeldBack::default(),
        };
        for letter in letters {
            dead.remember(letter)?;
        }
        dead.list_in_manifest(dead.count())?;
        dead.remove_unfinished();
        Ok(dead)
    }

    /// Removes those whose writing was cut short; their entries are in the
    /// journal.
    fn remove_unfinished(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let paths = entries.flatten().map(|entry| entry.path());
        for path in paths.filter(|path| path.extension().is_some_and(|of| of == UNFINISHED)) {
            let _ = fs::remove_file(path);
        }
    }

    /// Lets the manifest list so many. IMPORTANT: never more than there are
    /// files, durably, so more only after one was made, and fewer before.
    fn list_in_manifest(&self, letters: u64) -> Result<()> {
        let mut manifest = lock(&self.manifest);
        match manifest.contents().letters == letters {
            true => Ok(()),
            false => manifest.change(|listed| listed.letters = letters),
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.letters.len() as u64
    }

    /// What of them is held back.
    pub(super) fn held_back(&self) -> HeldBack {
        self.held_back
    }

    /// Those that a query asks for.
    pub(super) fn page(&self, query: &LetterQuery) -> Vec<DeadLetter> {
        let letters = self.after(query.after.as_ref());
        let matching = letters.filter(|letter| query.matches(letter));
        matching.take(query.max).cloned().collect()
    }

    /// What is held back after the key `after`, at most `max`.
    pub(super) fn page_held_back(&self, after: Option<&Key>, max: usize) -> HeldBackPage {
        let letters = self.after(after).filter(|letter| letter.held_back);
        HeldBackPage::of(letters.take(max).cloned().collect(), max)
    }

    fn after(&self, after: Option<&Key>) -> impl Iterator<Item = &DeadLetter> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let letters = self.letters.range::<Key, _>((start, Bound::Unbounded));
        letters.map(|(_, letter)| letter)
    }

    pub(super) fn find(&self, key: &Key) -> Option<&DeadLetter> {
        self.letters.get(key)
    }

    /// Keeps a letter as [`crate::journal::dead_letters::DeadLetters::set_aside_within`] says.
    pub(super) fn keep_within(&mut self, letter: &DeadLetter, max: u64) -> Result<bool> {
        let (key, version) = (&letter.record.key, letter.record.version);
        let held = self.letters.get(key);
        let held = held.map(|held| (held.record.version, held.held_back));
        match held {
            Some((held, held_back)) if held > version => return Ok(held_back),
            Some((held, held_back)) if held == version => {
                return Ok(held_back && !self.promote(letter, max)?);
            }
            _ => {}
        }
        // One that is a dead letter already stays one: it takes no more room.
        let is_dead = held.is_some_and(|(_, held_back)| !held_back);
        let held_back = !is_dead && !self.has_room(max);
        self.keep(&DeadLetter {
            held_back,
            ..letter.clone()
        })?;
        Ok(held_back)
    }

    fn has_room(&self, max: u64) -> bool {
        self.count() - self.held_back.letters < max
    }

    /// Makes a dead letter of what is held back, as [`crate::journal::dead_letters::DeadLetters::promote`] says.
    pub(super) fn promote(&mut self, letter: &DeadLetter, max: u64) -> Result<bool> {
        let has_room = self.has_room(max);
        let held = self.letters.get(&letter.record.key);
        let is_it = |held: &&DeadLetter| held.record.version == letter.record.version;
        let Some(held) = held.filter(is_it).filter(|held| held.held_back) else {
            return Ok(false);
        };
        let promoted = DeadLetter {
            held_back: !has_room,
            reason: letter.reason.clone(),
            ..held.clone()
        };
        // The reason alone is only in memory: the next attempt finds out again.
        if has_room {
            self.mend()?;
            // It takes the place of the file.
            self.write(&promoted)?;
        }
        self.insert(promoted);
        Ok(has_room)
    }

    fn insert(&mut self, letter: DeadLetter) -> Option<DeadLetter> {
        self.held_back.add(&letter);
        let older = self.letters.insert(letter.record.key.clone(), letter);
        if let Some(older) = &older {
            self.held_back.subtract(older);
        }
        older
    }

    /// Keeps a letter durably as it is, unless there is a newer one of its key.
    pub(super) fn keep(&mut self, letter: &DeadLetter) -> Result<()> {
        let held = self.letters.get(&letter.record.key);
        if held.is_some_and(|held| held.record.version >= letter.record.version) {
            return Ok(());
        }
        let replaces = held.is_some();
        self.mend()?;
        self.write(letter)?;
        if !replaces {
            self.list_in_manifest(self.count() + 1)?;
        }
        self.remember(letter.clone())
    }

    /// Makes the folder again, with all letters, if it was removed.
    pub(super) fn mend(&self) -> Result<()> {
        match fs::symlink_metadata(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => return Ok(()),
        }
        let made = make_folder(&self.journal, &self.folder).and_then(|()| {
            self.letters
                .values()
                .try_for_each(|letter| self.write(letter))
        });
        if made.is_err() {
            // IMPORTANT: one with only some of them would pass for the whole from then on.
            self.remove_made();
            return made;
        }
        tracing::warn!(
            letters = self.count(),
            "the folder of the dead letters had been removed, and was made again with all of them"
        );
        Ok(())
    }

    /// Removes what [`Letters::mend`] has made. The folder stays where something else is in it.
    fn remove_made(&self) {
        for letter in self.letters.values() {
            let _ = fs::remove_file(self.path(letter.record.version));
        }
        let _ = fs::remove_dir(&self.folder);
    }

    /// Writes the letter's file, durably.
    fn write(&self, letter: &DeadLetter) -> Result<()> {
        let path = self.path(letter.record.version);
        let unfinished = path.with_extension(UNFINISHED);
        let mut bytes = Vec::new();
        frame::encode(&[letter.record.clone(), reason(letter)], None, &mut bytes);
        let written = fault_point::disk("journal.letter", &self.journal)
            .and_then(|()| File::create(&unfinished))
            .and_then(|mut file| {
                file.write_all(&bytes)?;
                file.sync_all()?;
                fs::rename(&unfinished, &path)?;
                File::open(&self.folder)?.sync_all()
            });
        if let Err(error) = written {
            // It would hold room on a full disk.
            let _ = fs::remove_file(&unfinished);
            return Err(failed(&path, error));
        }
        Ok(())
    }

    /// Removes the letter of `key` if its version is one of those that `ended`
    /// holds for. Returns whether it was.
    pub(super) fn forget(&mut self, key: &Key, ended: impl Fn(Version) -> bool) -> Result<bool> {
        let held = self.letters.get(key).map(|held| held.record.version);
        let Some(version) = held.filter(|version| ended(*version)) else {
            return Ok(false);
        };
        self.list_in_manifest(self.count() - 1)?;
        self.remove_file(version)?;
        if let Some(ended) = self.letters.remove(key) {
            self.held_back.subtract(&ended);
        }
        Ok(true)
    }

    fn remember(&mut self, letter: DeadLetter) -> Result<()> {
        let newer = |held: &DeadLetter| held.record.version > letter.record.version;
        if self.letters.get(&letter.record.key).is_some_and(newer) {
            return self.remove_file(letter.record.version);
        }
        match self.insert(letter) {
            Some(older) => self.remove_file(older.record.version),
            None => Ok(()),
        }
    }

    fn remove_file(&self, version: Version) -> Result<()> {
        let path = self.path(version);
        let removed = match fs::remove_file(&path) {
            // The file was removed by hand, or by an earlier call that failed to sync the folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        let synced = removed.and_then(|()| File::open(&self.folder)?.sync_all());
        synced.map_err(|error| failed(&path, error))
    }

    fn path(&self, version: Version) -> PathBuf {
        self.folder.join(file_name(version))
    }
}

fn file_name(version: Version) -> String {
    format!("{:020}{SUFFIX}", version.get())
}

fn make_folder(journal: &Path, folder: &Path) -> Result<()> {
    // The folder's name must survive, as well as its contents.
    let made = match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    };
    made.and_then(|()| File::open(journal)?.sync_all())
        .map_err(|error| failed(folder, error))
}

/// The files of the letters in `folder`, which may not be there. Other files are
/// left alone.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| failed(folder, error))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.ends_with(SUFFIX)) {
            files.push(path);
        }
    }
    Ok(files)
}

fn reason(letter: &DeadLetter) -> Record {
    Record {
        key: Key::from(&*letter.reason),
        version: letter.set_aside_at,
        body: letter.held_back.then_some(Bytes::from_static(HELD_BACK)),
    }
}

/// The dead letter in a file.
///
/// # Errors
/// [`crate::error::Error::Corrupt`] when it is damaged.
pub(super) fn read(path: &Path) -> Result<DeadLetter> {
    let file = File::open(path).map_err(|error| failed(path, error))?;
    let found = segment::frame_at(&file, 0).map_err(|error| failed(path, error))?;
    let Some((_, records)) = found else {
        return Err(segment::corrupt(path, 0, "the dead letter does not verify"));
    };
    match <[Record; 2]>::try_from(records) {
        // A letter in the place of another one would hide that the other is gone.
        Ok([record, _]) if path.file_name() != Some(OsStr::new(&file_name(record.version))) => {
            Err(segment::corrupt(path, 0, "it is another dead letter"))
        }
        Ok([record, reason]) => Ok(DeadLetter {
            record,
            reason: reason.key.as_str().into(),
            set_aside_at: reason.version,
            held_back: reason.body.is_some(),
        }),
        Err(_) => Err(segment::corrupt(path, 0, "it is no dead letter")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(journal: &Path) -> Result<Letters> {
        let manifest = match Manifest::read(journal)? {
            Some(manifest) => manifest,
            None => Manifest::create(journal, Default::default())?,
        };
        Letters::open(journal, Arc::new(Mutex::new(manifest)))
    }

    fn letter(name: &str, version: u64) -> DeadLetter {
        DeadLetter {
            record: Record {
                key: Key::from(name),
                version: Version::new(version).unwrap(),
                body: (!version.is_multiple_of(2)).then(|| Bytes::from("{}")),
            },
            reason: format!("reason {version}").into(),
            set_aside_at: Version::new(version + 100).unwrap(),
            held_back: false,
        }
    }

    #[test]
    fn the_newest_of_each_key_is_kept_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut dead = open(folder.path()).unwrap();
        for (name, version) in [("a", 5), ("b", 6), ("a", 4), ("a", 7), ("b", 6)] {
            dead.keep(&letter(name, version)).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(
                dead.page(&LetterQuery::first(9)),
                [letter("a", 7), letter("b", 6)]
            );
            assert_eq!(dead.page(&LetterQuery::first(1)), [letter("a", 7)]);
            assert_eq!(dead.find(&Key::from("b")), Some(&letter("b", 6)));
            dead = open(folder.path()).unwrap();
        }
        let files = fs::read_dir(folder.path().join(FOLDER)).unwrap().count();
        assert_eq!(files, 2);
        assert!(
            !dead
                .forget(&Key::from("a"), |version| version.get() < 7)
                .unwrap()
        );
        assert!(
            dead.forget(&Key::from("a"), |version| version.get() <= 7)
                .unwrap()
        );
        assert!(!dead.forget(&Key::from("c"), |_| true).unwrap());
        let mut dead = open(folder.path()).unwrap();
        assert_eq!(dead.count(), 1);
        // Removing the file by hand ends the letter.
        fs::remove_file(dead.path(Version::new(6).unwrap())).unwrap();
        assert!(dead.forget(&Key::from("b"), |_| true).unwrap());
        assert_eq!(dead.count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_made_whole_is_made_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut dead = open(folder.path()).unwrap();
        for (name, version) in [("a", 5), ("b", 6), ("c", 7)] {
            dead.keep(&letter(name, version)).unwrap();
        }
        fs::remove_dir_all(&dead.folder).unwrap();
        let full = fault_point::arm(folder.path(), "journal.letter=fail:28@2");
        dead.mend().unwrap_err();
        drop(full);
        dead.mend().unwrap();
        assert_eq!(paths(folder.path()).unwrap().len(), 3);
        assert_eq!(open(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn one_cut_short_is_dropped_and_a_damaged_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut dead = open(folder.path()).unwrap();
        dead.keep(&letter("a", 5)).unwrap();
        let path = dead.path(Version::new(5).unwrap());
        fs::copy(&path, path.with_extension("tmp")).unwrap();
        assert_eq!(open(folder.path()).unwrap().count(), 1);
        assert!(!path.with_extension("tmp").exists());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let refused = open(folder.path()).unwrap_err();
        assert!(refused.to_string().contains(path.to_str().unwrap()));
    }
}
