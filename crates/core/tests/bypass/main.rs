//! Write-through while one of two processes is cut off from Redis: real servers,
//! and a proxy between.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod batches;
mod late_writers;
mod processes;
mod racing;
mod returning;
mod unsettled;
