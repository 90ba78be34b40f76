//! `import`, `export`, and the clients of `examples/clients`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod clients;
mod ends;
mod refusals;
mod round_trips;
mod site;
