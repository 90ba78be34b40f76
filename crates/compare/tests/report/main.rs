//! What a report says of made-up figures: verdict, table, page.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod in_browser;
mod page;
mod samples;
mod verdict;
