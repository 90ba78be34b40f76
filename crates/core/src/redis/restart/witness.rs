//! What this process has learned from the server. By that it can testify whether a restarted server
//! has lost anything: see `docs/design/redis-restarts.md`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Part, Result};
use crate::model::shard::Shard;
use crate::model::version::Version;

/// How many earlier runs of the server are remembered.
const LEFT_MAX: usize = 16;

/// What this process has learned from the server. All its links to the server share it.
#[derive(Debug)]
pub(crate) struct Witness(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Whether everything that this process learns is recorded here.
    takes_part: bool,
    /// The newest version that was issued to this process or read from the journal, by shard.
    told: Vec<Version>,
    /// Until when this process is registered, by the server's last answer.
    registered: String,
    /// The run of the server in which this process last testified.
    run: String,
    /// The runs before that.
    left: VecDeque<String>,
    /// The reason why the server cannot be used before the database answers.
    stalled: Option<String>,
}

/// What a process knows when it meets a run of the server for the first time.
#[derive(Clone, Debug)]
pub(in crate::redis) struct Told {
    pub(in crate::redis) takes_part: bool,
    pub(in crate::redis) newest: Vec<Version>,
    pub(in crate::redis) registered: String,
}

impl Witness {
    pub(in crate::redis) fn new(shards: u16) -> Arc<Witness> {
        Arc::new(Witness(Mutex::new(State {
            takes_part: false,
            told: vec![Version::ZERO; shards.into()],
            registered: String::new(),
            run: String::new(),
            left: VecDeque::new(),
            stalled: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this process records what it learns.
    pub(crate) fn takes_part(&self) {
        self.state().takes_part = true;
    }

    /// Records that the server has answered in `run` with this version in the shard.
    ///
    /// # Errors
    /// When this process has already testified in a later run, without knowing of this version.
    /// Then the answer must not be used.
    pub(crate) fn tell(&self, run: &str, shard: Shard, version: Version) -> Result<()> {
        let mut state = self.state();
        if state.left.iter().any(|left| left == run) {
            return Err(Error::unavailable(
                Part::Journal,
                "redis: it was restarted before its answer was looked at",
            ));
        }
        if let Some(told) = state.told.get_mut(usize::from(shard.0)) {
            *told = (*told).max(version);
        }
        Ok(())
    }

    /// What this process has to testify in `run`; `None` if it has done so. Answers of other runs
    /// are not used from now on.
    pub(in crate::redis) fn meets(&self, run: &str) -> Option<Told> {
        let mut state = self.state();
        if state.run == run {
            return None;
        }
        let before = state.run.clone();
        state.left.retain(|left| left != run && *left != before);
        state.left.push_back(before);
        if state.left.len() > LEFT_MAX {
            state.left.pop_front();
        }
        Some(Told {
            takes_part: state.takes_part,
            newest: state.told.clone(),
            registered: state.registered.clone(),
        })
    }

    /// Notes that the process has registered, and so testified, in `run`.
    pub(in crate::redis) fn registered(&self, run: &str, until: String) {
        let mut state = self.state();
        run.clone_into(&mut state.run);
        state.registered = until;
        // Met again without having registered in the one that was met in between.
        state.left.retain(|left| left != run);
    }

    /// The newest version of a shard that this process knows of.
    pub(in crate::redis) fn newest(&self, shard: Shard) -> Version {
        let state = self.state();
        let told = state.told.get(usize::from(shard.0));
        told.copied().unwrap_or_default()
    }

    pub(in crate::redis) fn stall(&self, why: Option<String>) {
        self.state().stalled = why;
    }

    pub(in crate::redis) fn stalled(&self) -> Option<String> {
        self.state().stalled.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64) -> Version {
        Version::new(number).unwrap()
    }

    /// As when a failover is broken off.
    #[test]
    fn a_run_that_was_not_left_after_all_is_used() {
        let witness = Witness::new(1);
        assert!(witness.meets("a").is_some());
        witness.registered("a", "1".to_owned());
        assert!(witness.meets("b").is_some());
        assert!(witness.tell("a", Shard(0), version(7)).is_err());
        assert!(witness.meets("a").is_none());
        witness.registered("a", "2".to_owned());
        witness.tell("a", Shard(0), version(7)).unwrap();
    }

    #[test]
    fn answers_of_a_run_that_was_left_are_refused() {
        let witness = Witness::new(1);
        assert!(witness.meets("a").is_some());
        witness.registered("a", "1".to_owned());
        assert!(witness.meets("a").is_none());
        witness.tell("a", Shard(0), version(7)).unwrap();
        let told = witness.meets("b").unwrap();
        assert_eq!((told.newest[0], &*told.registered), (version(7), "1"));
        assert!(witness.tell("a", Shard(0), version(8)).is_err());
        assert_eq!(witness.newest(Shard(0)), version(7));
        witness.tell("b", Shard(0), version(9)).unwrap();
        // A testimony that failed is made again.
        assert!(witness.meets("b").is_some());
        witness.registered("b", "2".to_owned());
        // As after a failback.
        assert!(witness.meets("a").is_some());
        witness.tell("a", Shard(0), version(10)).unwrap();
        assert!(witness.tell("b", Shard(0), version(11)).is_err());
    }
}
