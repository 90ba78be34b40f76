//! Entity tags: one for each value, and never an older one after a newer.

use std::collections::HashMap;

use super::operation::{Action, Operation, Outcome};
use super::report::Offence;

/// The first operation of one name whose version contradicts another's, if there is one.
///
/// An operation that began after another one had completed does not have an older version, and the same one
/// only if it is a read. This is true of every linearizable history whose versions grow with each write, and
/// is told by far fewer operations than the search needs.
pub(super) fn offence(operations: &[Operation]) -> Option<Offence> {
    one_version_a_value(operations).or_else(|| versions_grow(operations))
}

fn one_version_a_value(operations: &[Operation]) -> Option<Offence> {
    let mut of_value = HashMap::new();
    let mut of_version = HashMap::new();
    for (index, operation) in operations.iter().enumerate() {
        let Some(version) = operation.version() else {
            continue;
        };
        // A delete writes none.
        let value = operation.seen().or(operation.put());
        let (known_value, other) = *of_version.entry(version).or_insert((value, index));
        if known_value != value {
            let what = "two writes have one version";
            return Some(Offence::of(what, operations, [other, index]));
        }
        if value.is_none() && other != index {
            let what = "two deletes have one version";
            return Some(Offence::of(what, operations, [other, index]));
        }
        let Some(value) = value else { continue };
        let (known_version, other) = *of_value.entry(value).or_insert((version, index));
        if known_version != version {
            let what = "one value has two versions";
            return Some(Offence::of(what, operations, [other, index]));
        }
    }
    None
}

fn versions_grow(operations: &[Operation]) -> Option<Offence> {
    let with_version = || {
        let places = 0..operations.len();
        places.filter_map(|place| Some((place, operations[place].version()?)))
    };
    let mut by_completion: Vec<_> = with_version().collect();
    by_completion.sort_by_key(|(place, _)| operations[*place].completed);
    let mut by_invocation: Vec<_> = with_version().collect();
    by_invocation.sort_by_key(|(place, _)| operations[*place].invoked);
    let mut completed = by_completion.into_iter().peekable();
    // Of those that had completed, the one with the newest version.
    let mut newest: Option<(usize, u64)> = None;
    for (place, version) in by_invocation {
        let operation = &operations[place];
        while let Some(earlier) =
            completed.next_if(|(earlier, _)| operations[*earlier].completed < operation.invoked)
        {
            if newest.is_none_or(|(_, newest)| earlier.1 > newest) {
                newest = Some(earlier);
            }
        }
        let Some((earlier, known)) = newest else {
            continue;
        };
        let is_older = match operation.action {
            Action::Read => version < known,
            _ => version <= known && matches!(operation.outcome, Outcome::Done(_)),
        };
        if is_older {
            let what = "a later operation has an older version";
            return Some(Offence::of(what, operations, [earlier, place]));
        }
    }
    None
}
