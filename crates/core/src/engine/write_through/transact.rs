//! Judging writes in the database although it may refuse some of them, or another
//! transaction may have locked their rows.

use std::collections::HashSet;

use crate::engine::Outcome;
use crate::engine::lock_search::{LockSearch, Split};
use crate::engine::write_through::fate::{Fate, persisted};
use crate::error::Error;
use crate::model::epoch::Epoch;
use crate::model::record::Key;
use crate::store::{Proposal, Store, Verdict};

/// What becomes of each proposal: of all in one transaction, unless some of it is
/// refused or locked.
pub(super) async fn transact(
    store: &dyn Store,
    proposals: &[Proposal],
    fence: Option<Epoch>,
) -> Vec<Fate> {
    let mut fates = vec![Fate::Open; proposals.len()];
    let mut search = LockSearch::new(store);
    // Places among the proposals, in their order; the first part is the last one.
    let mut parts: Vec<Vec<usize>> = vec![(0..proposals.len()).collect()];
    while let Some(mut places) = parts.pop() {
        let part = places.iter().filter_map(|place| proposals.get(*place));
        let part: Vec<Proposal> = part.cloned().collect();
        if part.is_empty() {
            continue;
        }
        if search.is_over() {
            end(&mut fates, &places, &Fate::Locked);
            continue;
        }
        match store.transact(&part, fence).await {
            Ok(verdicts) => {
                for (place, verdict) in places.iter().zip(verdicts) {
                    end(&mut fates, &[*place], &judged(verdict));
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
                        end(&mut fates, &locked, &Fate::Locked);
                        parts.push(rest);
                    }
                    Ok(Split::Apart(keys)) => {
                        let (apart, rest) = divide(&places, proposals, &keys);
                        parts.extend([apart, rest]);
                    }
                    Err(error) => end(&mut fates, &places, &Fate::Decided(Err(error))),
                }
            }
            Err(Error::Fenced) => end(&mut fates, &places, &Fate::Open),
            Err(error) => end(&mut fates, &places, &Fate::Decided(Err(error))),
        }
    }
    fates
}

fn end(fates: &mut [Fate], places: &[usize], fate: &Fate) {
    for place in places {
        if let Some(place) = fates.get_mut(*place) {
            *place = fate.clone();
        }
    }
}

fn judged(verdict: Verdict) -> Fate {
    match verdict {
        Verdict::Written(version) => Fate::Decided(Ok(persisted(version))),
        Verdict::ConditionFailed => Fate::Decided(Ok(Outcome::ConditionFailed)),
        Verdict::Superseded => Fate::Open,
    }
}

/// The places of the proposals for `keys`, and the others.
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
