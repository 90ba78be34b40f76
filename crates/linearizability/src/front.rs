//! The set of all that may be true of a name at an instant.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::steps::{Alike, Letter};

/// How many steps that need not take place have, by [`Alike`].
pub(super) type Used = [u32; Alike::ALL.len()];

/// One way in which things may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) state: Letter,
    /// A bit for each step under way: whether it has taken place.
    pub(super) done: u128,
    pub(super) used: Used,
}

/// Ways, without those to which another one is preferable: the same state by fewer of the steps that need
/// not take place, which can still take place then.
#[derive(Debug, Default)]
pub(super) struct Front {
    ways: HashMap<(Letter, u128), Vec<Used>>,
}

impl Front {
    /// Adds a way; `false` when there is one already that is as good.
    pub(super) fn insert(&mut self, way: Way) -> bool {
        match self.ways.entry((way.state, way.done)) {
            Entry::Vacant(vacant) => {
                vacant.insert(vec![way.used]);
                true
            }
            Entry::Occupied(mut known) => {
                if known.get().iter().any(|used| is_within(used, &way.used)) {
                    return false;
                }
                known.get_mut().retain(|used| !is_within(&way.used, used));
                known.get_mut().push(way.used);
                true
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Way> + '_ {
        self.ways.iter().flat_map(|(&(state, done), all)| {
            all.iter().map(move |&used| Way { state, done, used })
        })
    }
}

impl FromIterator<Way> for Front {
    fn from_iter<T: IntoIterator<Item = Way>>(ways: T) -> Self {
        let mut front = Front::default();
        for way in ways {
            front.insert(way);
        }
        front
    }
}

fn is_within(fewer: &Used, more: &Used) -> bool {
    fewer.iter().zip(more).all(|(fewer, more)| fewer <= more)
}
