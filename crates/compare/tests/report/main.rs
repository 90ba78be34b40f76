//! From a report to what people see: JSON, the table, sentences, pictures and the page, the last
//! two also in a real browser.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod figures;
mod findings;
mod in_browser;
mod page;
mod pictures;
mod samples;
mod table;
mod unanswered;
mod unknown;
mod warnings;
