//! Histories of what clients asked and were answered, and whether a register that does one thing at a time
//! could have answered so.
//!
//! A [`recorder`] notes every operation with the instants between which it was under way. [`check`] then looks,
//! name by name, for an order in which the operations can have taken place one after the other, each between
//! its two instants, so that every answer is right: the history is *linearizable* when there is one. A write
//! of unknown outcome has no second instant, and may also be left out.

#![allow(
    clippy::indexing_slicing,
    reason = "a checker that fails ends the test, and says why"
)]

mod check;
mod claims;
mod events;
mod front;
mod operation;
pub mod recorder;
mod reduction;
mod report;
mod search;
mod steps;
mod versions;

#[cfg(test)]
mod atomic_register;
#[cfg(test)]
mod brute_force;
#[cfg(test)]
mod generated_tests;
#[cfg(test)]
mod right_tests;
#[cfg(test)]
mod story;
#[cfg(test)]
mod wrong_tests;

pub use check::{Budget, check, check_since};
pub use operation::{Action, Condition, Nanos, Operation, Outcome, Seen, Value, Version};
pub use report::{Finding, Offence};
