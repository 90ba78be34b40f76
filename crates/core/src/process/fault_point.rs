//! Named points in the code at which a test makes the process die or wait, so
//! that a crash happens exactly there. Debug builds only: in a release build a
//! point is nothing.
//!
//! `FAULT_POINTS=drain.applied=crash@3,append.journaled=wait:500` lets the
//! process abort when it comes to `drain.applied` for the third time, and wait
//! for 500 ms each time that it comes to `append.journaled`.
//!
//! | point | between |
//! |---|---|
//! | `append.journaled` | a batch is in the journal, and its writers are answered |
//! | `drain.applied` | a batch is in the database, and the journal forgets it |
//! | `drain.acknowledged` | the journal has forgotten a batch, and what it left in a memory cache is marked clean |
//! | `fill.loaded` | a reader has read the database, and it fills the cache |
//! | `write.begun` | the names of a batch are in doubt, and it goes to the database |
//! | `write.applied` | a batch is in the database, and the cache is told |
//! | `bypass.begun` | the database has heard that the cache is bypassed, and this process acts upon it |
//! | `bypass.applied` | a batch is in the database, bypassing the cache, and its writers are answered |
//! | `adopt.batch_set_aside` | a batch of rows of a classic table is set aside, and the next one, or the table is altered |
//! | `adopt.set_aside` | all that cannot stay is set aside, and the table is altered |
//! | `adopt.adopted` | the table is altered, and the migrations are run and recorded |
//! | `purge.removed` | tombstones are removed, and the floor is raised and all that committed |
//! | `binding.exchanged` | a database that moved has another token, and Redis is told |
//! | `apply.refused` | the database has refused a record, and it is set aside |
//!
//! At the points of the file journal an operation of the disk may also fail:
//! `FAULT_POINTS=journal.sync=fail:5@2` lets the second sync fail with `EIO`.
//!
//! | point | before |
//! |---|---|
//! | `journal.write` | the bytes of a batch are written |
//! | `journal.cut` | what a failed write left is cut off |
//! | `journal.sync` | a segment is synced |
//! | `journal.note` | the note of where the acknowledged batches end is written |
//! | `journal.segment` | a segment is created |
//! | `journal.manifest` | the manifest is written; a new segment is complete |
//! | `journal.begun` | a new segment that the manifest lists takes its first batch |
//! | `journal.delete` | drained segments that the manifest no longer lists are deleted |
//! | `journal.letter` | a dead letter is written |

#[cfg(all(test, debug_assertions))]
pub(crate) use armed::arm;
#[cfg(debug_assertions)]
pub use armed::{disk, point};

/// Passes a point.
#[cfg(not(debug_assertions))]
pub async fn point(_: &'static str) {}

/// Passes a point before something is done with a file in `_folder`.
///
/// # Errors
/// None in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub fn disk(_: &'static str, _folder: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(debug_assertions)]
mod armed {
    use std::io;
    use std::path::Path;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    static ARMED: LazyLock<Vec<Armed>> =
        LazyLock::new(|| parse(&std::env::var("FAULT_POINTS").unwrap_or_default()));

    #[derive(Debug)]
    struct Armed {
        point: String,
        action: Action,
        /// Which time, from 1; every time if there is none.
        nth: Option<u64>,
        passed: AtomicU64,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Action {
        Crash,
        Wait(Duration),
        /// With this error number, where the point is one of the disk.
        Fail(i32),
    }

    impl Armed {
        /// What to do when `name` is passed.
        fn passed(&self, name: &str) -> Option<Action> {
            if self.point != name {
                return None;
            }
            let passed = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
            self.nth
                .is_none_or(|nth| nth == passed)
                .then_some(self.action)
        }
    }

    /// Passes a point: dies or waits there if it is armed.
    pub async fn point(name: &'static str) {
        for action in ARMED.iter().filter_map(|armed| armed.passed(name)) {
            match action {
                // No destructor runs and nothing is flushed, as at a SIGKILL.
                Action::Crash => std::process::abort(),
                Action::Wait(time) => tokio::time::sleep(time).await,
                Action::Fail(_) => {}
            }
        }
    }

    /// Passes a point before something is done with a file in `folder`: dies,
    /// waits or fails there if it is armed.
    ///
    /// # Errors
    /// The one that it is armed with.
    pub fn disk(name: &'static str, folder: &Path) -> io::Result<()> {
        #[cfg(test)]
        in_test::passed(name, folder)?;
        let _ = folder;
        for action in ARMED.iter().filter_map(|armed| armed.passed(name)) {
            act(action)?;
        }
        Ok(())
    }

    fn act(action: Action) -> io::Result<()> {
        match action {
            Action::Crash => std::process::abort(),
            Action::Wait(time) => std::thread::sleep(time),
            Action::Fail(error) => return Err(io::Error::from_raw_os_error(error)),
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) use in_test::arm;

    /// Points that a unit test arms for the files of one folder.
    #[cfg(test)]
    mod in_test {
        use std::path::PathBuf;
        use std::sync::{Mutex, MutexGuard, PoisonError};

        use super::*;

        static ARMED_IN: Mutex<Vec<(PathBuf, Armed)>> = Mutex::new(Vec::new());

        fn armed_in() -> MutexGuard<'static, Vec<(PathBuf, Armed)>> {
            ARMED_IN.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// Disarms the points of its folder when it is dropped.
        #[must_use]
        pub(crate) struct ArmedIn(PathBuf);

        /// Arms points for what is done with the files in `folder`.
        pub(crate) fn arm(folder: &Path, points: &str) -> ArmedIn {
            let armed = parse(points);
            assert!(!armed.is_empty(), "{points}");
            armed_in().extend(armed.into_iter().map(|armed| (folder.to_owned(), armed)));
            ArmedIn(folder.to_owned())
        }

        impl Drop for ArmedIn {
            fn drop(&mut self) {
                armed_in().retain(|(folder, _)| *folder != self.0);
            }
        }

        pub(super) fn passed(name: &str, folder: &Path) -> io::Result<()> {
            for (of, armed) in armed_in().iter() {
                if of == folder
                    && let Some(action) = armed.passed(name)
                {
                    act(action)?;
                }
            }
            Ok(())
        }
    }

    /// What is not understood is left out: only tests set it.
    fn parse(text: &str) -> Vec<Armed> {
        let armed = |text: &str| {
            let (point, action) = text.split_once('=')?;
            let (action, nth) = match action.split_once('@') {
                Some((action, nth)) => (action, Some(nth.parse().ok()?)),
                None => (action, None),
            };
            let action = match action.split_once(':') {
                None if action == "crash" => Action::Crash,
                Some(("wait", ms)) => Action::Wait(Duration::from_millis(ms.parse().ok()?)),
                Some(("fail", error)) => Action::Fail(error.parse().ok()?),
                _ => return None,
            };
            Some(Armed {
                point: point.to_owned(),
                action,
                nth,
                passed: AtomicU64::new(0),
            })
        };
        text.split(',').filter_map(armed).collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn points_are_armed_by_name_action_and_time() {
            let armed = parse("a.b=crash@3,c=wait:20,,d=explode,e=crash@x,f=fail:5");
            let seen: Vec<_> = armed
                .iter()
                .map(|armed| (armed.point.as_str(), armed.action, armed.nth))
                .collect();
            let wait = Action::Wait(Duration::from_millis(20));
            let fail = Action::Fail(5);
            assert_eq!(
                seen,
                [
                    ("a.b", Action::Crash, Some(3)),
                    ("c", wait, None),
                    ("f", fail, None)
                ]
            );
        }
    }
}
