//! What an operator is told of an outage: `/readyz`, the log, and the answers meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod lines;
mod malformed;
mod readiness;
mod refused_at_once;
mod sentinels;
mod site;
mod started;
