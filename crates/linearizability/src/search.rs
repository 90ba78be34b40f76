//! The search for an order: all ways in which things may stand are carried through the history, from event to
//! event (Wing and Gong's search, as Lowe's just-in-time linearization does it). Where no way is left, there is
//! no order.
//!
//! What keeps the ways few:
//!
//! - A step takes place only when another one, which ends, needs it. One that changes nothing takes place as
//!   soon as it can.
//! - A value is written once, so a state is not left while a later read will see it.
//! - Of steps that do the same, the one whose deadline is nearest takes place first. Those without a deadline
//!   are counted only, and the way that has used fewer is as good as all that have used more.

use super::claims::Claims;
use super::events::{Event, in_order};
use super::front::{Front, Way};
use super::operation::{Nanos, Operation};
use super::steps::{Alike, AtFirst, NO_DEADLINE, Need, Step, Steps};

/// How many steps with a deadline may be under way at once: the bits of [`Way::done`].
const SLOTS: usize = u128::BITS as usize;

/// What the search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is an order.
    Linearizable,
    /// There is none.
    Violated,
    /// The budget was spent before it could be told.
    Undecided,
}

/// Searches; each way that is looked at takes one from `budget`.
pub(super) fn search(
    operations: &[Operation],
    claims: &Claims,
    at_first: AtFirst,
    budget: &mut u64,
) -> Answer {
    let steps = Steps::of(operations, claims, at_first);
    let mut search = Search {
        steps: &steps,
        ways: steps
            .at_first
            .iter()
            .map(|state| Way {
                state: *state,
                done: 0,
                used: [0; Alike::ALL.len()],
            })
            .collect(),
        slots: vec![None; steps.all.len()],
        is_over: vec![false; steps.all.len()],
        at: Vec::new(),
        without_deadline: [0; Alike::ALL.len()],
        now: 0,
        budget,
    };
    for event in in_order(&steps) {
        let outcome = match event {
            Event::Begins(index) => search.begins(index),
            Event::Ends(index) => search.ends(index),
        };
        if let Err(answer) = outcome {
            return answer;
        }
    }
    Answer::Linearizable
}

struct Search<'a> {
    steps: &'a Steps,
    ways: Front,
    /// By step: its bit, while it is under way.
    slots: Vec<Option<usize>>,
    /// By step: whether it has taken place in every way.
    is_over: Vec<bool>,
    /// By bit: the step.
    at: Vec<Option<usize>>,
    /// By [`Alike`]: how many have begun that need not take place.
    without_deadline: [u32; Alike::ALL.len()],
    now: Nanos,
    budget: &'a mut u64,
}

impl Search<'_> {
    fn begins(&mut self, index: usize) -> Result<(), Answer> {
        let step = self.steps.all[index];
        self.now = step.invoked;
        if step.deadline == NO_DEADLINE
            && let Some(alike) = step.alike()
        {
            self.without_deadline[alike as usize] += 1;
            return Ok(());
        }
        if step.deadline == NO_DEADLINE && step.need.is_hopeless() {
            return Ok(());
        }
        let slot = self.free_slot()?;
        self.at[slot] = Some(index);
        self.slots[index] = Some(slot);
        if step.leaves.is_none() {
            self.ways = self
                .ways
                .iter()
                .map(|way| self.with_idle_steps(way))
                .collect();
        }
        Ok(())
    }

    fn free_slot(&mut self) -> Result<usize, Answer> {
        if let Some(free) = self.at.iter().position(Option::is_none) {
            return Ok(free);
        }
        if self.at.len() == SLOTS {
            return Err(Answer::Undecided);
        }
        self.at.push(None);
        Ok(self.at.len() - 1)
    }

    fn ends(&mut self, index: usize) -> Result<(), Answer> {
        // An answer needs it that came before it was invoked.
        let slot = self.slots[index].ok_or(Answer::Violated)?;
        self.now = self.steps.all[index].deadline;
        let bit = 1 << slot;
        let mut next = Front::default();
        let mut looked_at = Front::default();
        let mut to_look_at: Vec<Way> = self.ways.iter().collect();
        while let Some(way) = to_look_at.pop() {
            *self.budget = self.budget.checked_sub(1).ok_or(Answer::Undecided)?;
            if way.done & bit != 0 {
                next.insert(Way {
                    done: way.done & !bit,
                    ..way
                });
                continue;
            }
            for further in self.further(way) {
                if looked_at.insert(further) {
                    to_look_at.push(further);
                }
            }
        }
        if next.is_empty() {
            return Err(Answer::Violated);
        }
        self.ways = next;
        self.at[slot] = None;
        self.slots[index] = None;
        self.is_over[index] = true;
        self.retire();
        Ok(())
    }

    /// The way after each step that can take place next.
    fn further(&self, way: Way) -> Vec<Way> {
        let mut further = Vec::new();
        if self
            .steps
            .last_needed
            .get(&way.state)
            .is_some_and(|last| *last > self.now)
        {
            return further;
        }
        let under_way = || {
            let slots = self.at.iter().enumerate();
            slots.filter_map(|(slot, index)| Some((slot, self.steps.all[(*index)?])))
        };
        let is_open = |slot: usize| way.done & (1 << slot) == 0;
        // The one `If-Match` that has taken place on this value is what ended it.
        let needs_this = |step: &Step| {
            step.need == Need::Is(way.state)
                && step.deadline != NO_DEADLINE
                && step.leaves.is_some()
        };
        let ended_by = under_way().find(|(slot, step)| is_open(*slot) && needs_this(step));
        let mut go = |slot: Option<usize>, step: (Need, u32), used: Option<Alike>| {
            let is_another = ended_by.is_some_and(|(ended_by, _)| Some(ended_by) != slot);
            if is_another || !step.0.holds(way.state) {
                return;
            }
            let mut next = way;
            next.state = step.1;
            next.done |= slot.map_or(0, |slot| 1 << slot);
            if let Some(alike) = used {
                next.used[alike as usize] += 1;
            }
            further.push(self.with_idle_steps(next));
        };
        let mut nearest: [Option<(Nanos, usize)>; Alike::ALL.len()] = Default::default();
        for (slot, step) in under_way().filter(|(slot, _)| is_open(*slot)) {
            let Some(leaves) = step.leaves else { continue };
            match step.alike() {
                None => go(Some(slot), (step.need, leaves), None),
                Some(alike) => {
                    let candidate = Some((step.deadline, slot));
                    let nearest = &mut nearest[alike as usize];
                    if nearest.is_none() || candidate < *nearest {
                        *nearest = candidate;
                    }
                }
            }
        }
        for alike in Alike::ALL {
            match nearest[alike as usize] {
                Some((_, slot)) => go(Some(slot), alike.effect(), None),
                None if way.used[alike as usize] < self.without_deadline[alike as usize] => {
                    go(None, alike.effect(), Some(alike));
                }
                None => {}
            }
        }
        further
    }

    /// The way with all steps done that change nothing and can take place now.
    fn with_idle_steps(&self, mut way: Way) -> Way {
        for (slot, index) in self.at.iter().enumerate() {
            let Some(index) = *index else { continue };
            let step = &self.steps.all[index];
            if step.leaves.is_none() && step.need.holds(way.state) {
                way.done |= 1 << slot;
            }
        }
        way
    }

    /// Frees the bits of steps without a deadline that have taken place in every way, or can in none any more,
    /// because the value that they need has come and gone.
    fn retire(&mut self) {
        for slot in 0..self.at.len() {
            let Some(index) = self.at[slot] else { continue };
            let bit = 1 << slot;
            let step = &self.steps.all[index];
            let is_done = || self.ways.iter().all(|way| way.done & bit != 0);
            if step.deadline == NO_DEADLINE && (is_done() || self.is_too_late(step)) {
                self.ways = self
                    .ways
                    .iter()
                    .map(|way| Way {
                        done: way.done & !bit,
                        ..way
                    })
                    .collect();
                self.at[slot] = None;
            }
        }
    }

    fn is_too_late(&self, step: &Step) -> bool {
        let Need::Is(letter) = step.need else {
            return false;
        };
        let writer = self.steps.writer_of.get(&letter);
        writer.is_some_and(|writer| self.is_over[*writer])
            && self.ways.iter().all(|way| way.state != letter)
    }
}
