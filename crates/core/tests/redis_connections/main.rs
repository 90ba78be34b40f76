//! Connections to Redis that end or fall silent between two commands: the next
//! caller notices nothing of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

#[path = "../contract/suite.rs"]
mod suite;

#[path = "../contract/redis_process.rs"]
mod redis_process;

mod closed;
mod silent;
