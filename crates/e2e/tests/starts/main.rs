//! What a start checks, notes and leaves behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod kinds;
mod permissions;
mod release;
mod sentinels;
mod site;
mod starting;
mod traces;
mod waits;
