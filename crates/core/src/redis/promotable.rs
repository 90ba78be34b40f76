//! Which replicas Sentinels may promote.
//!
//! The Sentinel that leads a failover promotes no replica that it counts as down, or that has `replica-priority 0`. Any
//! Sentinel may lead one. So a replica is left out only if all Sentinels answer and count it as such, and only for as
//! long as that answer is new.

use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;

use crate::timing;

/// A replica as one Sentinel sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenReplica {
    address: String,
    may_be_promoted: bool,
}

/// The known replicas by `HOST:PORT`, and whether each may be promoted.
#[derive(Clone, Debug)]
pub(super) struct Replicas {
    may_be_promoted: BTreeMap<String, bool>,
    /// Before the Sentinels were asked.
    asked_at: Instant,
}

/// What the Sentinels that have answered say of the replicas.
#[derive(Debug)]
pub(super) struct Votes {
    asked_at: Instant,
    /// How many Sentinels there are.
    sentinels: usize,
    answers: usize,
    /// Of each replica, how many would not promote it.
    against: BTreeMap<String, usize>,
}

impl SeenReplica {
    /// Reads one row of `SENTINEL REPLICAS`.
    pub(super) fn read(row: &HashMap<String, String>) -> Option<SeenReplica> {
        let field = |name: &str| row.get(name).map(String::as_str);
        let flags = field("flags").unwrap_or_default();
        let down = ["s_down", "o_down", "disconnected"];
        let is_down = flags.split(',').any(|flag| down.contains(&flag));
        Some(SeenReplica {
            address: format!("{}:{}", field("ip")?, field("port")?),
            may_be_promoted: !is_down && field("slave-priority") != Some("0"),
        })
    }
}

impl Replicas {
    /// None are known.
    pub(super) fn none() -> Replicas {
        Replicas {
            may_be_promoted: BTreeMap::new(),
            asked_at: Instant::now(),
        }
    }

    /// `HOST:PORT` of each replica that may be promoted.
    pub(super) fn promotable(&self) -> Vec<String> {
        let is_old = self.asked_at.elapsed() > timing::REPLICAS_KNOWN_LIFETIME;
        let counted = self.may_be_promoted.iter();
        let counted = counted.filter(|(_, may_be_promoted)| is_old || **may_be_promoted);
        counted.map(|(address, _)| address.clone()).collect()
    }
}

impl Votes {
    /// None yet, of so many Sentinels at least.
    pub(super) fn of(sentinels: usize) -> Votes {
        Votes {
            asked_at: Instant::now(),
            sentinels,
            answers: 0,
            against: BTreeMap::new(),
        }
    }

    /// Counts what one Sentinel sees, which knows of so many Sentinels.
    pub(super) fn count(&mut self, replicas: Vec<SeenReplica>, sentinels: usize) {
        self.sentinels = self.sentinels.max(sentinels);
        self.answers += 1;
        for replica in replicas {
            *self.against.entry(replica.address).or_default() +=
                usize::from(!replica.may_be_promoted);
        }
    }

    /// What follows for the replicas of `primary`. Until all have answered, those known `before` are not forgotten.
    pub(super) fn decided(self, primary: &str, before: &Replicas) -> Replicas {
        let mut may_be_promoted: BTreeMap<String, bool> = self
            .against
            .into_iter()
            .map(|(address, against)| (address, against < self.sentinels))
            .collect();
        if self.answers < self.sentinels {
            for address in before.may_be_promoted.keys() {
                may_be_promoted.entry(address.clone()).or_insert(true);
            }
        }
        may_be_promoted.remove(primary);
        Replicas {
            may_be_promoted,
            asked_at: self.asked_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` may be promoted, `!a` may not.
    fn seen(replicas: &[&str]) -> Vec<SeenReplica> {
        let read = |text: &&str| SeenReplica {
            address: text.trim_start_matches('!').to_owned(),
            may_be_promoted: !text.starts_with('!'),
        };
        replicas.iter().map(read).collect()
    }

    fn decided(answers: &[&[&str]], before: &Replicas) -> Replicas {
        let mut votes = Votes::of(3);
        for answer in answers {
            votes.count(seen(answer), 3);
        }
        votes.decided("primary", before)
    }

    #[tokio::test]
    async fn a_replica_is_left_out_only_if_all_sentinels_would_not_promote_it() {
        for (answers, expected) in [
            (
                &[&["a", "b"][..], &["a", "b"], &["a", "b"]][..],
                &["a", "b"][..],
            ),
            (&[&["!a", "!b"], &["!a", "!b"], &["a", "!b"]], &["a"]),
            (&[&["!a", "!b"], &["!a", "!b"], &["!a", "!b"]], &[]),
            // Of the one that does not answer nothing is known.
            (&[&["!a", "!b"], &["!a", "!b"]], &["a", "b"]),
            // One Sentinel alone knows a replica.
            (&[&["a"], &["a"], &["a", "!b"]], &["a", "b"]),
            // After a failover the new primary may still be listed.
            (&[&["a", "primary"], &["a"], &["a"]], &["a"]),
        ] {
            let decided = decided(answers, &Replicas::none());
            assert_eq!(decided.promotable(), expected, "{answers:?}");
        }
    }

    #[tokio::test]
    async fn what_was_known_counts_until_all_sentinels_have_answered() {
        let all_down = decided(&[&["!a"], &["!a"], &["!a"]], &Replicas::none());
        assert!(all_down.promotable().is_empty());
        for answers in [&[][..], &[&["!a"][..]], &[&[][..], &[]]] {
            assert_eq!(decided(answers, &all_down).promotable(), ["a"]);
        }
        let forgotten = decided(&[&[], &[], &[]], &all_down);
        assert!(forgotten.promotable().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_answer_leaves_out_no_replica() {
        let all_down = decided(&[&["!a"], &["!a"], &["!a"]], &Replicas::none());
        tokio::time::advance(timing::REPLICAS_KNOWN_LIFETIME).await;
        assert!(all_down.promotable().is_empty());
        tokio::time::advance(timing::REPLICAS_CONFIRM_INTERVAL).await;
        assert_eq!(all_down.promotable(), ["a"]);
    }

    #[tokio::test]
    async fn all_sentinels_are_those_that_any_knows() {
        let mut votes = Votes::of(1);
        votes.count(seen(&["!a"]), 3);
        let decided = votes.decided("primary", &Replicas::none());
        assert_eq!(decided.promotable(), ["a"]);
    }

    #[test]
    fn a_replica_that_is_down_or_has_no_priority_is_not_promoted() {
        for (flags, priority, expected) in [
            ("slave", "100", true),
            ("slave", "0", false),
            ("s_down,slave,disconnected", "100", false),
            ("s_down,slave", "100", false),
            ("slave,disconnected", "100", false),
        ] {
            let fields = [
                ("ip", "h"),
                ("port", "1"),
                ("flags", flags),
                ("slave-priority", priority),
            ];
            let row = fields.map(|(name, text)| (name.to_owned(), text.to_owned()));
            let replica = SeenReplica::read(&HashMap::from(row)).unwrap();
            assert_eq!(replica.may_be_promoted, expected, "{flags}");
            assert_eq!(replica.address, "h:1");
        }
    }
}
