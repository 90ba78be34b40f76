//! The versions that one process has appended to a shard and does not know to be
//! in the database: which acknowledged writes are lost if their stream is.

use std::collections::VecDeque;

use crate::model::version::Version;

/// Ranges of versions without gaps, from the oldest to the newest. A batch is one
/// range, and the journal's bound bounds how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending(VecDeque<(u64, u64)>);

impl Pending {
    /// Adds a version. The answers of batches that were under way at the same time come in any
    /// order, so it may be a little older than others.
    pub(super) fn push(&mut self, version: Version) {
        let version = version.get();
        let newer = self
            .0
            .iter()
            .rev()
            .take_while(|(first, _)| *first > version);
        let place = self.0.len() - newer.count();
        let before = place.checked_sub(1).and_then(|place| self.0.get_mut(place));
        match before {
            Some((_, last)) if *last >= version => return,
            Some((_, last)) if *last + 1 == version => *last = version,
            _ => {
                self.0.insert(place, (version, version));
                return self.join(place);
            }
        }
        self.join(place - 1);
    }

    /// Makes one range of the one at `place` and the next one where no gap is between them.
    fn join(&mut self, place: usize) {
        let (Some(&(_, last)), Some(&(first, newest))) = (self.0.get(place), self.0.get(place + 1))
        else {
            return;
        };
        if last + 1 == first {
            self.0.remove(place + 1);
            if let Some(joined) = self.0.get_mut(place) {
                joined.1 = newest;
            }
        }
    }

    /// Forgets all up to and including `through`.
    pub(super) fn drained(&mut self, through: Version) {
        let through = through.get();
        while let Some((first, last)) = self.0.front_mut() {
            if *last > through {
                *first = (*first).max(through + 1);
                return;
            }
            self.0.pop_front();
        }
    }

    pub(super) fn contains(&self, version: Version) -> bool {
        let version = version.get();
        let place = self.0.partition_point(|(_, last)| *last < version);
        self.0
            .get(place)
            .is_some_and(|(first, _)| *first <= version)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    pub(super) fn oldest(&self) -> Option<Version> {
        self.0.front().and_then(|(first, _)| Version::new(*first))
    }

    pub(super) fn newest(&self) -> Option<Version> {
        self.0.back().and_then(|(_, last)| Version::new(*last))
    }

    /// Takes those back in front that were taken away, all older than these.
    pub(super) fn put_back(&mut self, mut older: Pending) {
        for (first, last) in self.0.drain(..) {
            match older.0.back_mut() {
                Some((_, before)) if *before + 1 == first => *before = last,
                _ => older.0.push_back((first, last)),
            }
        }
        *self = older;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64) -> Version {
        Version::new(number).unwrap()
    }

    fn pending(versions: impl IntoIterator<Item = u64>) -> Pending {
        let mut pending = Pending::default();
        for number in versions {
            pending.push(version(number));
        }
        pending
    }

    #[test]
    fn a_batch_is_one_range_and_a_drain_cuts_it() {
        let mut all = pending((10..20).chain(30..35));
        assert_eq!((all.0.len(), all.count()), (2, 15));
        assert!(all.contains(version(30)) && !all.contains(version(25)));
        all.drained(version(14));
        assert_eq!((all.oldest(), all.count()), (Some(version(15)), 10));
        all.drained(version(29));
        assert_eq!(all, pending(30..35));
        all.drained(version(40));
        assert_eq!((all.count(), all.oldest()), (0, None));
    }

    #[test]
    fn batches_may_be_answered_in_any_order() {
        let all = pending(
            (20..23)
                .chain(10..12)
                .chain(30..31)
                .chain(15..20)
                .chain(11..15),
        );
        assert_eq!(all, pending((10..23).chain(30..31)));
        assert_eq!(all.0.len(), 2);
        assert_eq!(pending([7, 5, 6, 5]), pending(5..8));
    }

    #[test]
    fn what_is_put_back_comes_before_what_came_meanwhile() {
        let mut new = pending(20..22);
        new.put_back(pending([5, 18, 19]));
        assert_eq!(new, pending([5, 18, 19, 20, 21]));
        new.push(version(19));
        assert_eq!(new.count(), 5);
    }
}
