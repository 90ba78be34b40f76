//! Which replicas Sentinels may promote.
//!
//! A Sentinel promotes no replica that it counts as down, and it needs the votes of a majority. So a replica is left out
//! only while a majority counts it as down. Of Sentinels that do not answer, each may count any known replica as up.

use std::collections::{BTreeMap, HashMap};

/// A replica as one Sentinel sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenReplica {
    address: String,
    is_down: bool,
}

/// The known replicas by `HOST:PORT`, and whether a majority counts each as down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Replicas(BTreeMap<String, bool>);

/// What the Sentinels that have answered say of the replicas.
#[derive(Debug)]
pub(super) struct Votes {
    /// How many Sentinels there are.
    sentinels: usize,
    answers: usize,
    /// Of each replica, how many count it as down.
    down: BTreeMap<String, usize>,
}

impl SeenReplica {
    /// Reads one row of `SENTINEL REPLICAS`.
    pub(super) fn read(row: &HashMap<String, String>) -> Option<SeenReplica> {
        let field = |name: &str| row.get(name).map(String::as_str);
        let flags = field("flags").unwrap_or_default();
        let down = ["s_down", "o_down", "disconnected"];
        Some(SeenReplica {
            address: format!("{}:{}", field("ip")?, field("port")?),
            is_down: flags.split(',').any(|flag| down.contains(&flag)),
        })
    }
}

impl Replicas {
    /// `HOST:PORT` of each replica that may be promoted.
    pub(super) fn promotable(&self) -> Vec<String> {
        let up = self.0.iter().filter(|(_, is_down)| !**is_down);
        up.map(|(address, _)| address.clone()).collect()
    }
}

impl Votes {
    /// None yet, of so many Sentinels at least.
    pub(super) fn of(sentinels: usize) -> Votes {
        Votes {
            sentinels,
            answers: 0,
            down: BTreeMap::new(),
        }
    }

    /// Counts what one Sentinel sees, which knows of so many Sentinels.
    pub(super) fn count(&mut self, replicas: Vec<SeenReplica>, sentinels: usize) {
        self.sentinels = self.sentinels.max(sentinels);
        self.answers += 1;
        for SeenReplica { address, is_down } in replicas {
            *self.down.entry(address).or_default() += usize::from(is_down);
        }
    }

    /// What follows. While fewer than a majority have answered, those known `before` are not forgotten.
    pub(super) fn decided(self, before: &Replicas) -> Replicas {
        let majority = self.sentinels / 2 + 1;
        let mut known: BTreeMap<String, bool> = self
            .down
            .into_iter()
            .map(|(address, votes)| (address, votes >= majority))
            .collect();
        if self.answers < majority {
            for address in before.0.keys() {
                known.entry(address.clone()).or_insert(false);
            }
        }
        Replicas(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` is up, `!a` is down.
    fn seen(replicas: &[&str]) -> Vec<SeenReplica> {
        let read = |text: &&str| SeenReplica {
            address: text.trim_start_matches('!').to_owned(),
            is_down: text.starts_with('!'),
        };
        replicas.iter().map(read).collect()
    }

    fn decided(answers: &[&[&str]], before: &Replicas) -> Replicas {
        let mut votes = Votes::of(3);
        for answer in answers {
            votes.count(seen(answer), 3);
        }
        votes.decided(before)
    }

    #[test]
    fn a_replica_is_left_out_while_a_majority_counts_it_as_down() {
        for (answers, expected) in [
            (
                &[&["a", "b"][..], &["a", "b"], &["a", "b"]][..],
                &["a", "b"][..],
            ),
            // One Sentinel is cut off from the replicas.
            (&[&["!a", "!b"], &["a", "b"], &["a", "b"]], &["a", "b"]),
            // Two see one replica each: neither is down for a majority.
            (&[&["a", "!b"], &["!a", "b"], &["a", "b"]], &["a", "b"]),
            (&[&["a", "!b"], &["a", "!b"], &["a", "b"]], &["a"]),
            (&[&["!a", "!b"], &["!a", "!b"]], &[]),
            // A Sentinel that does not know a replica says nothing of it.
            (&[&["a"], &["a"], &["a", "b"]], &["a", "b"]),
        ] {
            let decided = decided(answers, &Replicas::default());
            assert_eq!(decided.promotable(), expected, "{answers:?}");
        }
    }

    #[test]
    fn without_a_majority_every_known_replica_may_be_promoted() {
        let none_up = decided(&[&["!a"], &["!a"], &["!a"]], &Replicas::default());
        assert!(none_up.promotable().is_empty());
        for answers in [&[][..], &[&["!a"][..]], &[&[][..]]] {
            assert_eq!(decided(answers, &none_up).promotable(), ["a"]);
        }
        let forgotten = decided(&[&[], &[]], &none_up);
        assert!(forgotten.promotable().is_empty());
    }

    #[test]
    fn a_majority_is_one_of_all_sentinels_that_any_knows() {
        let mut votes = Votes::of(1);
        votes.count(seen(&["!a"]), 3);
        assert_eq!(votes.decided(&Replicas::default()).promotable(), ["a"]);
    }

    #[test]
    fn a_replica_is_down_by_its_flags() {
        for (flags, expected) in [
            ("slave", false),
            ("s_down,slave,disconnected", true),
            ("s_down,slave", true),
            ("slave,disconnected", true),
        ] {
            let fields = [("ip", "h"), ("port", "1"), ("flags", flags)];
            let row = fields.map(|(name, text)| (name.to_owned(), text.to_owned()));
            let replica = SeenReplica::read(&HashMap::from(row)).unwrap();
            assert_eq!(replica.is_down, expected, "{flags}");
            assert_eq!(replica.address, "h:1");
        }
    }
}
