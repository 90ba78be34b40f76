//! Judges writes in the database, also where the database refuses some of them, or where
//! another transaction has locked their rows.

use std::collections::HashSet;

use crate::engine::lock_search::{LockSearch, Split};
use crate::error::{Error, Result};
use crate::model::decision::Decision;
use crate::model::epoch::Epoch;
use crate::model::record::Key;
use crate::store::{Proposal, Store};

/// Returns what becomes of each proposal. All proposals go in one transaction, unless some are
/// refused or locked. A proposal of a locked row fails with [`Error::Locked`].
pub(super) async fn transact(
    store: &dyn Store,
    proposals: &[Proposal],
    fence: Option<Epoch>,
) -> Vec<Result<Decision>> {
    let mut decisions = vec![Ok(Decision::Retry); proposals.len()];
    let mut search = LockSearch::new(store);
    // Each part is a list of places among the proposals. The parts are a stack: the last one is
    // written first.
    let mut parts: Vec<Vec<usize>> = vec![(0..proposals.len()).collect()];
    while let Some(mut places) = parts.pop() {
        let part = places.iter().filter_map(|place| proposals.get(*place));
        let part: Vec<Proposal> = part.cloned().collect();
        if part.is_empty() {
            continue;
        }
        if search.is_over() {
            end(&mut decisions, &places, &Err(Error::Locked));
            continue;
        }
        match store.transact(&part, fence).await {
            Ok(judged) => {
                for (place, decision) in places.iter().zip(judged) {
                    end(&mut decisions, &[*place], &Ok(decision));
                }
            }
            Err(Error::Refused { .. }) if part.len() > 1 => {
                let rest = places.split_off(places.len() / 2);
                parts.extend([rest, places]);
            }
            Err(Error::Locked) => {
                let keys = part.iter().map(|proposal| proposal.write.key.clone());
                match search.split(keys).await {
                    Ok(Split::Again) => parts.push(places),
                    Ok(Split::Locked(keys)) => {
                        let (locked, rest) = divide(&places, proposals, &keys);
                        end(&mut decisions, &locked, &Err(Error::Locked));
                        parts.push(rest);
                    }
                    Ok(Split::Apart(keys)) => {
                        let (apart, rest) = divide(&places, proposals, &keys);
                        parts.extend([apart, rest]);
                    }
                    Err(error) => end(&mut decisions, &places, &Err(error)),
                }
            }
            Err(Error::Fenced) => end(&mut decisions, &places, &Ok(Decision::Retry)),
            Err(error) => end(&mut decisions, &places, &Err(error)),
        }
    }
    decisions
}

fn end(decisions: &mut [Result<Decision>], places: &[usize], decision: &Result<Decision>) {
    for place in places {
        if let Some(place) = decisions.get_mut(*place) {
            *place = decision.clone();
        }
    }
}

/// The places of the proposals for `keys`, and the other places.
fn divide(
    places: &[usize],
    proposals: &[Proposal],
    keys: &HashSet<Key>,
) -> (Vec<usize>, Vec<usize>) {
    places.iter().partition(|place| {
        let proposal = proposals.get(**place);
        proposal.is_some_and(|proposal| keys.contains(&proposal.write.key))
    })
}
