//! Of a history that is not linearizable, the few operations that show it.

use super::claims::Claims;
use super::operation::{Operation, Outcome};
use super::report::Offence;
use super::search::{Answer, search};

/// Up to how many writes that may take place anywhere are shown too.
const ELSEWHERE_SHOWN_MAX: usize = 3;

/// How many searches it may take to make a counterexample small.
const SEARCHES_MAX: u32 = 400;

/// Weakens as many operations as can be, since what stays wrong then is not their fault, and shows those
/// that are left, with the puts whose values they saw.
pub(super) fn counterexample(operations: &[Operation], claims: &Claims, budget: u64) -> Offence {
    let places = (0..operations.len()).filter(|place| operations[*place].is_strong());
    // Those that change nothing first: a write that is weak can take the place of a read.
    let (idle, writes): (Vec<usize>, Vec<usize>) =
        places.partition(|place| operations[*place].weakened().outcome == Outcome::Failed);
    let mut reduction = Reduction {
        history: operations.to_vec(),
        claims,
        budget,
        searches_left: SEARCHES_MAX,
    };
    let idle = reduction.weaken(idle);
    let writes = reduction.weaken(writes);
    // Some may have become needless.
    let idle = reduction.weaken(idle);
    let strong = [idle, writes].concat();
    shown(operations, &reduction.history, claims, strong)
}

struct Reduction<'a> {
    history: Vec<Operation>,
    claims: &'a Claims,
    // For all searches together.
    budget: u64,
    searches_left: u32,
}

impl Reduction<'_> {
    /// Weakens what it can, in ever smaller pieces, from the end, so that what is left is the earliest that is
    /// wrong. Returns what has to stay as it is.
    fn weaken(&mut self, mut strong: Vec<usize>) -> Vec<usize> {
        let mut length = strong.len().div_ceil(2);
        while !strong.is_empty() && self.searches_left > 0 {
            let before = strong.len();
            let mut end = strong.len();
            while end > 0 && self.searches_left > 0 {
                let start = end.saturating_sub(length);
                if self.stays_wrong_without(&strong[start..end]) {
                    strong.drain(start..end);
                }
                end = start;
            }
            if length == 1 && strong.len() == before {
                break;
            }
            length = length.div_ceil(2);
        }
        strong
    }

    fn stays_wrong_without(&mut self, places: &[usize]) -> bool {
        let mut weaker = self.history.clone();
        for &place in places {
            weaker[place] = weaker[place].weakened();
        }
        self.searches_left -= 1;
        let is_wrong = search(&weaker, self.claims, &mut self.budget) == Answer::Violated;
        if is_wrong {
            self.history = weaker;
        }
        is_wrong
    }
}

fn shown(
    operations: &[Operation],
    weakened: &[Operation],
    claims: &Claims,
    mut places: Vec<usize>,
) -> Offence {
    let needed: Vec<usize> = places
        .iter()
        .flat_map(|place| {
            let operation = &operations[*place];
            let asked = claims.asked_for(operation.condition());
            [operation.seen(), asked].into_iter().flatten()
        })
        .filter_map(|value| claims.writer(value))
        .collect();
    places.extend(needed);
    places.sort_unstable();
    places.dedup();
    let is_elsewhere =
        |place: &usize| weakened[*place].outcome == Outcome::Unknown && !places.contains(place);
    let elsewhere: Vec<usize> = (0..operations.len()).filter(is_elsewhere).collect();
    let mut what = "no order explains these answers".to_owned();
    if elsewhere.len() <= ELSEWHERE_SHOWN_MAX {
        places.extend(elsewhere);
    } else {
        what += &format!(
            ", wherever after their invocations {} other writes take place, or if they never do",
            elsewhere.len()
        );
    }
    Offence::of(&what, operations, places)
}
