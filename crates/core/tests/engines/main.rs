//! The engines on their parts: what holds for reads while writers race, what
//! happens while the database is unavailable, and what a restart finds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod beside;
mod conditions;
mod guesses;
mod inherited_sessions;
mod letters;
mod parts;
mod purging;
mod racing;
mod restarts;
mod stepped_store;
mod switched_store;
mod under_way;
mod without_the_database;
