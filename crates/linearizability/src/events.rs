//! The beginnings and ends of steps in the order of time.

use super::operation::Nanos;
use super::steps::{NO_DEADLINE, Steps};

/// What happens at an instant, with the step's place among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// From now on the step may take place.
    Begins(usize),
    /// By now it has.
    Ends(usize),
}

/// All of them. At the same instant, beginnings come first: such steps overlap.
pub(super) fn in_order(steps: &Steps) -> Vec<Event> {
    let mut events: Vec<(Nanos, Event)> = Vec::with_capacity(2 * steps.all.len());
    for (index, step) in steps.all.iter().enumerate() {
        events.push((step.invoked, Event::Begins(index)));
        if step.deadline != NO_DEADLINE {
            events.push((step.deadline, Event::Ends(index)));
        }
    }
    events.sort_unstable();
    events.into_iter().map(|(_, event)| event).collect()
}
