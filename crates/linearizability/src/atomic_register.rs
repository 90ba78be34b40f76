//! Histories that a register had: it does one thing at a time, while its clients believe that many were under
//! way.

use proptest::collection::vec;
use proptest::prelude::*;

use super::operation::{Action, Condition, Nanos, Operation, Outcome, Seen, Version};

/// How one operation is to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) kind: u8,
    /// How long before it takes place it is invoked, and how long after that it completes.
    pub(super) around: [Nanos; 2],
    /// Whether its client gets no answer.
    pub(super) is_unanswered: bool,
    /// Whether one without an answer takes place at all.
    pub(super) takes_place: bool,
    /// How many versions ago that was which an `If-Match` names.
    pub(super) age: usize,
}

/// Plans for so many operations at most.
pub(super) fn plans(most: usize) -> impl Strategy<Value = Vec<Plan>> {
    let around = [0..40_u64, 0..40_u64];
    let one = (0..12_u8, around, 0..8_u8, any::<bool>(), 0..3_usize);
    let one = one.prop_map(|(kind, around, unanswered, takes_place, age)| Plan {
        kind,
        around,
        is_unanswered: unanswered == 0,
        takes_place,
        age,
    });
    vec(one, 1..=most)
}

/// Lets a register go through the plans in their order, each at an instant of its own.
pub(super) fn history(plans: &[Plan]) -> Vec<Operation> {
    let mut held: Option<Seen> = None;
    let mut version: Version = 1_000;
    // What a client can ask for.
    let mut answered: Vec<Version> = vec![version];
    let places = (1_u64..).zip(plans);
    let operations = places.map(|(number, plan)| {
        let instant = 100 + number * 10;
        let named = answered[(answered.len() - 1).saturating_sub(plan.age)];
        let action = match plan.kind {
            0..5 => Action::Read,
            5..8 => Action::Put(number, Condition::Always),
            8 => Action::Put(number, Condition::IfNoneMatch),
            9 => Action::Put(number, Condition::IfMatch(named)),
            10 => Action::Delete(Condition::IfMatch(named)),
            _ => Action::Delete(Condition::Always),
        };
        let is_there = held.is_some();
        let matches = |wanted| held.is_some_and(|held| held.version == Some(wanted));
        let is_met = match action {
            Action::Read => true,
            Action::Put(_, Condition::Always) => true,
            Action::Put(_, Condition::IfNoneMatch) => !is_there,
            Action::Delete(Condition::Always | Condition::IfNoneMatch) => is_there,
            Action::Put(_, Condition::IfMatch(wanted))
            | Action::Delete(Condition::IfMatch(wanted)) => matches(wanted),
        };
        let takes_place = is_met && (!plan.is_unanswered || plan.takes_place);
        let answer = match action {
            Action::Read => Outcome::Saw(held),
            _ if is_met => Outcome::Done(Some(version + 1)),
            _ => Outcome::NotMet,
        };
        if takes_place && action != Action::Read {
            version += 1;
            held = match action {
                Action::Put(value, _) => Some(Seen {
                    value,
                    version: Some(version),
                }),
                _ => None,
            };
        }
        let outcome = match plan.is_unanswered {
            true => Outcome::Unknown,
            false => answer,
        };
        let operation = Operation {
            client: number as usize,
            action,
            invoked: instant - plan.around[0],
            completed: instant + plan.around[1],
            outcome,
        };
        answered.extend(operation.version());
        operation
    });
    operations.collect()
}
