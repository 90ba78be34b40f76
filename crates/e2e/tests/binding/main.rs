//! Which database a Redis and a file journal belong to: copies, restored states and databases that moved.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod copies;
mod file_journal;
mod moves;
mod overwritten;
mod restored;
mod second_redis;
mod site;
mod spread;
mod starts;
