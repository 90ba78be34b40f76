//! Of a history that is not linearizable, the few operations that show it.

use super::claims::Claims;
use super::operation::{Nanos, Operation, Outcome};
use super::report::Offence;
use super::search::{Answer, search};
use super::steps::AtFirst;

/// Up to how many writes that may take place anywhere are shown too.
const ELSEWHERE_SHOWN_MAX: usize = 3;

/// How many searches it may take to make a counterexample small.
const SEARCHES_MAX: u32 = 400;

/// Weakens as many operations as can be, since what stays wrong then is not their fault, and shows those
/// that are left, with the puts whose values they saw.
pub(super) fn counterexample(operations: &[Operation], claims: &Claims, budget: u64) -> Offence {
    let mut reduction = Reduction {
        history: operations.to_vec(),
        at_first: AtFirst::Nothing,
        claims,
        budget,
        searches_left: SEARCHES_MAX,
    };
    reduction.cut_end();
    reduction.cut_beginning();
    // Those that change nothing first: a write that is weak can take the place of a read.
    let places = (0..operations.len()).filter(|place| reduction.history[*place].is_strong());
    let (idle, writes): (Vec<usize>, Vec<usize>) =
        places.partition(|place| operations[*place].weakened().outcome == Outcome::Failed);
    let idle = reduction.weaken(idle);
    let writes = reduction.weaken(writes);
    // Some may have become needless.
    let idle = reduction.weaken(idle);
    let strong = [idle, writes].concat();
    shown(operations, &reduction, strong)
}

struct Reduction<'a> {
    history: Vec<Operation>,
    at_first: AtFirst,
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
        self.stays_wrong(weaker, self.at_first)
    }

    fn stays_wrong(&mut self, weaker: Vec<Operation>, at_first: AtFirst) -> bool {
        let Some(left) = self.searches_left.checked_sub(1) else {
            return false;
        };
        self.searches_left = left;
        let answer = search(&weaker, self.claims, at_first, &mut self.budget);
        if answer == Answer::Violated {
            self.history = weaker;
            self.at_first = at_first;
        }
        answer == Answer::Violated
    }

    /// Leaves out all that came after the first instant at which it was wrong.
    fn cut_end(&mut self) {
        let instants = self.instants(|operation| operation.completed);
        let (mut right, mut wrong) = (0, instants.len());
        while right + 1 < wrong {
            let middle = usize::midpoint(right, wrong);
            let end = instants[middle];
            let cut = self.history.iter().map(|operation| match operation {
                late if late.invoked > end => late.left_out(),
                open if open.completed > end => open.weakened(),
                over => *over,
            });
            match self.stays_wrong(cut.collect(), self.at_first) {
                true => wrong = middle,
                false => right = middle,
            }
        }
    }

    /// Leaves out all that came before the last instant from which it is wrong, whatever there was then.
    fn cut_beginning(&mut self) {
        let instants = self.instants(|operation| operation.invoked);
        let (mut wrong, mut right) = (0, instants.len());
        while wrong + 1 < right {
            let middle = usize::midpoint(wrong, right);
            let start = instants[middle];
            let cut = self.history.iter().map(|operation| match operation {
                unknown if unknown.outcome == Outcome::Unknown => *unknown,
                over if over.completed < start => over.left_out(),
                open if open.invoked < start => open.weakened(),
                later => *later,
            });
            match self.stays_wrong(cut.collect(), AtFirst::Anything) {
                true => wrong = middle,
                false => right = middle,
            }
        }
    }

    fn instants(&self, of: fn(&Operation) -> Nanos) -> Vec<Nanos> {
        let mut instants: Vec<Nanos> = self.history.iter().map(of).collect();
        instants.sort_unstable();
        instants.dedup();
        instants
    }
}

fn shown(operations: &[Operation], reduction: &Reduction<'_>, mut places: Vec<usize>) -> Offence {
    let claims = reduction.claims;
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
    let is_elsewhere = |place: &usize| {
        reduction.history[*place].outcome == Outcome::Unknown && !places.contains(place)
    };
    let elsewhere: Vec<usize> = (0..operations.len()).filter(is_elsewhere).collect();
    let mut what = "no order explains these answers".to_owned();
    if reduction.at_first == AtFirst::Anything {
        what += ", whatever there was before";
    }
    if elsewhere.len() <= ELSEWHERE_SHOWN_MAX {
        places.extend(elsewhere);
    } else {
        what += &format!(
            ", nor do {} other writes that may have taken place at any time after their invocations",
            elsewhere.len()
        );
    }
    Offence::of(&what, operations, places)
}
