//! Which database the entries are for: what is written for one must not be drained into
//! another that `DATABASE_URL` happens to name at the next start.

use std::fs;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::binding::{Bound, Likeness, Place};
use crate::error::{Error, Result};
use crate::journal::file::failed;

const OWNER: &str = "owner";

/// The database that a journal belongs to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    identity: String,
    place: Place,
    /// The way from the journal's folder to the database's file, where it is one: journal and
    /// database that were copied together still belong together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    way: Option<PathBuf>,
}

impl Owner {
    fn of(folder: &Path, bound: &Bound) -> Owner {
        let way = match &bound.place {
            Place::Sqlite { path, .. } => way(folder, Path::new(path)),
            Place::Mysql { .. } => None,
        };
        Owner {
            identity: bound.identity.clone(),
            place: bound.place.clone(),
            way,
        }
    }

    fn is_database_of(&self, before: &Owner) -> bool {
        let is_beside = self.way.is_some() && self.way == before.way;
        let is_there = self.place.likeness(&before.place) != Likeness::Other;
        self.identity == before.identity && (is_there || is_beside)
    }
}

/// The relative path from a folder to a file that is there.
fn way(folder: &Path, file: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let (from, to): (Vec<Component>, Vec<Component>) =
        (folder.components().collect(), file.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from.iter().skip(shared).map(|_| Component::ParentDir);
    Some(up.chain(to.iter().skip(shared).copied()).collect())
}

/// Makes sure that the journal in `folder`, in which so many entries wait, is the one of this
/// database. An empty one is any database's, and so is one that names none. Writes nothing.
///
/// # Errors
/// [`Error::BadSetting`] when entries wait for another one.
pub(super) fn check(folder: &Path, waiting: u64, bound: &Bound, program: &str) -> Result<()> {
    let now = Owner::of(folder, bound);
    match read(folder)? {
        Some(before) if waiting > 0 && !now.is_database_of(&before) => {
            let reason = format!(
                "{waiting} acknowledged writes wait in this journal, {}, for the database {}, and \
                 DATABASE_URL names {}. Set it back, or use another journal; if that is the database \
                 to go on with, `{program} identity move` hands it the journal",
                folder.display(),
                before.place,
                now.place,
            );
            Err(Error::BadSetting {
                key: "JOURNAL_URL",
                reason: reason.into(),
            })
        }
        _ => Ok(()),
    }
}

/// Notes that the journal is this database's, which [`check`] allows.
pub(super) fn adopt(folder: &Path, bound: &Bound) -> Result<()> {
    let now = Owner::of(folder, bound);
    match read(folder)? {
        Some(before) if now == before => return Ok(()),
        Some(before) if !now.is_database_of(&before) => {
            tracing::warn!(before = %before.place, now = %now.place, "the empty journal is used for another database");
        }
        _ => {}
    }
    write(folder, &now)
}

/// Hands the journal to this database.
pub(super) fn hand_over(folder: &Path, bound: &Bound) -> Result<()> {
    write(folder, &Owner::of(folder, bound))
}

/// Lets a copy of the journal belong to the same database.
pub(super) fn copy(folder: &Path, to: &Path) -> Result<()> {
    match read(folder)? {
        Some(owner) => write(to, &owner),
        None => Ok(()),
    }
}

/// Nothing for a journal that is older than this file.
fn read(folder: &Path) -> Result<Option<Owner>> {
    let path = folder.join(OWNER);
    match fs::read(&path) {
        // It is written whole or not at all.
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| failed(&path, error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&path, error)),
    }
}

fn write(folder: &Path, owner: &Owner) -> Result<()> {
    let path = folder.join(OWNER);
    let new = folder.join("owner.new");
    let text = serde_json::to_vec(owner).map_err(|error| failed(&path, error))?;
    let written = || {
        let mut file = fs::File::create(&new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        fs::File::open(folder)?.sync_all()
    };
    written().map_err(|error| failed(&path, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::version::Version;

    fn sqlite(path: &Path, inode: &str, identity: &str) -> Bound {
        Bound {
            identity: identity.to_owned(),
            token: "token".to_owned(),
            previous: String::new(),
            place: Place::Sqlite {
                path: path.display().to_string(),
                inode: inode.to_owned(),
            },
            newest: Version::ZERO,
            served_by: String::new(),
            shards: 1,
        }
    }

    #[test]
    fn entries_that_wait_are_for_one_database() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let journal = root.join("journal");
        fs::create_dir(&journal).unwrap();
        let first = sqlite(&root.join("a.db"), "1:1", "identity");
        let copy = sqlite(&root.join("b.db"), "1:2", "identity");
        let other = sqlite(&root.join("a.db"), "1:1", "another");
        let check = |waiting, bound: &Bound| {
            check(&journal, waiting, bound, "svc").and_then(|()| adopt(&journal, bound))
        };
        // A journal that is older than this file is adopted.
        check(20, &first).unwrap();
        check(20, &first).unwrap();
        for bound in [&copy, &other] {
            let refused = check(20, bound).unwrap_err().to_string();
            assert!(refused.contains("20 acknowledged writes"), "{refused}");
        }
        check(20, &first).unwrap();
        // An empty one is handed over, and then the first one is the other.
        check(0, &copy).unwrap();
        check(20, &copy).unwrap();
        assert!(check(20, &first).is_err());
        hand_over(&journal, &first).unwrap();
        check(20, &first).unwrap();
    }

    #[test]
    fn a_journal_copied_with_its_database_belongs_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for data in ["data", "copy"] {
            fs::create_dir_all(root.join(data).join("journal")).unwrap();
        }
        let in_data = sqlite(&root.join("data/users.db"), "1:1", "identity");
        let in_copy = sqlite(&root.join("copy/users.db"), "1:2", "identity");
        let (data, copy) = (root.join("data/journal"), root.join("copy/journal"));
        check(&data, 1, &in_data, "svc").unwrap();
        adopt(&data, &in_data).unwrap();
        fs::copy(data.join(OWNER), copy.join(OWNER)).unwrap();
        check(&copy, 1, &in_copy, "svc").unwrap();
        assert!(check(&data, 1, &in_copy, "svc").is_err());
    }
}
