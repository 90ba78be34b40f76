//! The history of one name as the search wants it: the state is a letter, and every operation that says
//! something is a step which needs one state and may leave another.

use std::collections::HashMap;

use super::claims::Claims;
use super::operation::{Action, Condition, Nanos, Operation, Outcome, Value};

/// A state of a name: nothing, some value that was never read, or one of the values that were read.
pub(super) type Letter = u32;

/// There is no value.
pub(super) const NOTHING: Letter = 0;
/// There is a value, which nothing in the history tells from others.
pub(super) const UNSEEN: Letter = 1;
/// A state that never is: that of a version which no value has.
const NEVER: Letter = Letter::MAX;
const FIRST_SEEN: Letter = 2;

/// The deadline of a step that need not ever take place.
pub(super) const NO_DEADLINE: Nanos = Nanos::MAX;

/// What the state has to be for a step to take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Anything,
    Nothing,
    Value,
    Is(Letter),
    IsNot(Letter),
}

impl Need {
    /// Whether no state will do.
    pub(super) fn is_hopeless(self) -> bool {
        self == Need::Is(NEVER)
    }

    pub(super) fn holds(self, state: Letter) -> bool {
        match self {
            Need::Anything => true,
            Need::Nothing => state == NOTHING,
            Need::Value => state != NOTHING,
            Need::Is(letter) => state == letter,
            Need::IsNot(letter) => state != letter,
        }
    }
}

/// Steps that do the same under the same condition, so that it does not matter which of them is taken, but
/// for their deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alike {
    Put,
    PutIfNothing,
    Delete,
}

impl Alike {
    pub(super) const ALL: [Alike; 3] = [Alike::Put, Alike::PutIfNothing, Alike::Delete];

    /// What the step needs, and the state that it leaves.
    pub(super) fn effect(self) -> (Need, Letter) {
        match self {
            Alike::Put => (Need::Anything, UNSEEN),
            Alike::PutIfNothing => (Need::Nothing, UNSEEN),
            Alike::Delete => (Need::Value, NOTHING),
        }
    }
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Not before.
    pub(super) invoked: Nanos,
    /// Not after, or [`NO_DEADLINE`].
    pub(super) deadline: Nanos,
    pub(super) need: Need,
    /// The state that it leaves; `None` for the one that it finds.
    pub(super) leaves: Option<Letter>,
}

impl Step {
    /// Which steps it is interchangeable with.
    pub(super) fn alike(&self) -> Option<Alike> {
        let same =
            |alike: &Alike| Some(alike.effect()) == self.leaves.map(|left| (self.need, left));
        Alike::ALL.into_iter().find(same)
    }
}

/// All steps, and when each state was last asked for.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) all: Vec<Step>,
    /// By letter: the last instant at which a step was invoked that needs just this state.
    pub(super) last_needed: HashMap<Letter, Nanos>,
    /// By letter: the step that leaves it.
    pub(super) writer_of: HashMap<Letter, usize>,
    /// In which states the name may be at first.
    pub(super) at_first: Vec<Letter>,
}

/// What is known of a name when its history begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtFirst {
    /// That there is no value.
    Nothing,
    /// Nothing is known.
    Anything,
}

impl Steps {
    pub(super) fn of(operations: &[Operation], claims: &Claims, at_first: AtFirst) -> Steps {
        let letters = letters(operations, claims);
        let letter = |value: Option<Value>| match value {
            Some(value) => letters.get(&value).copied().unwrap_or(UNSEEN),
            None => NEVER,
        };
        let deadlines = deadlines(operations, claims);
        let mut all = Vec::with_capacity(operations.len());
        for (index, operation) in operations.iter().enumerate() {
            let need = match (operation.action, operation.condition()) {
                (Action::Read, _) => match operation.seen() {
                    None => Need::Nothing,
                    seen => Need::Is(letter(seen)),
                },
                (_, Condition::IfMatch(_)) => {
                    Need::Is(letter(claims.asked_for(operation.condition())))
                }
                (_, Condition::IfNoneMatch) => Need::Nothing,
                (Action::Delete(_), Condition::Always) => Need::Value,
                (Action::Put(..), Condition::Always) => Need::Anything,
            };
            let leaves = match operation.action {
                Action::Read => None,
                Action::Put(value, _) => Some(letter(Some(value))),
                Action::Delete(_) => Some(NOTHING),
            };
            let mut step = Step {
                invoked: operation.invoked,
                deadline: deadlines[index],
                need,
                leaves,
            };
            match operation.outcome {
                Outcome::Failed => continue,
                Outcome::Unknown if operation.action == Action::Read => continue,
                Outcome::NotMet => {
                    step.leaves = None;
                    step.need = match need {
                        Need::Anything => Need::Is(NEVER),
                        Need::Nothing => Need::Value,
                        Need::Value => Need::Nothing,
                        Need::Is(letter) => Need::IsNot(letter),
                        Need::IsNot(letter) => Need::Is(letter),
                    };
                }
                _ => {}
            }
            if let (Action::Read, Some(value)) = (operation.action, operation.seen())
                && let Some(writer) = claims.writer(value)
            {
                // It saw the value after that was put, so it may as well have been asked then.
                step.invoked = step.invoked.max(operations[writer].invoked);
            }
            all.push(step);
        }
        let mut last_needed = HashMap::new();
        for step in &all {
            if let Need::Is(letter) = step.need
                && step.deadline != NO_DEADLINE
            {
                let last: &mut Nanos = last_needed.entry(letter).or_default();
                *last = step.invoked.max(*last);
            }
        }
        let writers = all.iter().enumerate();
        let writer_of: HashMap<Letter, usize> = writers
            .filter_map(|(index, step)| Some((step.leaves?, index)))
            .filter(|(letter, _)| *letter >= FIRST_SEEN)
            .collect();
        let written_before = (FIRST_SEEN..FIRST_SEEN + letters.len() as Letter)
            .filter(|letter| !writer_of.contains_key(letter));
        let at_first = match at_first {
            AtFirst::Nothing => vec![NOTHING],
            AtFirst::Anything => written_before.chain([NOTHING, UNSEEN]).collect(),
        };
        Steps {
            all,
            last_needed,
            writer_of,
            at_first,
        }
    }
}

/// A letter for each value that a read saw or an `If-Match` asks for.
fn letters(operations: &[Operation], claims: &Claims) -> HashMap<Value, Letter> {
    let mut letters = HashMap::new();
    let asked = |operation: &Operation| claims.asked_for(operation.condition());
    let answered = operations
        .iter()
        .filter(|operation| operation.outcome != Outcome::Failed);
    for value in answered
        .flat_map(|operation| [operation.seen(), asked(operation)])
        .flatten()
    {
        let next = FIRST_SEEN + letters.len() as Letter;
        letters.entry(value).or_insert(next);
    }
    letters
}

/// By when each operation has taken place: when it was answered, and a put also when a read that saw its
/// value was answered.
fn deadlines(operations: &[Operation], claims: &Claims) -> Vec<Nanos> {
    let mut deadlines: Vec<Nanos> = operations
        .iter()
        .map(|operation| match operation.outcome {
            Outcome::Unknown => NO_DEADLINE,
            _ => operation.completed,
        })
        .collect();
    for operation in operations {
        let seen = match operation.outcome {
            Outcome::Done(_) => claims.asked_for(operation.condition()),
            _ => operation.seen(),
        };
        if let Some(writer) = seen.and_then(|value| claims.writer(value)) {
            deadlines[writer] = deadlines[writer].min(operation.completed);
        }
    }
    deadlines
}
