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
//! | `bypass.begun` | the database has heard that the cache is written past, and this process acts upon it |
//! | `bypass.applied` | a batch is in the database, past the cache, and its writers are answered |
//! | `purge.removed` | tombstones are removed, and the floor is raised and all that committed |
//! | `apply.refused` | the database has refused a record, and it is set aside |

#[cfg(debug_assertions)]
pub use armed::point;

/// Passes a point.
#[cfg(not(debug_assertions))]
pub async fn point(_: &'static str) {}

#[cfg(debug_assertions)]
mod armed {
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
    }

    /// Passes a point: dies or waits there if it is armed.
    pub async fn point(name: &'static str) {
        for armed in ARMED.iter().filter(|armed| armed.point == name) {
            let passed = armed.passed.fetch_add(1, Ordering::Relaxed) + 1;
            if armed.nth.is_some_and(|nth| nth != passed) {
                continue;
            }
            match armed.action {
                // No destructor runs and nothing is flushed, as at a SIGKILL.
                Action::Crash => std::process::abort(),
                Action::Wait(time) => tokio::time::sleep(time).await,
            }
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
            let armed = parse("a.b=crash@3,c=wait:20,,d=explode,e=crash@x");
            let seen: Vec<_> = armed
                .iter()
                .map(|armed| (armed.point.as_str(), armed.action, armed.nth))
                .collect();
            let wait = Action::Wait(Duration::from_millis(20));
            assert_eq!(seen, [("a.b", Action::Crash, Some(3)), ("c", wait, None)]);
        }
    }
}
