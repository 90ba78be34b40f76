//! Another transaction has locked rows of the database: their names wait, and no other
//! name waits with them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod holder;
mod place;
mod seen;
mod tables;
mod write_behind;
mod write_behind_restarts;
mod write_through;
