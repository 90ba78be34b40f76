//! Whether processes may use the cache: several of them, with a database and
//! caches that fail as a test tells them, in a time that passes by itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod coming_back;
mod fakes;
mod late_readers;
mod leaving;
mod processes;
mod relying;
mod safety;
mod silence;
