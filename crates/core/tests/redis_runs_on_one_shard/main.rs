//! The suite `redis_runs` on data with one shard, as a standalone Redis has them.

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

#[path = "../redis_runs/crashed.rs"]
mod crashed;
#[path = "../redis_runs/lost.rs"]
mod lost;
#[path = "../redis_runs/other_data.rs"]
mod other_data;
#[path = "../redis_runs/recovering.rs"]
mod recovering;
#[path = "../redis_runs/versions.rs"]
mod versions;
