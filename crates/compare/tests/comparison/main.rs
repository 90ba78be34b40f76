//! The tool itself as a user runs it: real services, real databases, its real report.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod broken;
mod forgetful;
mod interrupted;
mod kept;
mod refused;
mod running;
mod servers;
mod tool;
