//! The record of what was written, acknowledged and read, and the judge of every answer.
//!
//! A name has one writer at a time, so its writes are in one order: that of their numbers. Whatever is
//! read was written, and is not older than what had been acknowledged, or read by any client, before
//! the read began. A write that was not acknowledged may have taken effect or not.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// How many writes of a name are shown when something is wrong with it.
const WRITES_SHOWN_MAX: usize = 8;

const OFFENCES_SHOWN_MAX: usize = 10;

/// What became of a write, as far as its writer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is under way.
    Open,
    /// It was acknowledged, at this version.
    Acknowledged(u64),
    /// It has taken effect before the next write of the name began, or never will.
    Unanswered,
    /// It was not answered, and may still take effect at any time, after later writes too.
    MayComeLate,
    /// The service said that there was nothing to delete.
    DidNothing,
}

/// What a name has, by the number of the write that put it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Nothing,
    Value { number: u64, version: u64 },
}

#[derive(Debug)]
struct Attempt {
    number: u64,
    is_delete: bool,
    fate: Fate,
}

#[derive(Debug)]
struct Story {
    attempts: Vec<Attempt>,
    // No attempt before this number is current any more, unless it may come late.
    floor: u64,
    version: u64,
}

/// What was known of a name when a read of it began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    floor: u64,
}

/// All that happened to all names.
#[derive(Debug)]
pub(crate) struct Ledger {
    names: Vec<String>,
    stories: Vec<Mutex<Story>>,
    next_number: AtomicU64,
    acknowledged: AtomicU64,
    unanswered: AtomicU64,
    reads: AtomicU64,
    offences: Mutex<Vec<String>>,
}

impl Ledger {
    pub(crate) fn new(names: usize) -> Self {
        let nothing_yet = || Story {
            attempts: vec![Attempt {
                number: 0,
                is_delete: true,
                fate: Fate::Acknowledged(0),
            }],
            floor: 0,
            version: 0,
        };
        Ledger {
            names: (0..names).map(|name| format!("Zoë {name:03}")).collect(),
            stories: (0..names).map(|_| Mutex::new(nothing_yet())).collect(),
            next_number: AtomicU64::new(1),
            acknowledged: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            offences: Mutex::default(),
        }
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    fn story(&self, name: usize) -> MutexGuard<'_, Story> {
        self.stories[name].lock().unwrap()
    }

    /// Notes a write before it is sent; returns its number.
    pub(crate) fn write_begins(&self, name: usize, is_delete: bool) -> u64 {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        self.story(name).attempts.push(Attempt {
            number,
            is_delete,
            fate: Fate::Open,
        });
        number
    }

    pub(crate) fn write_ended(&self, name: usize, number: u64, fate: Fate) {
        let mut story = self.story(name);
        let attempts = &mut story.attempts;
        let found = attempts.iter_mut().rfind(|known| known.number == number);
        found.expect("a write that began").fate = fate;
        match fate {
            Fate::Acknowledged(version) => {
                if version <= story.version {
                    self.offend(name, &story, &format!("{number} has version {version}"));
                }
                story.version = version;
                story.floor = story.floor.max(number);
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Fate::Unanswered | Fate::MayComeLate => {
                self.unanswered.fetch_add(1, Ordering::Relaxed);
            }
            Fate::Open | Fate::DidNothing => {}
        }
    }

    /// Call before the read is sent.
    pub(crate) fn read_begins(&self, name: usize) -> Before {
        Before {
            floor: self.story(name).floor,
        }
    }

    /// Judges what was read.
    pub(crate) fn read_ended(&self, name: usize, before: Before, seen: Seen) {
        let mut story = self.story(name);
        let may_be_current = |attempt: &&Attempt| {
            let is_what_was_seen = match seen {
                Seen::Nothing => attempt.is_delete,
                Seen::Value { number, .. } => !attempt.is_delete && attempt.number == number,
            };
            let has_a_chance = match attempt.fate {
                Fate::DidNothing => false,
                Fate::MayComeLate => true,
                _ => attempt.number >= before.floor,
            };
            is_what_was_seen && has_a_chance
        };
        match story.attempts.iter().find(may_be_current) {
            None => {
                let offence = format!("{seen:?} was read, {} was known before", before.floor);
                self.offend(name, &story, &offence);
            }
            Some(first) => {
                if let (Fate::Acknowledged(acknowledged), Seen::Value { version, .. }) =
                    (first.fate, seen)
                    && acknowledged != version
                {
                    let offence = format!("{seen:?} was acknowledged at {acknowledged}");
                    self.offend(name, &story, &offence);
                }
                let first = first.number;
                let is_late = |attempt: &Attempt| attempt.fate == Fate::MayComeLate;
                if !story.attempts.iter().any(is_late) {
                    story.floor = story.floor.max(first);
                }
            }
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// The version that was acknowledged last.
    pub(crate) fn version(&self, name: usize) -> u64 {
        self.story(name).version
    }

    /// How many writes were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// How many writes were not.
    pub(crate) fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// How many reads were judged.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    fn offend(&self, name: usize, story: &Story, what: &str) {
        let mut text = format!("{}: {what}; its last writes:", self.names[name]);
        let first = story.attempts.len().saturating_sub(WRITES_SHOWN_MAX);
        for attempt in &story.attempts[first..] {
            let kind = if attempt.is_delete { "delete" } else { "put" };
            let _ = write!(text, "\n    {} {kind} {:?}", attempt.number, attempt.fate);
        }
        self.offends(text);
    }

    /// Notes that something is wrong.
    pub(crate) fn offends(&self, what: String) {
        self.offences.lock().unwrap().push(what);
    }

    pub(crate) fn has_offences(&self) -> bool {
        !self.offences.lock().unwrap().is_empty()
    }

    /// Fails the test if anything was wrong.
    #[track_caller]
    pub(crate) fn expect_no_offence(&self) {
        // Not kept locked while this fails: others look at it to know that they should stop.
        let offences = self.offences.lock().unwrap().clone();
        let shown = offences[..offences.len().min(OFFENCES_SHOWN_MAX)].join("\n");
        assert!(offences.is_empty(), "{} offences:\n{shown}", offences.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(number: u64) -> Seen {
        Seen::Value {
            number,
            version: number * 10,
        }
    }

    /// One name with a put that was acknowledged and one that was not.
    fn ledger(last: Fate) -> Ledger {
        let ledger = Ledger::new(1);
        let number = ledger.write_begins(0, false);
        ledger.write_ended(0, number, Fate::Acknowledged(number * 10));
        let number = ledger.write_begins(0, false);
        ledger.write_ended(0, number, last);
        ledger
    }

    fn is_fine(ledger: &Ledger, before: Before, seen: Seen) -> bool {
        ledger.read_ended(0, before, seen);
        let is_fine = !ledger.has_offences();
        ledger.offences.lock().unwrap().clear();
        is_fine
    }

    #[test]
    fn a_read_is_of_the_last_acknowledged_or_of_a_later_unanswered_write() {
        let ledger = ledger(Fate::Unanswered);
        let before = ledger.read_begins(0);
        assert!(!is_fine(&ledger, before, Seen::Nothing));
        assert!(!is_fine(&ledger, before, value(3)));
        assert!(is_fine(&ledger, before, value(1)));
        assert!(is_fine(&ledger, before, value(2)));
        // Now that it has been read, it has taken effect.
        assert!(is_fine(&ledger, before, value(1)), "began before");
        assert!(!is_fine(&ledger, ledger.read_begins(0), value(1)));
    }

    #[test]
    fn an_unanswered_write_is_over_when_a_later_one_is_acknowledged_unless_it_may_come_late() {
        for (fate, expected) in [(Fate::Unanswered, false), (Fate::MayComeLate, true)] {
            let ledger = ledger(fate);
            let number = ledger.write_begins(0, true);
            ledger.write_ended(0, number, Fate::Acknowledged(30));
            let before = ledger.read_begins(0);
            assert!(is_fine(&ledger, before, Seen::Nothing));
            assert_eq!(is_fine(&ledger, before, value(2)), expected);
            assert!(!is_fine(&ledger, before, value(1)));
        }
    }

    #[test]
    fn a_delete_that_did_nothing_explains_nothing_and_versions_grow() {
        let ledger = ledger(Fate::Acknowledged(20));
        let number = ledger.write_begins(0, true);
        ledger.write_ended(0, number, Fate::DidNothing);
        assert!(!is_fine(&ledger, ledger.read_begins(0), Seen::Nothing));
        let other = Seen::Value {
            number: 2,
            version: 21,
        };
        assert!(!is_fine(&ledger, ledger.read_begins(0), other));
        let number = ledger.write_begins(0, false);
        ledger.write_ended(0, number, Fate::Acknowledged(20));
        assert!(ledger.has_offences());
    }
}
