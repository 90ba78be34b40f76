//! Dead letters: acknowledged writes that the database refuses.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::record::{Key, Record};
use crate::model::shard::Shard;
use crate::model::version::Version;

/// A write that was set aside, so that it does not hold up the others.
///
/// There is at most one a key, the newest. It ends when a newer write of its key
/// is in the database, when it is replayed, or when it is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The write. That of an entry of the journal which could not be understood
    /// has a key that no record can have, beginning with [`NOT_A_KEY`], and the
    /// entry's bytes as its body.
    pub record: Record,
    /// What the database has against it.
    pub reason: Arc<str>,
    /// When it was set aside: microseconds since the epoch.
    pub set_aside_at: Version,
    /// Whether it waits for room among the dead letters: the drain attempts it again, and it
    /// counts as an entry that waits.
    pub held_back: bool,
}

/// Which dead letters, in the order of their keys.
#[derive(Clone, Debug, Default)]
pub struct LetterQuery {
    /// Those with larger keys than this one.
    pub after: Option<Key>,
    /// At most so many.
    pub max: usize,
    /// Those whose keys begin with this.
    pub name_prefix: String,
    /// Those whose reasons contain this.
    pub reason: String,
}

impl LetterQuery {
    /// The first `max` of all.
    pub fn first(max: usize) -> LetterQuery {
        LetterQuery {
            max,
            ..LetterQuery::default()
        }
    }

    /// Whether the letter is one of those, however many there are.
    pub fn matches(&self, letter: &DeadLetter) -> bool {
        let key = &letter.record.key;
        self.after.as_ref().is_none_or(|after| key > after)
            && key.as_str().starts_with(&self.name_prefix)
            && letter.reason.contains(&self.reason)
    }
}

/// Where a scan of the letters goes on. Only the journal that gave it understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanPosition {
    /// After this key.
    After(Key),
    /// At this cursor of the shard's hash, in this run of the server.
    Cursor(Shard, u64, Arc<str>),
}

/// Some letters of a scan.
#[derive(Clone, Debug, Default)]
pub struct LetterScan {
    /// Those that match.
    pub letters: Vec<DeadLetter>,
    /// Where to go on; `None` at the end.
    pub next: Option<ScanPosition>,
}

/// Some of what is held back in a shard.
#[derive(Clone, Debug, Default)]
pub struct HeldBackPage {
    /// The letters in the order of their keys: fewer than were asked for where some cannot be understood.
    pub letters: Vec<DeadLetter>,
    /// The key after which to go on; `None` at the end.
    pub next: Option<Key>,
}

impl HeldBackPage {
    /// The page of a journal that understands all its letters.
    pub fn of(letters: Vec<DeadLetter>, max: usize) -> HeldBackPage {
        let last = letters.last().filter(|_| letters.len() == max);
        HeldBackPage {
            next: last.map(|letter| letter.record.key.clone()),
            letters,
        }
    }
}

/// Collects the letters of a query that come in any order. Holds one letter more than the query asks for.
#[derive(Debug)]
pub struct LetterPage<'a> {
    query: &'a LetterQuery,
    letters: BTreeMap<Key, DeadLetter>,
}

impl<'a> LetterPage<'a> {
    /// An empty page.
    pub fn new(query: &'a LetterQuery) -> LetterPage<'a> {
        LetterPage {
            query,
            letters: BTreeMap::new(),
        }
    }

    /// Takes the letter if it is one of the first that match.
    pub fn offer(&mut self, letter: DeadLetter) {
        if !self.query.matches(&letter) {
            return;
        }
        self.letters.insert(letter.record.key.clone(), letter);
        if self.letters.len() > self.query.max {
            self.letters.pop_last();
        }
    }

    /// The letters in the order of their keys.
    pub fn letters(self) -> Vec<DeadLetter> {
        self.letters.into_values().collect()
    }
}

/// Most dead letters of each shard, of `max` in all.
pub fn max_of_shard(max: u64, shards: u16) -> u64 {
    max.div_ceil(shards.max(1).into())
}

/// What the key of a dead letter begins with when it is none.
pub const NOT_A_KEY: char = ' ';

impl DeadLetter {
    /// Whether it is an entry of the journal that could not be understood.
    pub fn is_undecodable(&self) -> bool {
        self.record.key.as_str().starts_with(NOT_A_KEY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(name: &str, reason: &str) -> DeadLetter {
        DeadLetter {
            record: Record::absent(Key::from(name)),
            reason: reason.into(),
            set_aside_at: Version::ZERO,
            held_back: false,
        }
    }

    fn names(query: &LetterQuery) -> String {
        let mut page = LetterPage::new(query);
        for name in ["b", "d", "a", "ab", "c", "a"] {
            page.offer(letter(name, &format!("no {name}")));
        }
        let letters = page.letters();
        let names: Vec<&str> = letters.iter().map(|it| it.record.key.as_str()).collect();
        names.join(" ")
    }

    #[test]
    fn a_page_holds_the_first_that_match() {
        let first = LetterQuery::first;
        assert_eq!(names(&first(0)), "");
        assert_eq!(names(&first(2)), "a ab");
        assert_eq!(names(&first(9)), "a ab b c d");
        let after = |name: &str, max| LetterQuery {
            after: Some(Key::from(name)),
            ..first(max)
        };
        assert_eq!(names(&after("a", 2)), "ab b");
        assert_eq!(names(&after("bb", 2)), "c d");
        assert_eq!(names(&after("d", 2)), "");
        let of_a = LetterQuery {
            name_prefix: "a".to_owned(),
            ..first(9)
        };
        assert_eq!(names(&of_a), "a ab");
        let because_of_b = LetterQuery {
            reason: "b".to_owned(),
            ..after("ab", 9)
        };
        assert_eq!(names(&because_of_b), "b");
    }
}
