//! The description of both services: it is valid, it has exactly the calls that there are, the services
//! answer as it says, and a page shows it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod calls;
mod in_browser;
mod properties;
mod tools;
mod valid;
