//! The live page of both services, in a real browser and over real sockets: what it shows, what it does,
//! and what watching costs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails says why"
)]

mod events;
mod site;
mod watching;

/// What needs a browser.
mod in_browser {
    mod buttons;
    mod look;
    mod pair;
    mod settings;
    mod states;
}
