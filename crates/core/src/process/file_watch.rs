//! Files that are read again when they change: tokens, certificates and keys.
//!
//! Contents are compared rather than times, so it does not matter how a file changes: written in place, replaced by a
//! rename, or by the symbolic link that Kubernetes swaps. A change counts once two looks in a row have found it, so a
//! file that is being written is not taken halfway, nor a certificate without its key. What cannot be used changes
//! nothing: the value that was read before stays, and the reason is kept for `/readyz`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::error::{Error, Result};
use crate::settings::file_content;
use crate::timing;

/// A setting, and what is wrong with the file that it names.
pub type Unusable = (&'static str, String);

/// What files hold, in the order in which they are listed.
type Contents = Vec<Vec<u8>>;

/// Makes a value of the contents of files.
type Parse<T> = dyn Fn(&[Vec<u8>]) -> std::result::Result<T, Unusable> + Send;

/// The newest value that was made of some files. Clones share it.
#[derive(Debug)]
pub struct FileWatch<T> {
    value: watch::Receiver<Arc<T>>,
    refused: Refused,
    _task: Arc<Task>,
}

/// Why what the files hold now is not used.
type Refused = Arc<Mutex<Option<String>>>;

#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> Clone for FileWatch<T> {
    fn clone(&self) -> FileWatch<T> {
        FileWatch {
            value: self.value.clone(),
            refused: self.refused.clone(),
            _task: self._task.clone(),
        }
    }
}

impl<T: Send + Sync + 'static> FileWatch<T> {
    /// Reads the files, each named by a setting, and goes on looking at them until the last clone is dropped.
    ///
    /// # Errors
    /// [`Error::BadSetting`] when they cannot be read, or `parse` refuses what they hold.
    pub fn start(
        files: Vec<(&'static str, PathBuf)>,
        parse: impl Fn(&[Vec<u8>]) -> std::result::Result<T, Unusable> + Send + 'static,
    ) -> Result<FileWatch<T>> {
        let (mut looks, value) = Looks::first(files, Box::new(parse))?;
        let refused = looks.refused.clone();
        let task = tokio::spawn(async move {
            let mut ticks = interval(timing::FILE_LOOK_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // A file of another machine may take its time.
                let look = tokio::task::spawn_blocking(move || {
                    looks.look();
                    looks
                });
                match look.await {
                    Ok(again) => looks = again,
                    Err(error) => {
                        tracing::error!(%error, "files are not looked at any more");
                        return;
                    }
                }
            }
        });
        Ok(FileWatch {
            value,
            refused,
            _task: Arc::new(Task(task.abort_handle())),
        })
    }

    /// The newest value.
    pub fn value(&self) -> Arc<T> {
        self.value.borrow().clone()
    }

    /// Every value from now on.
    pub fn follow(&self) -> watch::Receiver<Arc<T>> {
        self.value.clone()
    }

    /// Why the files cannot be used as they are now, if they cannot: one sentence.
    pub fn refused(&self) -> Option<String> {
        let refused = self.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One look after the other.
struct Looks<T> {
    files: Vec<(&'static str, PathBuf)>,
    parse: Box<Parse<T>>,
    value: watch::Sender<Arc<T>>,
    refused: Refused,
    /// What the last look has found.
    found: std::result::Result<Contents, Unusable>,
    /// What was last made a value of, or was refused.
    judged: std::result::Result<Contents, Unusable>,
}

impl<T> Looks<T> {
    fn first(
        files: Vec<(&'static str, PathBuf)>,
        parse: Box<Parse<T>>,
    ) -> Result<(Looks<T>, watch::Receiver<Arc<T>>)> {
        let found = read(&files);
        let parsed = found.clone().and_then(|contents| parse(&contents));
        let value = parsed.map_err(|(key, reason)| Error::BadSetting {
            key,
            reason: reason.into(),
        })?;
        let (sender, receiver) = watch::channel(Arc::new(value));
        let looks = Looks {
            files,
            parse,
            value: sender,
            refused: Refused::default(),
            judged: found.clone(),
            found,
        };
        Ok((looks, receiver))
    }

    fn look(&mut self) {
        let found = read(&self.files);
        if found != self.found {
            self.found = found;
            return;
        }
        if found == self.judged {
            return;
        }
        let parsed = found.clone().and_then(|contents| (self.parse)(&contents));
        self.judged = found;
        let refused = match parsed {
            Ok(value) => {
                self.value.send_replace(Arc::new(value));
                let setting = self.files.first().map(|(setting, _)| setting);
                tracing::info!(setting, "files that have changed are in use");
                None
            }
            Err((setting, reason)) => {
                tracing::error!(setting, reason, "what was read before stays in use");
                Some(format!(
                    "{setting}: {reason}; what was read before stays in use"
                ))
            }
        };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    }
}

fn read(files: &[(&'static str, PathBuf)]) -> std::result::Result<Contents, Unusable> {
    let files = files.iter();
    files
        .map(|(key, path)| file_content(key, path).map_err(|bad| (*key, bad.reason)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const KEY: &str = "SOME_FILE";

    fn text(contents: &[Vec<u8>]) -> std::result::Result<String, Unusable> {
        match String::from_utf8(contents.concat()) {
            Ok(text) if !text.contains("wrong") => Ok(text),
            _ => Err((KEY, "is wrong".to_owned())),
        }
    }

    #[test]
    fn a_change_counts_when_two_looks_found_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "a").unwrap();
        let (mut looks, value) = Looks::first(vec![(KEY, path.clone())], Box::new(text)).unwrap();
        fs::write(&path, "b").unwrap();
        looks.look();
        assert_eq!(**value.borrow(), "a");
        fs::write(&path, "bc").unwrap();
        looks.look();
        assert_eq!(**value.borrow(), "a");
        looks.look();
        assert_eq!(**value.borrow(), "bc");
    }

    #[test]
    fn what_cannot_be_used_leaves_the_old_value_until_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "a").unwrap();
        let (mut looks, value) = Looks::first(vec![(KEY, path.clone())], Box::new(text)).unwrap();
        let refused = looks.refused.clone();
        let refused = || refused.lock().unwrap().clone();
        let mut twice = || {
            looks.look();
            looks.look();
        };
        fs::write(&path, "wrong").unwrap();
        twice();
        assert_eq!(
            refused().as_deref(),
            Some("SOME_FILE: is wrong; what was read before stays in use")
        );
        fs::remove_file(&path).unwrap();
        twice();
        assert!(refused().unwrap().contains("cannot be read"));
        assert_eq!(**value.borrow(), "a");
        fs::write(&path, "a").unwrap();
        twice();
        assert_eq!(refused(), None);
    }

    #[test]
    fn a_rename_and_a_swapped_link_are_changes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["one", "two"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("file"), name).unwrap();
        }
        symlink(at("one"), at("data")).unwrap();
        symlink("data/file", at("file")).unwrap();
        let (mut looks, value) = Looks::first(vec![(KEY, at("file"))], Box::new(text)).unwrap();
        symlink(at("two"), at("swap")).unwrap();
        fs::rename(at("swap"), at("data")).unwrap();
        looks.look();
        looks.look();
        assert_eq!(**value.borrow(), "two");
        fs::write(at("new"), "new").unwrap();
        fs::rename(at("new"), at("file")).unwrap();
        looks.look();
        looks.look();
        assert_eq!(**value.borrow(), "new");
    }

    #[test]
    fn a_file_that_cannot_be_used_is_a_bad_setting_at_first() {
        let missing = vec![(KEY, PathBuf::from("/nowhere/file"))];
        let refused = Looks::first(missing, Box::new(text)).err().unwrap();
        assert!(
            matches!(refused, Error::BadSetting { key: KEY, .. }),
            "{refused:?}"
        );
    }
}
