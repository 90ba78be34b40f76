//! The leases on the shards of a journal that several processes share, in a
//! real Redis.

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

mod calls;
mod drainer;
mod sharing;
