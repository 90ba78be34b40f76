//! Traces: what a collector of OpenTelemetry receives of requests, and what its outages change.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod batches;
mod collector;
mod one_trace;
mod outages;
mod sampling;
mod secure;
mod settings;
mod site;
mod switched_off;
