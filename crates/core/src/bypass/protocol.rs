//! The protocol by which processes bypass a cache that one of them cannot reach, as a pure
//! function of what the database knows.
//!
//! The leases are those of Gray and Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism
//! for Distributed File Cache Consistency", 1989. A process trusts the cache for a limited
//! time, for which it asks the database first. A process that wants to bypass the cache
//! reports that to the database. From then on no lease is renewed. The process waits until
//! all leases are given back or have run out. Each process measures times by its own
//! monotonic clock. The clocks of two processes are never compared.
//!
//! The database keeps the state of the protocol. A process that is cut off from the cache
//! still shares the database with the others.

use std::fmt;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::epoch::Epoch;

/// A process as its latest heartbeat left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// A name that no other process has.
    pub process: String,
    /// Whether the process may take values from the cache.
    pub trusts: bool,
    /// Whether the process cannot reach the cache.
    pub cut_off: bool,
    /// Whether the process relies on the cache for good: also without heartbeats, and until
    /// an operator releases it. While there is such a member, no process bypasses the cache.
    pub for_good: bool,
    /// How many milliseconds the process trusts the cache after a heartbeat.
    pub lease_ms: u64,
    /// The counter of the process's latest heartbeat.
    pub beats: u64,
}

/// The state of the protocol, which is in the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The present epoch.
    pub epoch: Epoch,
    /// Whether the cache is bypassed in this epoch.
    pub bypassed: bool,
    /// The run of the cache's server that this epoch uses; empty before the first use. The
    /// epoch ends with the run. Marks of doubt do not outlive a run, so a write that began in
    /// one run must not be committed in the next.
    pub run: String,
    /// The processes, in no particular order.
    pub members: Vec<Member>,
}

/// A heartbeat of a process.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The process's name.
    pub process: String,
    /// Counts the process's heartbeats. The database ignores a heartbeat whose counter is not
    /// above that of the latest.
    pub beats: u64,
    /// Whether the process cannot reach the cache.
    pub cut_off: bool,
    /// The run of the server that the process reaches.
    pub run: String,
    /// Whether the process trusts the cache while it sends this heartbeat. IMPORTANT: others
    /// wait until the process reports that its trust has ended. The answer that forbids the
    /// trust may reach the process late.
    pub trusts: bool,
    /// For how many milliseconds the process will trust the cache, if it may.
    pub lease_ms: u64,
    /// Members without a heartbeat for longer than their lease: the name and the counter of
    /// each.
    pub silent: Vec<(String, u64)>,
}

impl View {
    /// Whether a process relies on the cache for good.
    pub fn relied_upon(&self) -> bool {
        self.members.iter().any(|member| member.for_good)
    }

    /// Returns the state after a heartbeat. The first process that is cut off ends the epoch
    /// in which the cache is used. The next such epoch begins when no process is cut off any
    /// more and no process trusts an older epoch.
    pub fn after(&self, statement: &Statement) -> View {
        let mut next = self.clone();
        let is_me = |member: &Member| member.process == statement.process;
        if let Some(me) = next.members.iter().position(is_me) {
            let me = next.members.swap_remove(me);
            if me.beats >= statement.beats {
                return self.clone();
            }
        }
        next.members.retain(|member| {
            let silent = |(process, beats): &(String, u64)| {
                *process == member.process && *beats == member.beats
            };
            member.for_good || !statement.silent.iter().any(silent)
        });
        let others = |says: fn(&Member) -> bool| next.members.iter().any(says);
        let cut_off = statement.cut_off || others(|member| member.cut_off);
        // The cache is used again only when no process trusts what was cached before. Such a
        // process would not see the writes of the next epoch.
        let trusted = statement.trusts || others(|member| member.trusts);
        let bypassed = (cut_off || (next.bypassed && trusted)) && !next.relied_upon();
        // The stored `cut_off` of a member may be from before another process relied on the
        // cache. A bypass begins only when a process reports `cut_off` again.
        if bypassed != next.bypassed && (statement.cut_off || !bypassed) {
            next.epoch = next.epoch.next();
            next.bypassed = bypassed;
            next.run = String::new();
        }
        if !next.bypassed && !statement.cut_off && next.run.is_empty() {
            next.run = statement.run.clone();
        }
        let in_this_run = next.relied_upon() || next.run == statement.run;
        let may_trust = !next.bypassed && !statement.cut_off && in_this_run;
        next.members.push(Member {
            process: statement.process.clone(),
            trusts: may_trust || statement.trusts,
            cut_off: statement.cut_off,
            for_good: false,
            lease_ms: statement.lease_ms,
            beats: statement.beats,
        });
        debug_assert!(
            next.epoch == self.epoch || next.epoch == self.epoch.next(),
            "epochs end one after the other"
        );
        debug_assert!(
            !(next.bypassed && next.relied_upon()),
            "a cache that a process relies on is not bypassed"
        );
        next
    }
}

/// Where the state is kept: the database.
#[async_trait]
pub trait Membership: fmt::Debug + Send + Sync + 'static {
    /// Stores a heartbeat, and returns the state after it. Once the epoch has changed, no
    /// write that is fenced by the epoch before takes place any more.
    ///
    /// # Errors
    /// When the database is unavailable. Then the heartbeat may be stored or not.
    async fn hear(&self, statement: &Statement) -> Result<View>;

    /// Registers `holder` as relying on the cache for good, unless the cache is bypassed
    /// now. Returns the state before the registration. Processes that do not know of `holder`
    /// yet may read from the database alone. So `holder` trusts the cache only once all
    /// processes know of it: `all_have_heard`.
    ///
    /// # Errors
    /// When the database is unavailable, or the cache is being bypassed.
    async fn rely(&self, holder: &str, all_have_heard: bool) -> Result<View>;

    /// Removes a process that trusts no cached value any more. Returns whether the process
    /// was known.
    ///
    /// # Errors
    /// When the database is unavailable.
    async fn leave(&self, process: &str) -> Result<bool>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a heartbeat of `process`, which trusts nothing now.
    fn says(process: &str, beats: u64, cut_off: bool) -> Statement {
        Statement {
            process: process.to_owned(),
            beats,
            cut_off,
            run: "run".to_owned(),
            trusts: false,
            lease_ms: 100,
            silent: Vec::new(),
        }
    }

    fn trusting(view: &View) -> Vec<&str> {
        let trusting = view.members.iter().filter(|member| member.trusts);
        let mut trusting: Vec<&str> = trusting.map(|member| member.process.as_str()).collect();
        trusting.sort_unstable();
        trusting
    }

    #[test]
    fn no_lease_is_granted_while_a_process_is_cut_off() {
        let view = View::default();
        let view = view.after(&says("a", 1, false)).after(&says("b", 1, false));
        assert_eq!((trusting(&view), view.epoch.get()), (vec!["a", "b"], 0));
        let view = view.after(&says("b", 2, true));
        // The lease of `a` was granted before.
        assert_eq!((trusting(&view), view.epoch.get()), (vec!["a"], 1));
        assert!(view.bypassed);
        let view = view.after(&says("a", 2, false));
        assert_eq!((trusting(&view), view.epoch.get()), (vec![], 1));
        let view = view.after(&says("a", 3, true)).after(&says("b", 3, false));
        assert_eq!((view.bypassed, view.epoch.get()), (true, 1));
        let view = view.after(&says("a", 4, false));
        assert_eq!((trusting(&view), view.epoch.get()), (vec!["a"], 2));
        assert!(!view.bypassed);
    }

    #[test]
    fn a_process_is_waited_for_until_it_says_that_it_trusts_no_more() {
        let view = View::default().after(&says("a", 1, false));
        let view = view.after(&says("b", 1, true));
        let mut renews = says("a", 2, false);
        renews.trusts = true;
        let view = view.after(&renews);
        assert_eq!(trusting(&view), ["a"], "it has not heard the answer yet");
        assert_eq!(trusting(&view.after(&says("a", 3, false))), [""; 0]);
    }

    #[test]
    fn the_cache_is_not_used_while_an_older_epoch_is_trusted() {
        let view = View::default();
        let view = view.after(&says("a", 1, false)).after(&says("b", 1, false));
        // `c`, which was cut off, is gone before `a` has heard of the bypass.
        let mut view = view.after(&says("c", 1, true));
        view.members.retain(|member| member.process != "c");
        let heard = view.after(&says("b", 2, false));
        assert_eq!((trusting(&heard), heard.bypassed), (vec!["a"], true));
        let heard = heard.after(&says("a", 2, false));
        assert_eq!((trusting(&heard), heard.epoch.get()), (vec!["a"], 2));
    }

    #[test]
    fn an_epoch_belongs_to_one_run_of_the_server() {
        let view = View::default().after(&says("a", 1, false));
        assert_eq!(view.run, "run");
        let mut elsewhere = says("b", 1, false);
        elsewhere.run = "another".to_owned();
        let heard = view.after(&elsewhere);
        assert_eq!((trusting(&heard), heard.run.as_str()), (vec!["a"], "run"));
        // Both processes leave the cache, and use it again in its present run.
        let mut view = heard.after(&says("b", 2, true)).after(&says("a", 2, false));
        elsewhere.beats = 3;
        view = view.after(&elsewhere);
        assert_eq!((trusting(&view), view.run.as_str()), (vec!["b"], "another"));
        assert_eq!(trusting(&view.after(&says("a", 3, false))), ["b"]);
    }

    #[test]
    fn what_was_said_before_is_not_heard_after() {
        let view = View::default().after(&says("a", 2, false));
        for beats in [1, 2] {
            assert_eq!(view.after(&says("a", beats, true)), view);
        }
    }

    #[test]
    fn a_process_that_was_cut_off_and_is_silent_is_waited_for_no_longer() {
        let view = View::default().after(&says("a", 5, true));
        let mut statement = says("b", 1, false);
        statement.silent = vec![("a".to_owned(), 6)];
        assert!(
            view.after(&statement).bypassed,
            "it has said something since"
        );
        statement.silent = vec![("a".to_owned(), 5)];
        let heard = view.after(&statement);
        assert_eq!((trusting(&heard), heard.epoch.get()), (vec!["b"], 2));
    }

    #[test]
    fn a_cache_that_is_relied_on_is_not_bypassed() {
        let mut view = View::default();
        view.members.push(Member {
            process: "journal".to_owned(),
            trusts: true,
            cut_off: false,
            for_good: true,
            lease_ms: 0,
            beats: 0,
        });
        let mut statement = says("a", 1, true);
        statement.silent = vec![("journal".to_owned(), 0)];
        let heard = view.after(&statement);
        assert_eq!((heard.bypassed, heard.epoch.get()), (false, 0));
        assert_eq!(trusting(&heard), ["journal"]);
    }
}
