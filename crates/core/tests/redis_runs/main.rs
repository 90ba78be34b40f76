//! A Redis that ends and comes back: with all its data, with old data, or with
//! none; what is served, what is kept and what is said to be lost.

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

mod crashed;
mod lost;
mod other_data;
mod recovering;
mod versions;
