//! A Redis that has no room, may evict, or has replicas to wait for.

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

mod engines;
mod eviction;
mod failback;
mod garbage;
mod out_of_memory;
mod policy_changes;
mod waiting;
