//! Histories: whatever happens to the services and their servers, what their clients are answered is what one
//! register for each name could have answered that does one thing at a time.
//!
//! Each test lets [`clients`] read, put and delete a few names, all of them at once and through any replica,
//! breaks something, mends it, and has the [history](linearizability) of every name judged. All is chosen from
//! one number, which a failing test prints: `FAULT_SEED=… scripts/test -p e2e --test histories NAME` chooses the
//! same again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod answers;
mod clients;
mod load;
#[path = "../faults/seed.rs"]
mod seed;
mod site;

mod cut_off;
mod database;
mod deaths;
mod late_fills;
mod late_puts;
mod redis;
mod sentinels;
mod split;
mod undisturbed;
